'use strict';

// Ids of the current span for log lines. Never throws, and loads only the module of the current
// span.

let current;

function load() {
  try {
    current = require('../current');
  } catch {
    current = null;
  }
  if (current !== null && typeof current.currentIds !== 'function') current = null;
}

/** Returns {traceId, spanId} of the current span, or null without one. */
function currentIds() {
  if (current === undefined) load();
  if (current === null) return null;
  try {
    return current.currentIds();
  } catch {
    return null;
  }
}

/** Returns a setting of the running telemetry as text, or undefined. */
function textOf(read) {
  if (current === undefined) load();
  try {
    const name = typeof current?.[read] === 'function' ? current[read]() : undefined;
    return typeof name === 'string' && name !== '' ? name : undefined;
  } catch {
    return undefined;
  }
}

const currentService = () => textOf('serviceName');
const currentEnvironment = () => textOf('environment');

module.exports = { currentEnvironment, currentIds, currentService };
