'use strict';
// Plain HTTP servers: a request listener with telemetry around it, or a whole server. A request without a route
// template counts under one constant, never under its path.

const {
  runRequest,
  startRequest,
  wantsRequest,
  endRequest,
  DISCONNECTED,
  WEBSOCKET,
} = require('../../bindings/node/lib/http_server.js');
const { impl } = require('../../bindings/node/lib/loader.js');
const {
  Recorder,
  begin,
  knownOf,
  noteError,
  option,
  pathOf,
  schemeOf,
  textOf,
  traceparentOf,
  versionOf,
} = require('./record.js');
const { metricsHandler } = require('./scrape.js');

const INSTRUMENTED = Symbol.for('djp_telemetry.instrumented');
const STATUS_LINE = /^HTTP\/1\.[01] ([0-9]{3})/;

const unmatched = () => '';
const normalised = (req) => impl.normalisePath(pathOf(req.url));

function recorderOf(options) {
  return new Recorder(options, option(options, 'normalisePaths') === true ? normalised : unmatched);
}

/**
 * A request listener around another one.
 * @param {(req: object, res: object) => any} handler
 * @param {{route?: Function, normalisePaths?: boolean, exclude?: Iterable<string>, metricsPath?: string}} [options]
 */
function telemetryListener(handler, options) {
  if (typeof handler !== 'function') throw new TypeError('telemetryListener needs a request listener');
  const recorder = recorderOf(options);
  const scrape = metricsHandler();

  function call(server, req, res) {
    try {
      return handler.call(server, req, res);
    } catch (error) {
      noteError(res, error);
      throw error;
    }
  }
  return function listener(req, res) {
    if (recorder.isScrape(req)) return scrape(req, res);
    const request = begin(recorder, req, res);
    return request === null ? handler.call(this, req, res) : runRequest(request, call, this, req, res);
  };
}

// ---- whole servers --------------------------------------------------------------------------------------------------

/** Events that hand a request over, each with (req, res). */
function carriesRequest(event) {
  return event === 'request' || event === 'checkContinue' || event === 'checkExpectation';
}

/**
 * Records every request and websocket connection of a server, whatever listens to it and whenever that was added.
 * Returns the server.
 * @param {import('http').Server} server
 * @param {object} [options] those of telemetryListener
 */
function instrumentServer(server, options) {
  if (server === null || typeof server !== 'object' || typeof server.emit !== 'function') return server;
  if (server[INSTRUMENTED]) return server;
  const recorder = recorderOf(options);
  const scrape = metricsHandler();
  const emit = server.emit;

  function deliver(event, first, second) {
    try {
      return emit.call(server, event, first, second);
    } catch (error) {
      noteError(second, error);
      throw error;
    }
  }
  server[INSTRUMENTED] = true;
  server.emit = function telemetryEmit(event, first, second, third) {
    if (carriesRequest(event)) {
      if (recorder.isScrape(first)) return scrape(first, second) || true;
      const request = begin(recorder, first, second);
      if (request !== null) return runRequest(request, deliver, event, first, second);
    } else if (event === 'upgrade') {
      const request = beginWebsocket(recorder, first, second);
      if (request !== null) return runRequest(request, () => emit.call(server, event, first, second, third));
    }
    return emit.apply(server, arguments);
  };
  return server;
}

function isWebsocket(req) {
  const upgrade = req.headers.upgrade;
  return typeof upgrade === 'string' && upgrade.toLowerCase() === 'websocket';
}

/** One span for the life of a websocket connection, or null when it is not recorded. */
function beginWebsocket(recorder, req, socket) {
  try {
    if (!isWebsocket(req) || recorder.excludes(pathOf(req.url))) return null;
    const headers = req.headers;
    const known = wantsRequest() ? knownOf(req, schemeOf(req) === 'https' ? 'wss' : 'ws') : undefined;
    const trace = traceparentOf(req, headers.traceparent);
    const request = startRequest(trace, headers.tracestate, headers.baggage, true, known);
    if (request === null) return null;
    const state = { status: 0 };
    watchHandshake(socket, state);
    socket.once('close', () => {
      const flags = WEBSOCKET | (state.status === 0 ? DISCONNECTED : 0);
      const scheme = schemeOf(req) === 'https' ? 'wss' : 'ws';
      endRequest(request, 'GET', websocketRoute(recorder, req), scheme, versionOf(req), state.status, flags, '', -1);
    });
    return request;
  } catch {
    return null;
  }
}

function websocketRoute(recorder, req) {
  try {
    return textOf(recorder.routeOf(req, null));
  } catch {
    return '';
  }
}

/** The status of the handshake, from the first bytes that the application writes to the socket. */
function watchHandshake(socket, state) {
  const write = socket.write;
  const end = socket.end;
  function see(chunk) {
    if (chunk === undefined || chunk === null || typeof chunk === 'function') return;
    const head = STATUS_LINE.exec(
      typeof chunk === 'string' ? chunk.slice(0, 12) : Buffer.from(chunk).toString('latin1', 0, 12),
    );
    state.status = head === null ? 101 : Number(head[1]);
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

module.exports = { telemetryListener, instrumentServer, metricsHandler };
