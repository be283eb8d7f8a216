'use strict';
// The whole surface for runtimes that cannot load native code (edge runtimes, browsers): every call is there and records nothing.
// Needs nothing of Node.

const noop = require('./noop.js');

const pass = (request, response, next) => (typeof next === 'function' ? next() : undefined);
const status = () => ({
  enabled: false,
  backend: 'noop',
  impl: 'noop',
  impl_reason: 'this runtime has no native code',
});
const carrierOf = (carrier) => (carrier === undefined || carrier === null ? {} : carrier);

const span = {
  traceId: '',
  spanId: '',
  spanContext: () => ({ traceId: '0'.repeat(32), spanId: '0'.repeat(16), traceFlags: 0 }),
  isRecording: () => false,
  end: () => undefined,
};
for (const name of [
  'setAttribute',
  'setAttributes',
  'addEvent',
  'addLink',
  'addLinks',
  'setStatus',
  'updateName',
  'recordException',
]) {
  span[name] = () => span;
}

/** withSpan(name, fn), withSpan(name, attributes, fn) */
function withSpan(...given) {
  const body = given.find((item) => typeof item === 'function');
  return body === undefined ? undefined : body(span);
}

class Metric {
  labels() {
    return this;
  }
  remove() {}
  clear() {}
  inc() {}
  dec() {}
  set() {}
  setToCurrentTime() {}
  observe() {}
  startTimer() {
    return () => 0;
  }
}

module.exports = {
  init: () => undefined,
  shutdown: () => Promise.resolve(true),
  flush: () => Promise.resolve(true),
  telemetryStatus: status,
  startSpan: () => span,
  withSpan,
  getCurrentSpan: () => span,
  getCurrentTraceId: () => '',
  getCurrentSpanId: () => '',
  inject: carrierOf,
  extract: () => ({ span }),
  recordHttpSpan: () => undefined,
  recordJobSpan: () => undefined,
  recordExternalApiSpan: () => undefined,
  Counter: class Counter extends Metric {},
  Gauge: class Gauge extends Metric {},
  Histogram: class Histogram extends Metric {},
  metricsText: () => Promise.resolve({ contentType: noop.negotiate(), body: '' }),
  telemetryMiddleware: () => pass,
  metricsHandler: () => pass,
  register: () => Promise.resolve(),
};
