'use strict';
// Express 4 and 5: app.use(telemetryMiddleware()) before everything else, and every request is a
// span and a measurement. The application's handlers are not wrapped; nothing here throws into
// them.

const { Recorder, enter, noteError, ownerOf } = require('../http/record.js');
const { metricsHandler, isScrape } = require('../http/scrape.js');
const { expressRoute } = require('./route.js');
const { follow, discardRoute, patchLoaded } = require('./track.js');

const DEPTH = 16;
const APPENDED_MAX = 16;
// outermost applications -> how often our two layers were put behind theirs
const appended = new WeakMap();

/** The router of an application. Express 4 throws on app.router and keeps app._router. */
function routerOf(app) {
  try {
    const router = app._router || app.router;
    return router && Array.isArray(router.stack) ? router : null;
  } catch {
    return null;
  }
}

/** Behind everything else: nothing answered, so that no route did, whatever matched on the way. */
function fellThrough(req, res, next) {
  if (!res.headersSent) {
    if (req.route !== undefined) req.route = undefined;
    discardRoute(req);
  }
  next();
}

/** Behind everything else: an error that no error handler of the application answered. */
function failed(error, req, res, next) {
  noteError(res, error);
  next(error);
}

/** Paths of this very application at which its metrics are read. */
function noteScrapes(recorder, app, stack) {
  for (const layer of stack) {
    const handlers = layer.route ? layer.route.stack.map((inner) => inner.handle) : [layer.handle];
    if (!handlers.some(isScrape)) continue;
    const path = layer.route ? layer.route.path : layer.rawPath;
    const list = Array.isArray(path) ? path.flat(DEPTH) : [path];
    for (const one of list) if (typeof one === 'string') recorder.noteScrape(one, app);
  }
}

/**
 * Puts our two layers behind those of an application: at its first request, when its routes are
 * there, and again when more were added since.
 */
function append(recorder, app, router) {
  const times = appended.get(app) || 0;
  if (times >= APPENDED_MAX) return;
  appended.set(app, times + 1);
  noteScrapes(recorder, app, router.stack);
  app.use(fellThrough, failed);
}

function prepare(recorder, req) {
  const app = ownerOf(req);
  const router = app === undefined ? null : routerOf(app);
  if (router === null) return;
  const { stack } = router;
  if (stack.length === 0 || stack[stack.length - 1].handle !== failed)
    append(recorder, app, router);
  follow(req, router);
}

/**
 * The middleware. Use it before everything else.
 * @param {{exclude?: Iterable<string>, metricsPath?: string, route?: Function}} [options]
 */
function telemetryMiddleware(options) {
  const recorder = new Recorder(options, expressRoute);
  const scrape = metricsHandler();

  patchLoaded();
  return function telemetry(req, res, next) {
    try {
      prepare(recorder, req);
    } catch {
      // An application of another shape is recorded without templates.
    }
    if (recorder.isScrape(req)) scrape(req, res);
    else enter(recorder, req, res, next);
  };
}

/**
 * An error handler that remembers the error for the span and hands it on. Not needed any more:
 * every error that Express hands to error handlers is seen.
 */
function telemetryErrorHandler() {
  return function telemetryError(error, req, res, next) {
    noteError(res, error);
    next(error);
  };
}

module.exports = { telemetryMiddleware, telemetryErrorHandler, metricsHandler };
