'use strict';
// Express 4 and 5: app.use(telemetryMiddleware()) before everything else, and every request is a span and a
// measurement. Express and the application's handlers are not wrapped; nothing here throws into them.

const { runRequest } = require('../../bindings/node/lib/http_server.js');
const { Recorder, begin, noteError } = require('../http/record.js');
const { metricsHandler, isScrape } = require('../http/scrape.js');
const { appStack } = require('./layers.js');
const { expressRoute } = require('./route.js');

const DEPTH = 16;
const prepared = new WeakSet(); // outermost applications that end in our two layers

/** Behind everything else: nothing answered, so that no route did, whatever matched on the way. */
function fellThrough(req, res, next) {
  if (req.route !== undefined) req.route = undefined;
  next();
}

/** Behind everything else: an error that no error handler of the application answered. */
function failed(error, req, res, next) {
  noteError(res, error);
  next(error);
}

/** Paths of this very application at which its metrics are read. */
function scrapePaths(stack, found) {
  for (const layer of stack) {
    const handlers = layer.route ? layer.route.stack.map((inner) => inner.handle) : [layer.handle];
    if (!handlers.some(isScrape)) continue;
    const path = layer.route ? layer.route.path : layer.rawPath;
    for (const one of Array.isArray(path) ? path.flat(DEPTH) : [path]) if (typeof one === 'string') found.add(one);
  }
}

/** At an application's first request, when its routes are there. */
function prepare(recorder, first) {
  let app = first;
  for (let i = 0; app.parent && i < DEPTH; i++) app = app.parent;
  if (prepared.has(app)) return;
  prepared.add(app);
  scrapePaths(appStack(app) || [], recorder.exact);
  app.use(fellThrough, failed);
}

/**
 * The middleware. Use it before everything else.
 * @param {{exclude?: Iterable<string>, metricsPath?: string, route?: Function}} [options]
 */
function telemetryMiddleware(options) {
  const recorder = new Recorder(options, expressRoute);
  const scrape = metricsHandler();
  let ready = null; // the application that was prepared last

  function ensure(app) {
    ready = app;
    try {
      prepare(recorder, app);
    } catch {
      // An application of another shape is recorded without the two layers.
    }
  }
  return function telemetry(req, res, next) {
    const app = req.app;
    if (app !== undefined && app !== ready) ensure(app);
    if (recorder.isScrape(req)) {
      scrape(req, res);
      return;
    }
    const request = begin(recorder, req, res);
    if (request === null) next();
    else runRequest(request, next);
  };
}

/**
 * An error handler that remembers the error for the span and hands it on. Only needed where an error handler of the
 * application answers and Express is older than 5.3: app.use(telemetryErrorHandler()) stands right before it.
 */
function telemetryErrorHandler() {
  return function telemetryError(error, req, res, next) {
    noteError(res, error);
    next(error);
  };
}

module.exports = { telemetryMiddleware, telemetryErrorHandler, metricsHandler };
