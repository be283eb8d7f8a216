'use strict';
// What is kept of one request while it is answered. It hangs from the request object, under one symbol: whatever hands
// that object on (a router, a server, an adapter) finds it again. The methods `emit` of the request and of the response
// become those of this file: the parser and the socket speak outside of every context, so that their events enter the
// request's, and the end of the answer needs no listener.

const { storage } = require('../../bindings/node/lib/context.js');
const { watchLoss } = require('./outcome.js');

const EXCHANGE = Symbol.for('djp_telemetry.exchange');
const NESTED_MAX = 8;
const NO_ERROR = Symbol.for('djp_telemetry.no_error');

class Exchange {
  constructor() {
    this.request = null; // what the core knows of it; null: not recorded
    this.context = undefined; // in which its handlers run
    this.recorder = null;
    this.nested = null; // recorders further in, which may know the template
    this.finish = null; // (exchange, req, res), once
    this.res = null;
    this.ended = false;
    this.byFinish = false; // whether 'finish' is all that will ever be heard
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
    this.mount = null;
    this.mountBase = '';
    this.failed = '';
  }

  /** Another recorder further in: the innermost is asked for the template first. */
  add(recorder) {
    if (recorder === this.recorder) return;
    if (this.nested === null) this.nested = [];
    if (this.nested.length < NESTED_MAX && !this.nested.includes(recorder)) this.nested.push(recorder);
  }
}

/** The exchange of a request, or undefined. */
function exchangeOf(req) {
  return req === null || req === undefined ? undefined : req[EXCHANGE];
}

/** The exchange of a response that is being recorded, or undefined. */
function recordingOf(res) {
  const exchange = exchangeOf(res.req);
  return exchange !== undefined && exchange.request !== null && !exchange.ended ? exchange : undefined;
}

/** Gives a request an exchange; one that was recorded before, by the same object, is over. */
function openExchange(req) {
  const known = req[EXCHANGE];
  if (known !== undefined && !known.ended) return known;
  const exchange = new Exchange();
  req[EXCHANGE] = exchange;
  return exchange;
}

// ---- events ---------------------------------------------------------------------------------------------------------

function speak(emit, target, given) {
  return Reflect.apply(emit, target, given);
}

/** Emits in the context of the request, wherever the event came from. */
function within(exchange, emit, target, given) {
  const context = exchange.context;
  if (context === undefined || storage.getStore() === context || target.listenerCount(given[0]) === 0)
    return Reflect.apply(emit, target, given);
  return storage.run(context, speak, emit, target, given);
}

/** In place of a request's emit. */
function requestEmit(event) {
  const exchange = this[EXCHANGE];
  if (!exchange.ended && (event === 'aborted' || event === 'close' || event === 'error')) noticed(exchange, this);
  return within(exchange, exchange.requestEmit, this, arguments);
}

/** In place of a response's emit. */
function responseEmit(event) {
  const exchange = exchangeOf(this.req);
  if (exchange === undefined || exchange.res !== this)
    return Reflect.apply(Object.getPrototypeOf(this).emit, this, arguments);
  if (event === 'close' || (event === 'finish' && exchange.byFinish)) end(exchange, this.req, this);
  return within(exchange, exchange.responseEmit, this, arguments);
}

function end(exchange, req, res) {
  if (exchange.ended) return;
  exchange.ended = true;
  exchange.finish(exchange, req, res);
}

/** Something happened to the request itself before its answer was complete. */
function noticed(exchange, req) {
  const res = exchange.res;
  watchLoss(exchange, req, res);
  // A response that waits behind others of its connection hears nothing when that connection dies: its request does.
  if (res.socket === null && req.socket && req.socket.destroyed && !res.writableFinished) end(exchange, req, res);
}

/** Counts what a body without a length brings, as the server hands it on. */
function countedPush(chunk, encoding) {
  if (chunk !== null && chunk !== undefined) this[EXCHANGE].received += chunk.length;
  return Object.getPrototypeOf(this).push.call(this, chunk, encoding);
}

/** From now on the exchange hears its events, and they enter its context. */
function listen(exchange, req, res) {
  exchange.res = res;
  if (res.req === undefined) res.req = req;
  exchange.requestEmit = req.emit;
  exchange.responseEmit = res.emit;
  req.emit = requestEmit;
  res.emit = responseEmit;
  if (req.headers['transfer-encoding'] !== undefined) req.push = countedPush;
}

module.exports = { EXCHANGE, NO_ERROR, end, exchangeOf, listen, openExchange, recordingOf };
