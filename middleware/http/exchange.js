'use strict';
// What is kept of one request while it is answered, found by the request object: whatever hands
// that on (a router, a server, an adapter) finds it again. The parser and the socket speak outside
// of every context; so that their events enter the request's, the request gets an `emit` of this
// file where it has a body, and it and the response get one when their connection ends or waits too
// long. Not earlier: Express gives both another prototype, and one more property on such an object
// costs some engines more than the whole recording.

const { storage } = require('../../bindings/node/lib/context.js');
const { isSocket, watchEnd, watchLoss } = require('./outcome.js');

const EXCHANGE = Symbol.for('djp_telemetry.exchange'); // of a request
const OPEN = Symbol.for('djp_telemetry.open'); // of a socket: the exchange that began last
const NESTED_MAX = 8;
const NO_ERROR = Symbol.for('djp_telemetry.no_error');

class Exchange {
  constructor() {
    this.request = null; // what the core knows of it; null: not recorded
    this.context = undefined; // in which its handlers run
    this.recorder = null;
    this.nested = null; // recorders further in, which may know the template
    this.finish = null; // (exchange, req, res), once
    this.req = null;
    this.res = null;
    this.earlier = null; // exchange of the same connection that may be open still
    this.ended = false;
    this.left = false; // the client left before an answer began
    this.instead = 0; // the status that Node answered with by itself
    this.received = 0; // bytes of a body without a length
    this.error = NO_ERROR;
    this.requestEmit = null;
    this.responseEmit = null;
    // What a router saw: see ../express/track.js.
    this.levels = null;
    this.base = '';
    this.text = '';
    this.route = null;
    this.reached = undefined;
    this.mount = null;
    this.mountBase = '';
    this.failed = '';
  }

  /** Another recorder further in: the innermost is asked for the template first. */
  add(recorder) {
    if (recorder === this.recorder) return;
    if (this.nested === null) this.nested = [];
    if (this.nested.length < NESTED_MAX && !this.nested.includes(recorder))
      this.nested.push(recorder);
  }
}

/** The exchange of a request, or undefined. */
function exchangeOf(req) {
  return req === null || req === undefined ? undefined : req[EXCHANGE];
}

/** The exchange of a response that is being recorded, or undefined. */
function recordingOf(res) {
  const exchange = exchangeOf(res.req);
  return exchange !== undefined && exchange.request !== null && !exchange.ended
    ? exchange
    : undefined;
}

/** Gives a request an exchange; one that was recorded before, by the same object, is over. */
function openExchange(req) {
  const known = req[EXCHANGE];
  if (known !== undefined && !known.ended) return known;
  const exchange = new Exchange();
  if (known !== undefined) exchange.requestEmit = known.requestEmit; // is in place already
  req[EXCHANGE] = exchange;
  return exchange;
}

// ---- events ------------------------------------------------------------------------------------

function speak(emit, target, given) {
  return Reflect.apply(emit, target, given);
}

/** Emits in the context of the request, wherever the event came from. */
function within(exchange, emit, target, given) {
  const context = exchange.context;
  if (storage.getStore() === context || target.listenerCount(given[0]) === 0)
    return Reflect.apply(emit, target, given);
  return storage.run(context, speak, emit, target, given);
}

/** In place of a request's emit. */
function requestEmit(event) {
  const exchange = this[EXCHANGE];
  if (!exchange.ended && (event === 'aborted' || event === 'close' || event === 'error'))
    noticed(exchange, this);
  return within(exchange, exchange.requestEmit, this, arguments);
}

/** In place of a response's emit. */
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
  // an idle connection holds no request
  if (socket && socket[OPEN] === exchange) socket[OPEN] = exchange.earlier;
  exchange.earlier = null;
  exchange.finish(exchange, exchange.req, exchange.res);
}

/** Something happened to the request itself before its answer was complete. */
function noticed(exchange, req) {
  const res = exchange.res;
  watchLoss(exchange, req, res);
  // A response that waits behind others of its connection hears nothing when that connection dies:
  // its request does.
  if (res.socket === null && req.socket && req.socket.destroyed && !res.writableFinished)
    end(exchange);
}

/** Counts what a body without a length brings, as the server hands it on. */
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
 * Before anybody else hears that a connection ends: what its requests will tell is told in their
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

/** The exchanges of a connection hang together while they are open. */
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
 * From now on the exchange hears its events, and they enter its context. `finish` may come later,
 * with another call.
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
    // Of an adapter's response this may be all that will ever be heard.
    if (!(req.httpVersionMajor >= 2)) res.on('finish', () => end(exchange));
  }
  if (chunked) req.push = countedPush;
}

module.exports = { NO_ERROR, exchangeOf, listen, openExchange, recordingOf };
