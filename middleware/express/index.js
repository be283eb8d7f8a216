'use strict';
// Express 4 and 5: app.use(telemetryMiddleware()) before all else records each request as a span
// and in the metrics. Handlers of the application are not wrapped, and nothing here throws into
// them.

const { Recorder, enter, noteError, ownerOf } = require('../http/record.js');
const { metricsHandler, isScrape } = require('../http/scrape.js');
const { expressRoute } = require('./route.js');
const { follow, discardRoute, patchLoaded } = require('./track.js');

const DEPTH = 16;
const APPENDED_MAX = 16;
// outermost application -> number of times that the last layers were added
const appended = new WeakMap();

/** Returns the router of an application. Express 4 throws on app.router and has app._router. */
function routerOf(app) {
  try {
    const router = app._router || app.router;
    return router && Array.isArray(router.stack) ? router : null;
  } catch {
    return null;
  }
}

/** The last layer: no route matched, whichever ones the request passed. */
function fellThrough(req, res, next) {
  if (!res.headersSent) {
    if (req.route !== undefined) req.route = undefined;
    discardRoute(req);
  }
  next();
}

/** The last error layer: an error that no error handler of the application handled. */
function failed(error, req, res, next) {
  noteError(res, error);
  next(error);
}

/** The paths of this application that serve its metrics. */
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
 * Adds the last layers to an application: at its first request, after its routes were added, and
 * again after further ones.
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
 * Returns the middleware. Register it first.
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
 * Returns an error handler that records the error on the span and passes it on. Not required:
 * errors that Express passes to error handlers are recorded.
 */
function telemetryErrorHandler() {
  return function telemetryError(error, req, res, next) {
    noteError(res, error);
    next(error);
  };
}

module.exports = { telemetryMiddleware, telemetryErrorHandler, metricsHandler };
