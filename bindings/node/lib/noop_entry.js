'use strict';
// The API for runtimes that cannot load native code (edge runtimes, browsers): records nothing,
// calls the functions that it receives, and propagates trace context. Uses no Node API.

const { scan, setterOf, stateText } = require('./carrier.js');
const noop = require('./noop.js');
const status = require('./noop_status.json');

const nothing = () => undefined;
const SpanKind = Object.freeze({ INTERNAL: 0, SERVER: 1, CLIENT: 2, PRODUCER: 3, CONSUMER: 4 });
const StatusCode = Object.freeze({ UNSET: 0, OK: 1, ERROR: 2 });
const REASON = 'this runtime has no native code';

// ---- spans -------------------------------------------------------------------------------------

class Span {
  constructor(traceId = '0'.repeat(32), spanId = '0'.repeat(16), traceFlags = 0, traceState = '') {
    Object.assign(this, { traceId, spanId, traceFlags, traceState, baggage: null });
  }
  get span() {
    return this;
  }
  isRecording() {
    return false;
  }
  spanContext() {
    const { traceId, spanId, traceFlags } = this;
    return { traceId, spanId, traceFlags };
  }
  end() {}
}
// gen:begin edge_chained Span
const CHAINED = [
  'setAttribute',
  'setAttributes',
  'addEvent',
  'addLink',
  'addLinks',
  'recordException',
  'setStatus',
  'updateName',
];
// gen:end
for (const name of CHAINED) {
  Span.prototype[name] = function chained() {
    return this;
  };
}
const INVALID = new Span();
const ROOT = Object.freeze({ span: null, baggage: null });

/** Calls the function among the arguments with a span. */
function withSpan(...given) {
  const body = given.find((item) => typeof item === 'function');
  return body === undefined ? undefined : body(currentSpan());
}

class Tracer {
  startSpan(name, options, parent) {
    return startSpan(name, undefined, parent ? { parent } : options);
  }
  startActiveSpan(...given) {
    return withSpan(...given);
  }
  withSpan(...given) {
    return withSpan(...given);
  }
}

const traced = (name, fn) => (typeof name === 'function' ? name : fn);
// ---- contexts -----------------------------------------------------------------------------------

// Edge runtimes have a global AsyncLocalStorage; without it the context is current until the
// function returns.
const Storage = globalThis.AsyncLocalStorage;
const storage = typeof Storage === 'function' ? new Storage() : null;
let current = ROOT;

function context() {
  return (storage === null ? current : storage.getStore()) || ROOT;
}

/** Returns the context for a context, a span, or a span context. */
function contextFrom(value) {
  if (value === undefined || value === null) return context();
  if (value.span !== undefined) return value;
  return {
    span: typeof value.spanContext === 'function' ? value.spanContext() : value,
    baggage: null,
  };
}

function runWithContext(given, fn, ...args) {
  if (typeof fn !== 'function') return undefined;
  const next = given === null || typeof given !== 'object' ? ROOT : contextFrom(given);
  if (storage !== null) return storage.run(next, fn, ...args);
  const before = current;
  current = next;
  try {
    return fn(...args);
  } finally {
    current = before;
  }
}

function write(carrier, { span, baggage }, setter) {
  const put = setterOf(carrier, setter);
  const parent =
    span === null ? '' : noop.traceparentWrite(span.traceId, span.spanId, span.traceFlags);
  if (parent !== '') {
    put(carrier, 'traceparent', parent);
    const state = stateText(span.traceState);
    if (state !== '') put(carrier, 'tracestate', state);
  }
  if (baggage) put(carrier, 'baggage', baggage);
}

function inject(carrier, given, setter) {
  const into = carrier === undefined || carrier === null ? {} : carrier;
  try {
    if (typeof into === 'object' || typeof into === 'function')
      write(into, contextFrom(given), setter);
  } catch {
    // The carrier threw: the request is sent without the header.
  }
  return into;
}

