'use strict';
// Records one HTTP request of a Node server: starts when the server emits it and ends once when the
// response closes. The core decides what is recorded. Nothing here throws into the application,
// stores a request path, or changes the behavior of the application.

const {
  startRequest,
  endRequest,
  enterRequest,
  leaveRequest,
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

const EVENTS = 'text/event-stream'; // stays open for as long as the client wants
const CLASS_NAME = /^[\w.$]{1,100}$/;

/** A request that is not recorded also has a context for its events. */
function passOn(req, res) {
  const context = carried(req);
  if (storage.getStore() === context) return context;
  const exchange = openExchange(req);
  exchange.context = context;
  listen(exchange, req, res);
  return context;
}

/** Starts to record a request without a recorder. Returns the context of its handlers. */
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
  // A response that is already closed has no end to come.
  if (res.destroyed !== true) exchange.active = enterRequest(req.method, schemeOf(req));
  if (headers.accept === EVENTS) holdRequest(request);
  return exchange.context;
}

/** Returns the outermost Express application, which serves these paths; undefined elsewhere. */
function ownerOf(req) {
  let app = req.app;
  for (let i = 0; i < 16 && app && app.parent; i++) app = app.parent;
  return app;
}

/**
 * Records a request and calls fn(a, b, c) in its context: that of its span, else that of its
 * headers, else none, whichever was current when the server started. A request with a recorder
 * further out is not recorded again.
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
    context = undefined; // a request of another shape is passed on unchanged
  }
  return callIn(context, fn, a, b, c);
}

function callIn(context, fn, a, b, c) {
  return storage.getStore() === context ? fn(a, b, c) : storage.run(context, fn, a, b, c);
}

// ---- the end -----------------------------------------------------------------------------------

/** Returns the class name of an error; 'Error' for other values. */
function classOf(error) {
  try {
    const name = error.name || error.constructor.name;
    if (typeof name === 'string' && CLASS_NAME.test(name)) return name;
  } catch {
    return 'Error';
  }
  return 'Error';
}

/** Returns the template of the innermost recorder that has one; '' if none has. */
function templateOf(exchange, req, res) {
  const inner = exchange.nested;
  for (let i = inner === null ? -1 : inner.length - 1; i >= -1; i--) {
    try {
      const text = textOf((i < 0 ? exchange.recorder : inner[i]).routeOf(req, res));
      if (text !== '') return text;
    } catch {
      // The next recorder further out may know it.
    }
  }
  return '';
}

/** Returns the outcome of a response that was cut off without an error. */
function cutOf(left, status, res) {
  if (left) return [status, DISCONNECTED, undefined];
  // The service closed the connection after a full response, as when it rejects an upload.
  if (res.writableEnded && !res.errored) return [status, 0, undefined];
  return [status, FAILED, res.errored || undefined];
}

/** Returns the outcome: [status, flags, error]. */
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
  leaveRequest(exchange.active);
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
    // An error of a request of another shape is ignored.
  }
}

// Express 5.3 stores the argument of next(error) under this name, also if an error handler of the
// application responded.
const SEEN_ERRORS = Symbol.for('router.tracing.publishedErrors');

function noted(exchange) {
  return exchange.error === NO_ERROR ? undefined : exchange.error;
}

/** Returns the error of a request, or undefined. A status below 500 is not a failure. */
function errorOf(exchange, req) {
  let last = noted(exchange);
  const seen = last === undefined ? req[SEEN_ERRORS] : undefined;
  if (seen instanceof Set) for (const error of seen) last = error;
  return last;
}

/**
 * Stores the last error of a request. Its class and stack are recorded if the status is 500 or
 * more, or the response was cut off. Errors after the client left are not recorded.
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

/** Stops counting scrapes of this path, in the recorder of this request. */
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
