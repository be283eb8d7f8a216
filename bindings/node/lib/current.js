'use strict';
// The ids of the current span as text, for log lines: '' without a span. Remembers the last answer,
// because a request writes several lines.

const { currentSpan } = require('./context.js');
const { hasIds } = require('./span.js');

let lastSpan = null;
let last = null;

/** { traceId, spanId, traceFlags } of the current span, not to be changed; null without one. */
function currentIds() {
  const span = currentSpan();
  if (span === null || !hasIds(span)) return null;
  if (span !== lastSpan) {
    last = { traceId: span.traceId, spanId: span.spanId, traceFlags: span.flags };
    lastSpan = span;
  }
  return last;
}

/** 32 hexadecimal digits, or ''. */
function getCurrentTraceId() {
  const ids = currentIds();
  return ids === null ? '' : ids.traceId;
}

/** 16 hexadecimal digits, or ''. */
function getCurrentSpanId() {
  const ids = currentIds();
  return ids === null ? '' : ids.spanId;
}

/** The service name that telemetry was started with, or undefined. */
function serviceName() {
  return require('./runtime.js').settings().service_name;
}

/** The environment that telemetry was started with; empty or undefined when nobody named one. */
function environment() {
  return require('./runtime.js').settings().environment;
}

module.exports = require('./one.js')('current', {
  currentIds,
  environment,
  getCurrentSpanId,
  getCurrentTraceId,
  serviceName,
});