function extract(carrier, getter) {
  try {
    if (carrier === null || typeof carrier !== 'object') return ROOT;
    const [parents, states, baggage] = scan(carrier, getter);
    const found = noop.extract(parents, states);
    const span =
      found === null ? null : new Span(found.traceId, found.spanId, found.flags, found.state);
    const text = noop.baggageText(baggage);
    return Object.freeze({ span, baggage: text === '' ? null : text });
  } catch {
    return ROOT;
  }
}

function entriesOf(given) {
  return noop.baggageParse(contextFrom(given).baggage || '').map(({ key, value }) => [key, value]);
}

/** Returns a context like the given one with other baggage. */
function withBaggage(given, change) {
  const { span, baggage } = contextFrom(given);
  const text = change(baggage || '');
  return Object.freeze({ span, baggage: text === '' ? null : text });
}

/** Returns the current span; without one, a span without ids. */
function currentSpan() {
  return context().span || INVALID;
}

/** Returns an id of the current span; '' without one. */
function idOf(name) {
  const { span } = context();
  return span === null ? '' : span[name];
}

/** Returns a span that records nothing and has the ids of its parent. */
function startSpan(name, attributes, options) {
  try {
    if (options && options.root === true) return INVALID;
    const given = options && options.parent ? contextFrom(options.parent).span : context().span;
    return given instanceof Span ? given : given ? spanFrom(given) : INVALID;
  } catch {
    return INVALID;
  }
}

function spanFrom({ traceId, spanId, traceFlags, traceState }) {
  const valid = noop.traceparentWrite(traceId, spanId, traceFlags) !== '';
  return valid ? new Span(traceId, spanId, traceFlags, stateText(traceState)) : INVALID;
}

/** Returns the status of a package that records nothing, with the keys of the core. */
function telemetryStatus() {
  const problem = `Nothing is recorded: ${REASON}.`;
  return { ...JSON.parse(JSON.stringify(status)), problem, impl: 'noop', impl_reason: REASON };
}

// ---- metrics -----------------------------------------------------------------------------------

// gen:begin edge_classes Metric Counter Gauge Histogram
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
  startTimer() {
    return nothing;
  }
  setFunction() {}
}

class Histogram extends Metric {
  get count() {
    return 0;
  }
  observe() {}
  startTimer() {
    return nothing;
  }
  zero() {}
}
// gen:end

module.exports = {
  init: nothing,
  shutdown: () => Promise.resolve(true),
  flush: () => Promise.resolve(true),
  setEnabled: () => false,
  setSampleRatio: () => false,
  setCanaryRatio: () => false,
  startMetricsServer: () => false,
  telemetryStatus,
  startSpan,
  withSpan,
  traced,
  getTracer: () => new Tracer(),
  getCurrentSpan: currentSpan,
  getCurrentTraceId: () => idOf('traceId'),
  getCurrentSpanId: () => idOf('spanId'),
  getCurrentContext: context,
  runWithContext,
  inject,
  extract,
  clearBaggage: (given) => withBaggage(given, () => ''),
  getAllBaggage: (given) => Object.fromEntries(entriesOf(given)),
  getBaggage: (name, given) => new Map(entriesOf(given)).get(name),
  removeBaggage: (name, given) => withBaggage(given, (text) => noop.baggageRemove(text, name)),
  setBaggage: (name, value, given) =>
    withBaggage(given, (text) => noop.baggageSet(text, name, value)),
  // gen:begin edge_recorders
  recordExternalApiCall: nothing,
  recordExternalApiError: nothing,
  recordExternalApiSpan: nothing,
  recordHttpRequest: nothing,
  recordHttpSpan: nothing,
  recordJobSpan: nothing,
  recordModelRequest: nothing,
  recordQueueJob: nothing,
  recordQueueJobFailure: nothing,
  recordTask: nothing,
  recordTokenCost: nothing,
  recordWorkflowCost: nothing,
  setGpuUtilization: nothing,
  setQueueDepth: nothing,
  setTaskQueueDepth: nothing,
  // gen:end
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
