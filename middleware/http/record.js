'use strict';
// One HTTP request of a Node server from its first byte to the last of its answer: begun when the
// server hands it over, recorded once when the response closes. What is recorded of it is the
// core's decision. Nothing here ever throws into the application, holds a raw path, or changes what
// the application sees.

const {
  startRequest,
  endRequest,
  holdRequest,
  wantsRequest,
  FAILED,
  DISCONNECTED,
} = require('../../bindings/node/lib/http_server.js');
const { storage } = require('../../bindings/node/lib/context.js');
const { NO_ERROR, exchangeOf, listen, openExchange, recordingOf } = require('./exchange.js');
const { clientLeft, isOver, sentNothing, sentStatus, watchLoss } = require('./outcome.js');
const { Recorder, option, pathOf, textOf } = require('./recorder.js');
const {
  bytesOf,
  carried,
  isActive,
  knownOf,
  methodOf,
  schemeOf,
  traceparentOf,
  versionOf,
} = require('./facts.js');
const { beginUpgraded } = require('./websocket.js');

const EVENTS = 'text/event-stream'; // stays open for as long as its client likes
const CLASS_NAME = /^[\w.$]{1,100}$/;

/** What is not recorded has a context all the same, in which its events are heard. */
function passOn(req, res) {
  const context = carried(req);
  if (storage.getStore() === context) return context;
  const exchange = openExchange(req);
  exchange.context = context;
  listen(exchange, req, res);
  return context;
}

/** Begins to record a request that nobody records yet. Returns the context of its handlers. */
function begin(recorder, req, res) {
  if (!isActive() || recorder.excludes(pathOf(req.originalUrl || req.url), ownerOf(req)))
    return passOn(req, res);
  if (req.upgrade === true && !res.socket) return beginUpgraded(recorder, req);
  const headers = req.headers;
  const known = wantsRequest() ? knownOf(req, schemeOf(req)) : undefined;
  const trace = traceparentOf(req, headers.traceparent);
  const request = startRequest(trace, headers.tracestate, headers.baggage, false, known);
  if (request === null) return passOn(req, res);
  const exchange = openExchange(req);
  exchange.request = request;
  exchange.recorder = recorder;
  exchange.context = request.local === 0 ? carried(req) : request;
  listen(exchange, req, res, finish);
  if (headers.accept === EVENTS) holdRequest(request);
  return exchange.context;
}

/** The outermost application of Express, whose paths these are; undefined elsewhere. */
function ownerOf(req) {
  let app = req.app;
  for (let i = 0; i < 16 && app && app.parent; i++) app = app.parent;
  return app;
}

/**
 * Records a request and calls fn(a, b, c) in its context: that of its span, else what the request
 * carries, else none at all, whatever was current where the server was started. What is recorded
 * further out already is left alone.
 */
function enter(recorder, req, res, fn, a, b, c) {
  let context;
  try {
    const outer = exchangeOf(req);
    if (outer !== undefined && outer.request !== null && !outer.ended) {
      outer.add(recorder);
      return callIn(storage.getStore(), fn, a, b, c);
    }
    context = begin(recorder, req, res);
  } catch {
    context = undefined; // a request of another shape is handed on as it came
  }
  return callIn(context, fn, a, b, c);
}

function callIn(context, fn, a, b, c) {
  return storage.getStore() === context ? fn(a, b, c) : storage.run(context, fn, a, b, c);
}

// ---- the end -----------------------------------------------------------------------------------

/** The name of an error's class, or 'Error' for whatever else was thrown. */
function classOf(error) {
  try {
    const name = error.name || error.constructor.name;
    if (typeof name === 'string' && CLASS_NAME.test(name)) return name;
  } catch {
    return 'Error';
  }
  return 'Error';
}

/**
 * The template, from what stands nearest to the handler; '' when none matched or finding it failed.
 */
