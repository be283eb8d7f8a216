'use strict';

// Where log lines get the ids of the current span. Reading them must never throw, and never load
// more than the part of the binding that holds the current span.

let current;

function load() {
  try {
    current = require('../current');
  } catch {
    current = null;
  }
  if (current !== null && typeof current.currentIds !== 'function') current = null;
}

/** {traceId, spanId} of the current span, or null without one. */
function currentIds() {
  if (current === undefined) load();
  if (current === null) return null;
  try {
    return current.currentIds();
  } catch {
    return null;
  }
}

/** What a function of the binding says that telemetry was started with, or undefined. */
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
