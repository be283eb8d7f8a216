'use strict';
// Plain HTTP servers: a request listener with telemetry, or a whole server. A request without a
// route template is recorded under a constant, never under its path.

const { storage } = require('../../bindings/node/lib/context.js');
const { impl } = require('../../bindings/node/lib/loader.js');
const { enter, noteError } = require('./record.js');
const { Recorder, option, pathOf } = require('./recorder.js');
const { metricsHandler } = require('./scrape.js');
const { beginWebsocket } = require('./websocket.js');

const INSTRUMENTED = Symbol.for('djp_telemetry.instrumented');

const unmatched = () => '';
const normalised = (req) => impl.normalisePath(pathOf(req.url));

function recorderOf(options) {
  return new Recorder(options, option(options, 'normalisePaths') === true ? normalised : unmatched);
}

/**
 * Returns a request listener that records each request and calls another one.
 * @param {(req: object, res: object) => any} handler
 * @param {{route?: Function, normalisePaths?: boolean, exclude?: Iterable<string>,
 *   metricsPath?: string}} [options]
 */
function telemetryListener(handler, options) {
  if (typeof handler !== 'function')
    throw new TypeError('telemetryListener needs a request listener');
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
    return enter(recorder, req, res, call, this, req, res);
  };
}

/** Records the error of a request that a framework handles itself. */
function recordRequestError(res, error) {
  if (res !== null && typeof res === 'object') noteError(res, error);
}

// ---- whole servers -----------------------------------------------------------------------------

/** Events with (req, res) for a request. */
function carriesRequest(event) {
  return event === 'request' || event === 'checkContinue' || event === 'checkExpectation';
}

/**
 * Records every request and websocket connection of a server, whichever listeners it has and
 * whenever they were added. Returns the server.
 * @param {import('http').Server} server
 * @param {object} [options] those of telemetryListener
 */
function instrumentServer(server, options) {
  if (server === null || typeof server !== 'object' || typeof server.emit !== 'function')
    return server;
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
      return enter(recorder, first, second, deliver, event, first, second);
    }
    if (event === 'upgrade') {
      const context = beginWebsocket(recorder, first, second);
      return storage.run(context, () => emit.call(server, event, first, second, third));
    }
    return emit.apply(server, arguments);
  };
  return server;
}

module.exports = { telemetryListener, instrumentServer, metricsHandler, recordRequestError };
