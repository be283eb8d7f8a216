'use strict';
// The whole surface for runtimes that cannot load native code (edge runtimes, browsers): every call is there, functions that are
// handed in run as they would, and nothing is recorded. Needs nothing of Node.

const noop = require('./noop.js');

const nothing = () => undefined;
const SpanKind = Object.freeze({ INTERNAL: 0, SERVER: 1, CLIENT: 2, PRODUCER: 3, CONSUMER: 4 });
const StatusCode = Object.freeze({ UNSET: 0, OK: 1, ERROR: 2 });
const REASON = 'this runtime has no native code';

// ---- spans -----------------------------------------------------------------------------------------------------

class Span {
  traceId = '0'.repeat(32);
  spanId = '0'.repeat(16);
  traceFlags = 0;
  traceState = '';
  baggage = null;
  get span() {
    return this;
  }
  isRecording() {
    return false;
  }
  spanContext() {
    return { traceId: this.traceId, spanId: this.spanId, traceFlags: 0 };
  }
  end() {}
}
const CHAINED = ['addEvent', 'addLink', 'addLinks', 'recordException', 'setAttribute', 'setAttributes', 'setStatus'];
for (const name of [...CHAINED, 'updateName']) {
  Span.prototype[name] = function chained() {
    return this;
  };
}
const INVALID = new Span();
const ROOT = Object.freeze({ span: null, baggage: null });

/** Runs the function among the arguments with a span. */
function withSpan(...given) {
  const body = given.find((item) => typeof item === 'function');
  return body === undefined ? undefined : body(INVALID);
}

class Tracer {
  startSpan() {
    return INVALID;
  }
  startActiveSpan(...given) {
    return withSpan(...given);
  }
  withSpan(...given) {
    return withSpan(...given);
  }
}

const traced = (name, fn) => (typeof name === 'function' ? name : fn);
const runWithContext = (context, fn, ...given) => (typeof fn === 'function' ? fn(...given) : undefined);
const inject = (carrier) => (carrier === undefined || carrier === null ? {} : carrier);
const context = () => ROOT;

// ---- metrics ---------------------------------------------------------------------------------------------------

class Metric {
  get name() {
    return '';
  }
  get labelNames() {
    return [];
  }
  get value() {
    return 0;
  }
  labels() {
    return this;
  }
  remove() {}
  clear() {}
  reset() {}
}

class Counter extends Metric {
  inc() {}
}

class Gauge extends Metric {
  inc() {}
  dec() {}
  set() {}
  setToCurrentTime() {}
  setFunction() {}
  startTimer() {
    return nothing;
  }
}

class Histogram extends Metric {
  get count() {
    return 0;
  }
  observe() {}
  zero() {}
  startTimer() {
    return nothing;
  }
}

module.exports = {
  init: nothing,
  shutdown: () => Promise.resolve(true),
  flush: () => Promise.resolve(true),
  setEnabled: () => false,
  setSampleRatio: () => false,
  setCanaryRatio: () => false,
  telemetryStatus: () => ({ enabled: false, backend: 'noop', impl: 'noop', impl_reason: REASON }),
  startSpan: () => INVALID,
  withSpan,
  traced,
  getTracer: () => new Tracer(),
  getCurrentSpan: () => INVALID,
  getCurrentTraceId: () => '',
  getCurrentSpanId: () => '',
  getCurrentContext: context,
  runWithContext,
  inject,
  extract: context,
  clearBaggage: context,
  getAllBaggage: () => ({}),
  getBaggage: nothing,
  removeBaggage: context,
  setBaggage: context,
  recordExternalApiSpan: nothing,
  recordHttpSpan: nothing,
  recordJobSpan: nothing,
  recordExternalApiCall: nothing,
  recordExternalApiError: nothing,
  recordHttpRequest: nothing,
  recordModelRequest: nothing,
  recordQueueJob: nothing,
  recordQueueJobFailure: nothing,
  recordTask: nothing,
  recordTokenCost: nothing,
  recordWorkflowCost: nothing,
  setGpuUtilization: nothing,
  setQueueDepth: nothing,
  setTaskQueueDepth: nothing,
  instrumentOutgoing: () => nothing,
  Counter,
  Gauge,
  Histogram,
  metricsText: () => '',
  metricsContentType: () => noop.negotiate(),
  exposeMetrics: () => Promise.resolve({ contentType: noop.negotiate(), body: '' }),
  Span,
  Tracer,
  SpanKind,
  StatusCode,
  takeExported: () => [],
  takeSpans: () => [],
  version: '',
  impl: 'noop',
  implReason: REASON,
};
