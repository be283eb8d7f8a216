'use strict';
// HTTP server requests, for the middleware: one start and one end write the span and the built-in
// instruments. The core defines names, attributes and status rules. Reads no path, no body, and no
// header except those of trace context.

const { impl, native } = require('./loader.js');
const form = require('./oplog_form.js');
const log = require('./oplog.js');
const { Span, RANDOM, spanOf } = require('./span.js');
const { ROOT, storage } = require('./context.js');
const {
  ACTIVE,
  IS_ROOT,
  METRICS,
  REMOTE,
  TRACES,
  ASK,
  decided,
  decidedFlag,
  decidedGeneration,
  found,
  isIdle,
  newRoot,
  nextLocal,
  renewIfNew,
  rootDecision,
  startDecided,
  writeReply,
} = require('./start.js');
const propagation = require('./propagation.js');
const { settings } = require('./runtime.js');

const { control, generations, random } = log;
const EPOCH = log.WORD.EPOCH;
const { FAILED, DISCONNECTED, WEBSOCKET } = form.HTTP;
const SERVER = form.KIND.SERVER << 16;
const HTTP = form.START.HTTP << 24;
const WEBSOCKET_SPAN = form.START.WEBSOCKET << 24;
const EXCLUDED_MAX = 2048; // cached results

/** The context of the caller while a request starts. Shared, because no code keeps it. */
const caller = new Span(0, 0, 0, 0, 0, 0, 0, 0, '', null);

function baggageOf(header) {
  if (header === undefined || header === null || header === '') return null;
  const text = Array.isArray(header) ? header.join(',') : header;
  return typeof text === 'string' && propagation.propagates('baggage') ? text : null;
}

function startBelow(active, states, header, baggage) {
  renewIfNew();
  const flags = (found[6] & RANDOM) | decidedFlag();
  const state = states === '' ? '' : states[1];
  const r = log.randomWords(2);
  const span = new Span(
    found[0],
    found[1],
    found[2],
    found[3],
    random[r],
    random[r + 1],
    flags,
    nextLocal(),
    state,
    baggage,
  );
  span.generation = decidedGeneration();
  if (isIdle(active, span)) return span;
  caller.s0 = found[4];
  caller.s1 = found[5];
  caller.flags = found[6];
  const incoming = states === '' ? '' : states[0];
  if (incoming === '') log.start(span, 'http.server', header | REMOTE, caller, 0, decided);
  else log.startFull(span, 'http.server', header | REMOTE, caller, 0, incoming, 0n, 0n, decided);
  writeReply(span, states, undefined);
  return span;
}

function startTraced(active, traceparent, tracestate, baggage, header, known) {
  const states =
    traceparent === undefined || !propagation.propagates('tracecontext')
      ? null
      : native.logContext(traceparent, tracestate, found, '', 2, undefined, known);
  if (states !== null) return startBelow(active, states, header, baggage);
  if ((active & ASK) !== 0)
    return startDecided('http.server', header, 0, baggage, 0n, 0n, undefined, known);
  const span = newRoot(baggage);
  if (!isIdle(active, span)) log.start(span, 'http.server', header, null, 0, rootDecision(span));
  return span;
}

const moment = new BigInt64Array(1);
const momentWords = new Int32Array(moment.buffer);

/** Stores the start time of a request without a span. */
function stamp(request) {
  moment[0] = log.clock();
  request.startLow = momentWords[0];
  request.startHigh = momentWords[1];
}

/** Returns the context of the caller for a request that is not recorded; null without one. */
function carry(traceparent, tracestate, baggage) {
  if (traceparent === undefined && baggage === undefined) return null;
  const read = propagation.extract({ traceparent, tracestate, baggage });
  const text = read.baggage === '' ? null : read.baggage;
  const span = read.context === null ? null : spanOf(read.context);
  if (span !== null) span.baggage = text;
  return span !== null || text === null ? span : new Span(0, 0, 0, 0, 0, 0, 0, 0, '', text);
}

