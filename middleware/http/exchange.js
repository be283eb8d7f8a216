'use strict';
// The state of a request while it runs, stored under the request object, so that any router, server
// or adapter finds it. Events of the parser and the socket occur outside of every context. To run
// their listeners in the context of the request, this module replaces `emit` of a request that has
// a body, and of request and response when their connection ends or times out. Not earlier: Express
// changes the prototype of both objects, and another property would then slow some engines down.

const { storage } = require('../../bindings/node/lib/context.js');
const { isSocket, watchEnd, watchLoss } = require('./outcome.js');

const EXCHANGE = Symbol.for('djp_telemetry.exchange'); // of a request
const OPEN = Symbol.for('djp_telemetry.open'); // of a socket: the last exchange
const NESTED_MAX = 8;
const NO_ERROR = Symbol.for('djp_telemetry.no_error');

class Exchange {
  constructor() {
    this.request = null; // the request in the core; null: not recorded
    this.context = undefined; // context of its handlers
    this.recorder = null;
    this.nested = null; // recorders further in, which may know the template
    this.finish = null; // (exchange, req, res), called once
    this.req = null;
    this.res = null;
    this.earlier = null; // earlier exchange of the connection, if it may be open
    this.ended = false;
    this.left = false; // the client left before a response was started
    this.instead = 0; // the status of a response by Node itself
    this.active = 0; // the mark of enterRequest
    this.received = 0; // bytes of a body without a content-length
    this.error = NO_ERROR;
    this.requestEmit = null;
    this.responseEmit = null;
    // Notes of a router: see ../express/track.js.
    this.levels = null;
    this.base = '';
    this.text = '';
    this.route = null;
    this.reached = undefined;
    this.mount = null;
    this.mountBase = '';
    this.failed = '';
  }

  /** Adds a recorder further in: the template of the innermost one is preferred. */
  add(recorder) {
    if (recorder === this.recorder) return;
    if (this.nested === null) this.nested = [];
    if (this.nested.length < NESTED_MAX && !this.nested.includes(recorder))
      this.nested.push(recorder);
  }
}

/** Returns the exchange of a request, or undefined. */
function exchangeOf(req) {
  return req === null || req === undefined ? undefined : req[EXCHANGE];
}

/** Returns the exchange of a recorded response, or undefined. */
function recordingOf(res) {
  const exchange = exchangeOf(res.req);
  return exchange !== undefined && exchange.request !== null && !exchange.ended
    ? exchange
    : undefined;
}

/** Creates the exchange of a request; an earlier one of the same object is complete. */
function openExchange(req) {
  const known = req[EXCHANGE];
  if (known !== undefined && !known.ended) return known;
  const exchange = new Exchange();
  if (known !== undefined) exchange.requestEmit = known.requestEmit; // already replaced
  req[EXCHANGE] = exchange;
  return exchange;
}

// ---- events ------------------------------------------------------------------------------------

function speak(emit, target, given) {
  return Reflect.apply(emit, target, given);
}

/** Emits in the context of the request. */
function within(exchange, emit, target, given) {
  const context = exchange.context;
  if (storage.getStore() === context || target.listenerCount(given[0]) === 0)
    return Reflect.apply(emit, target, given);
  return storage.run(context, speak, emit, target, given);
}

/** Replaces emit of a request. */
function requestEmit(event) {
  const exchange = this[EXCHANGE];
  if (!exchange.ended && (event === 'aborted' || event === 'close' || event === 'error'))
    noticed(exchange, this);
  return within(exchange, exchange.requestEmit, this, arguments);
}

/** Replaces emit of a response. */
function responseEmit(event) {
  const exchange = exchangeOf(this.req);
  if (exchange === undefined || exchange.res !== this)
    return Reflect.apply(Object.getPrototypeOf(this).emit, this, arguments);
  if (event === 'close') end(exchange);
  return within(exchange, exchange.responseEmit, this, arguments);
}

function end(exchange) {
  if (exchange.ended) return;
  exchange.ended = true;
  const socket = exchange.req.socket;
  // an idle connection keeps no request
  if (socket && socket[OPEN] === exchange) socket[OPEN] = exchange.earlier;
  exchange.earlier = null;
  exchange.finish(exchange, exchange.req, exchange.res);
}

/** Handles an event of the request before its response is complete. */
function noticed(exchange, req) {
  const res = exchange.res;
  watchLoss(exchange, req, res);
  // A response that waits behind others of its connection receives no event when the connection
  // breaks, but its request does.
  if (res.socket === null && req.socket && req.socket.destroyed && !res.writableFinished)
    end(exchange);
}

/** Counts the bytes of a body without a content-length as the server delivers them. */
function countedPush(chunk, encoding) {
  if (chunk !== null && chunk !== undefined) this[EXCHANGE].received += chunk.length;
  return Object.getPrototypeOf(this).push.call(this, chunk, encoding);
}

function bindRequest(exchange) {
  if (exchange.requestEmit !== null) return;
  exchange.requestEmit = exchange.req.emit;
  exchange.req.emit = requestEmit;
}

function bindResponse(exchange) {
  if (exchange.responseEmit !== null) return;
  const { emit } = exchange.res;
  exchange.responseEmit = emit === responseEmit ? Object.getPrototypeOf(exchange.res).emit : emit;
  exchange.res.emit = responseEmit;
}

function ending() {
  watchEnd(this);
  bindOpen.call(this);
}

/**
 * Prepares the requests of a connection before its end is emitted: their events then run in their
 * contexts.
 */
function bindOpen() {
  for (
    let exchange = this[OPEN];
    exchange !== null && exchange !== undefined;
    exchange = exchange.earlier
  ) {
    if (exchange.ended) continue;
    bindRequest(exchange);
    bindResponse(exchange);
    watchLoss(exchange, exchange.req, exchange.res);
  }
}

/** Links the open exchanges of a connection. */
function watchSocket(exchange, socket) {
  const last = socket[OPEN];
  if (last === undefined) {
    socket.prependListener('end', ending);
    for (const event of ['close', 'timeout']) socket.prependListener(event, bindOpen);
  } else if (last !== null && !last.ended) {
    exchange.earlier = last;
  }
  socket[OPEN] = exchange;
}

function nothing() {}

/**
 * Handles the events of the exchange from now on, in its context. A later call may set `finish`.
 */
function listen(exchange, req, res, finish = nothing) {
  exchange.finish = finish;
  if (exchange.res === res) return;
  exchange.req = req;
  exchange.res = res;
  if (res.req === undefined) res.req = req;
  const headers = req.headers;
  const chunked = headers['transfer-encoding'] !== undefined;
  const length = headers['content-length'];
  res.on('close', () => end(exchange));
  if (isSocket(req.socket) && !(req.httpVersionMajor >= 2)) {
    watchSocket(exchange, req.socket);
    if (chunked || (length !== undefined && length !== '0')) bindRequest(exchange);
  } else {
    bindRequest(exchange);
    bindResponse(exchange);
    // The response of an adapter may emit no other event.
    if (!(req.httpVersionMajor >= 2)) res.on('finish', () => end(exchange));
  }
  if (chunked) req.push = countedPush;
}

module.exports = { NO_ERROR, exchangeOf, listen, openExchange, recordingOf };