function templateOf(exchange, req, res) {
  const inner = exchange.nested;
  for (let i = inner === null ? -1 : inner.length - 1; i >= -1; i--) {
    try {
      const text = textOf((i < 0 ? exchange.recorder : inner[i]).routeOf(req, res));
      if (text !== '') return text;
    } catch {
      // The next one further out may know it.
    }
  }
  return '';
}

/** How an exchange ended that was cut and noted no error. */
function cutOf(left, status, res) {
  if (left) return [status, DISCONNECTED, undefined];
  // Cut by us behind a response that was sent in full, as after the refusal of an upload.
  if (res.writableEnded && !res.errored) return [status, 0, undefined];
  return [status, FAILED, res.errored || undefined];
}

/** How it ended: [status, flags, error]. */
function outcomeOf(exchange, req, res) {
  if (exchange.left) return [0, DISCONNECTED, undefined];
  if (exchange.instead !== 0) return [exchange.instead, 0, undefined];
  const complete = res.writableFinished;
  const left = !complete && clientLeft(req, res);
  const status = left && sentNothing(req) ? 0 : sentStatus(res);
  if (complete && status < 500) return [status, 0, undefined];
  const error = left && status < 500 ? noted(exchange) : errorOf(exchange, req);
  if (error !== undefined) return [status, FAILED, error];
  return complete ? [status, 0, undefined] : cutOf(left, status, res);
}

function sendsEvents(res) {
  const type = res.getHeader('content-type');
  return typeof type === 'string' && type.startsWith(EVENTS);
}

/** Records an exchange whose response has closed. */
function finish(exchange, req, res) {
  const request = exchange.request;
  try {
    const [status, flags, error] = outcomeOf(exchange, req, res);
    const errorType = error === undefined ? '' : classOf(error);
    if (error !== undefined) request.recordException(error);
    if (sendsEvents(res)) holdRequest(request);
    const bytes = bytesOf(exchange, req);
    const route = templateOf(exchange, req, res);
    endRequest(
      request,
      methodOf(req),
      route,
      schemeOf(req),
      versionOf(req),
      status,
      flags,
      errorType,
      bytes,
    );
  } catch {
    // A request object of another shape is not ours to break.
  }
}

// Express 5.3 keeps what was given to next(error) under this name, also when an error handler of
// the application answered.
const SEEN_ERRORS = Symbol.for('router.tracing.publishedErrors');

function noted(exchange) {
  return exchange.error === NO_ERROR ? undefined : exchange.error;
}

/**
 * The error that a request failed with, or undefined. One that is answered with less than 500 is no
 * failure.
 */
function errorOf(exchange, req) {
  let last = noted(exchange);
  const seen = last === undefined ? req[SEEN_ERRORS] : undefined;
  if (seen instanceof Set) for (const error of seen) last = error;
  return last;
}

/**
 * Remembers the error that a request failed with, the last one where there are several; its class
 * and stack belong to the span if the answer is 500 or more, or was cut. After the client left,
 * errors say just that.
 */
function noteError(res, error) {
  try {
    const exchange = error !== undefined && error !== null ? recordingOf(res) : undefined;
    if (exchange === undefined) return;
    watchLoss(exchange, res.req, res);
    if (!exchange.left && !(isOver(res.req) && clientLeft(res.req, res))) exchange.error = error;
  } catch {
    // A response of another shape is recorded without its error.
  }
}

/** The scrapes of this path are not to be counted from now on, by whoever counts this one. */
function noteScrape(req, res) {
  const exchange = recordingOf(res);
  if (exchange !== undefined)
    exchange.recorder.noteScrape(pathOf(req.originalUrl || req.url), ownerOf(req));
}

module.exports = {
  Recorder,
  enter,
  knownOf,
  noteError,
  noteScrape,
  option,
  ownerOf,
  pathOf,
  schemeOf,
  textOf,
  traceparentOf,
  versionOf,
};
