'use strict';
// The API of the package.

const loader = require('./loader.js');
const one = require('./one.js');
const {
  flush,
  init,
  setCanaryRatio,
  setEnabled,
  setSampleRatio,
  shutdown,
  telemetryStatus,
  beforeFlush,
} = require('./runtime.js');
const { publish } = require('./oplog.js');
const { startSpan } = require('./start.js');
const { Tracer, getCurrentSpan, getTracer, traced, withSpan } = require('./tracer.js');
const { Span } = require('./span.js');
const { extract, inject, runWithContext } = require('./propagate.js');
const { current } = require('./context.js');
const { getCurrentSpanId, getCurrentTraceId } = require('./current.js');
const record = require('./record.js');
const recorders = require('./recorders.js');
const baggage = require('./baggage.js');
const { spansOf } = require('./exported.js');
const { instrumentOutgoing } = require('./outgoing.js');
const metrics = require('./metrics.js');

/** Span kinds, with the numbers of @opentelemetry/api. */
const SpanKind = Object.freeze({ INTERNAL: 0, SERVER: 1, CLIENT: 2, PRODUCER: 3, CONSUMER: 4 });

/** Status codes; OK is final. */
const StatusCode = Object.freeze({ UNSET: 0, OK: 1, ERROR: 2 });

if (!one.has('index')) beforeFlush(publish);

/** Removes the contents of the memory exporter and returns them as OTLP requests. For tests. */
function takeExported() {
  return loader.impl.sdkTakeExported() || [];
}

/** As takeExported(), but as plain span objects in the order of their ends. */
function takeSpans() {
  return spansOf(takeExported());
}

module.exports = one('index', {
  init,
  shutdown,
  flush,
  setEnabled,
  setCanaryRatio,
  setSampleRatio,
  telemetryStatus,
  startSpan,
  withSpan,
  traced,
  getTracer,
  getCurrentSpan,
  getCurrentTraceId,
  getCurrentSpanId,
  getCurrentContext: current,
  runWithContext,
  inject,
  extract,
  ...baggage,
  ...record,
  ...recorders,
  ...metrics,
  instrumentOutgoing,
  Span,
  Tracer,
  SpanKind,
  StatusCode,
  takeExported,
  takeSpans,
  version: loader.version,
  impl: loader.name,
  implReason: loader.reason,
});