/**
 * Starts a request: a local root span below the context of the caller, or an object of the same
 * shape if only metrics are on. Returns null if nothing is recorded or propagated. Headers are a
 * string, a list of strings, or undefined. `known` is [method, path, scheme, route] for a sampler
 * that needs it (wantsRequest); none of it is recorded.
 * @returns {Span|null}
 */
function startRequest(traceparent, tracestate, baggage, websocket, known) {
  const active = control[ACTIVE];
  if ((active & TRACES) === 0) {
    const carried = carry(traceparent, tracestate, baggage);
    if ((active & METRICS) === 0) return carried;
    const request = carried === null ? new Span(0, 0, 0, 0, 0, 0, 0, 0, '', null) : carried;
    stamp(request);
    return request;
  }
  const header = SERVER | HTTP | IS_ROOT | (websocket === true ? WEBSOCKET_SPAN : 0);
  if (websocket === true && known !== undefined) known.push('websocket');
  let request;
  try {
    request = startTraced(active, traceparent, tracestate, baggageOf(baggage), header, known);
  } catch {
    return null; // a header that is not text, or no stack space is left
  }
  if (request.generation < 0) stamp(request);
  return request;
}

/**
 * Counts a request that begins as active, if the names of the conventions are on. Returns a number
 * for leaveRequest; 0: not counted.
 */
function enterRequest(method, scheme) {
  const names = settings().semconv;
  if ((names !== 'stable' && names !== 'both') || (control[ACTIVE] & METRICS) === 0) return 0;
  return impl.enterRequest(textOf(method), scheme);
}

function leaveRequest(mark) {
  if (mark !== 0) impl.leaveRequest(mark);
}

/** Whether a sampler needs the request. */
function wantsRequest() {
  return (control[ACTIVE] & ASK) !== 0;
}

function textOf(value) {
  return typeof value === 'string' ? value : '';
}

/**
 * Ends a request: its span and its metrics, with one clock reading. route: a template, '' if none
 * matched; status 0: no response was started; flags: FAILED, DISCONNECTED, WEBSOCKET; errorType:
 * class of the error or ''; requestBytes -1: unknown.
 */
function endRequest(
  request,
  method,
  route,
  scheme,
  version,
  status,
  flags,
  errorType,
  requestBytes,
) {
  if (request === null) return;
  const open = generations[request.slot] === request.generation;
  if (!open && (control[ACTIVE] & METRICS) === 0) return;
  const code = (status & 0xffff) | ((flags & 7) << 16);
  log.endHttp(
    request,
    open,
    textOf(method),
    textOf(route),
    textOf(scheme),
    textOf(version),
    code,
    textOf(errorType),
    typeof requestBytes === 'number' ? requestBytes : -1,
  );
}

/**
 * Marks a response that stays open for as long as the client wants (server-sent events): its
 * lifetime is not a latency. Call it before the end.
 */
function holdRequest(request) {
  if (request !== null && generations[request.slot] === request.generation) {
    log.operationText(log.OP.LONG, request.slot, '');
  }
}

/**
 * Calls fn(a, b, c) with the request as the current span. Without one, the context in which the
 * server was created is removed.
 */
function runRequest(request, fn, a, b, c) {
  if (request !== null) return storage.run(request, fn, a, b, c);
  return storage.getStore() === undefined ? fn(a, b, c) : storage.run(ROOT, fn, a, b, c);
}

const excluded = new Map();
let excludedEpoch = -1;

/** Whether requests for this path are not recorded. */
function excludes(path) {
  if (excludedEpoch !== control[EPOCH]) {
    excluded.clear();
    excludedEpoch = control[EPOCH];
  }
  if (typeof path !== 'string' || path.length > 1024 || settings().excluded_paths === '')
    return false;
  let result = excluded.get(path);
  if (result === undefined) {
    if (excluded.size >= EXCLUDED_MAX) excluded.clear();
    result = impl.excludesPath(path);
    excluded.set(path, result);
  }
  return result;
}

module.exports = require('./one.js')('http_server', {
  DISCONNECTED,
  FAILED,
  WEBSOCKET,
  endRequest,
  enterRequest,
  excludes,
  holdRequest,
  leaveRequest,
  runRequest,
  startRequest,
  wantsRequest,
});
