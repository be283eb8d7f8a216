'use strict';
// The ids of the current span as text for log lines: '' without a span. Caches the last result,
// because a request writes several lines.

const { currentSpan } = require('./context.js');
const { hasIds } = require('./span.js');

let lastSpan = null;
let last = null;

/** Returns { traceId, spanId, traceFlags } of the current span, read-only; null without one. */
function currentIds() {
  const span = currentSpan();
  if (span === null || !hasIds(span)) return null;
  if (span !== lastSpan) {
    last = { traceId: span.traceId, spanId: span.spanId, traceFlags: span.flags };
    lastSpan = span;
  }
  return last;
}

/** Returns 32 hexadecimal digits, or ''. */
function getCurrentTraceId() {
  const ids = currentIds();
  return ids === null ? '' : ids.traceId;
}

/** Returns 16 hexadecimal digits, or ''. */
function getCurrentSpanId() {
  const ids = currentIds();
  return ids === null ? '' : ids.spanId;
}

/** Returns the configured service name, or undefined. */
function serviceName() {
  return require('./runtime.js').settings().service_name;
}

/** Returns the configured deployment environment; empty or undefined if none is configured. */
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
