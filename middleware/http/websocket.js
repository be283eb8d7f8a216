'use strict';
// Websocket connections: one span per connection, with the status of its handshake, for a server
// that emits the upgrade and for a library that passes it to a router after the handshake.

const {
  startRequest,
  wantsRequest,
  endRequest,
  DISCONNECTED,
  WEBSOCKET,
} = require('../../bindings/node/lib/http_server.js');
const { exchangeOf, openExchange } = require('./exchange.js');
const { carried, isActive, knownOf, schemeOf, traceparentOf, versionOf } = require('./facts.js');
const { pathOf, textOf } = require('./recorder.js');

const STATUS_LINE = /^HTTP\/1\.[01] ([0-9]{3})/;
const MARK = /\/\.websocket\/?$/; // express-ws appends it to the paths of its routes

function isWebsocket(req) {
  const upgrade = req.headers.upgrade;
  return typeof upgrade === 'string' && upgrade.toLowerCase() === 'websocket';
}

function schemeOfSocket(req) {
  return schemeOf(req) === 'https' ? 'wss' : 'ws';
}

function templateOf(exchange, req) {
  const recorders =
    exchange.nested === null ? [exchange.recorder] : [exchange.recorder, ...exchange.nested];
  for (const recorder of recorders.reverse()) {
    try {
      const text = textOf(recorder.routeOf(req, null));
      if (text !== '') return text.replace(MARK, '') || '/';
    } catch {
      // The next recorder further out may know it.
    }
  }
  return '';
}

function finish(exchange, req) {
  if (exchange.ended) return;
  exchange.ended = true;
  const status = exchange.instead;
  const flags = WEBSOCKET | (status === 0 ? DISCONNECTED : 0);
  const route = templateOf(exchange, req);
  endRequest(
    exchange.request,
    'GET',
    route,
    schemeOfSocket(req),
    versionOf(req),
    status,
    flags,
    '',
    -1,
  );
}

/** Starts the span of a connection, which ends with its socket. Returns the exchange, or null. */
function start(recorder, req, socket) {
  const headers = req.headers;
  const known = wantsRequest() ? knownOf(req, schemeOfSocket(req)) : undefined;
  const trace = traceparentOf(req, headers.traceparent);
  const request = startRequest(trace, headers.tracestate, headers.baggage, true, known);
  if (request === null) return null;
  const exchange = openExchange(req);
  exchange.request = request;
  exchange.recorder = recorder;
  exchange.context = request.local === 0 ? carried(req) : request;
  socket.once('close', () => {
    try {
      finish(exchange, req);
    } catch {
      // An error of a request of another shape is ignored.
    }
  });
  return exchange;
}

/** Records a connection that a server emits. Returns the context of its listeners. */
function beginWebsocket(recorder, req, socket) {
  try {
    const outer = exchangeOf(req);
    if (outer !== undefined && outer.request !== null && !outer.ended) return outer.context;
    if (!isWebsocket(req) || !isActive() || recorder.excludes(pathOf(req.url))) return carried(req);
    const exchange = start(recorder, req, socket);
    if (exchange === null) return carried(req);
    watchHandshake(socket, exchange);
    return exchange.context;
  } catch {
    return undefined;
  }
}

/**
 * Records a connection whose handshake is complete before a router receives it. Returns the context
 * of its handlers.
 */
function beginUpgraded(recorder, req) {
  const exchange = isWebsocket(req) && req.socket ? start(recorder, req, req.socket) : null;
  if (exchange === null) return carried(req);
  exchange.instead = 101;
  return exchange.context;
}

/**
 * Reads the status of the handshake from the first bytes that the application writes to the socket.
 */
function watchHandshake(socket, exchange) {
  const write = socket.write;
  const end = socket.end;
  function see(chunk) {
    if (chunk === undefined || chunk === null || typeof chunk === 'function') return;
    const text =
      typeof chunk === 'string' ? chunk.slice(0, 12) : Buffer.from(chunk).toString('latin1', 0, 12);
    const head = STATUS_LINE.exec(text);
    exchange.instead = head === null ? 101 : Number(head[1]);
    if (socket.write === firstWrite) socket.write = write;
    if (socket.end === firstEnd) socket.end = end;
  }
  function firstWrite(chunk, ...rest) {
    see(chunk);
    return write.call(this, chunk, ...rest);
  }
  function firstEnd(chunk, ...rest) {
    see(chunk);
    return end.call(this, chunk, ...rest);
  }
  socket.write = firstWrite;
  socket.end = firstEnd;
}

module.exports = { beginUpgraded, beginWebsocket };
