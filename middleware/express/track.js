'use strict';
// Follows a request through the routers of Express. Only the router knows which of several mounts
// matched, what an application function passed on, and which path it matched. So two methods of its
// layers and one of the router are replaced, once per copy of Express, by methods that note the
// step and call the original. The notes are texts of the program. Handlers are not wrapped.

const { exchangeOf, openExchange } = require('../http/exchange.js');
const { isActive } = require('../http/facts.js');
const { noteError } = require('../http/record.js');
const { infoOf, mountText, routeText } = require('./layers.js');

const PATCHED = Symbol.for('djp_telemetry.express');
const LEVELS_MAX = 64;

/** A router on the way of a request: the path at which it was reached, and its template. */
class Level {
  constructor(router, base, text) {
    this.router = router;
    this.base = base;
    this.text = text;
  }
}

/** Notes that a router starts to handle a request. */
function enterRouter(exchange, router, req) {
  const base = req.baseUrl || '';
  const levels = exchange.levels === null ? (exchange.levels = []) : exchange.levels;
  let text = base === '' ? '' : null; // not a path that a layer removed
  if (levels.length !== 0 && base === exchange.base) text = exchange.text;
  if (levels.length < LEVELS_MAX) levels.push(new Level(router, base, text));
}

/** Returns the innermost level of a router and leaves the levels further in. */
function levelOf(levels, router) {
  for (let i = levels.length - 1; i >= 0; i--) {
    if (levels[i].router !== router) continue;
    if (i + 1 < levels.length) levels.length = i + 1;
    return levels[i];
  }
  return null;
}

/** Returns the router, of those entered, that contains this layer. */
function ownerOf(levels, layer) {
  for (let i = levels.length - 1; i >= 0; i--)
    if (levels[i].router.stack.includes(layer)) return levels[i].router;
  return null;
}

/**
 * Handles a layer that was moved to another router, as when an application replaces all of its
 * routes.
 */
function movedLevel(levels, info, layer) {
  const router = ownerOf(levels, layer);
  if (router === null) return null;
  info.router = router;
  return levelOf(levels, router);
}

function enterRoute(exchange, level, info, layer, req) {
  const text = level.text === null ? null : routeText(info, layer, req, level.base);
  exchange.route = text === null ? '' : level.text + text;
  exchange.mount = null;
}

/** Notes a route that matched but was not reached: a `param` handler responded, or failed. */
function enterChosen(exchange, req) {
  const { route } = req;
  if (!route || route === exchange.reached || exchange.levels === null) return;
  exchange.reached = route;
  for (let i = exchange.levels.length - 1; i >= 0; i--) {
    const level = exchange.levels[i];
    const layer = level.router.stack.find((one) => one.route === route);
    if (layer !== undefined) return enterRoute(exchange, level, infoOf(layer), layer, req);
  }
}

function enterLayer(exchange, layer, req) {
  const info = infoOf(layer);
  if (info.isHandler) return;
  if (info.router === null) {
    info.router = ownerOf(exchange.levels, layer);
    if (info.router === null) {
      info.isHandler =
        req.route !== undefined && req.route !== null && req.route.stack.includes(layer);
      return;
    }
    patchRouter(layer.handle);
  }
  exchange.reached = req.route;
  const level = levelOf(exchange.levels, info.router) || movedLevel(exchange.levels, info, layer);
  if (level === null) return;
  if (layer.route !== undefined) {
    enterRoute(exchange, level, info, layer, req);
    return;
  }
  const base = info.everywhere ? level.base : req.baseUrl || '';
  exchange.base = base;
  if (base.length === level.base.length) {
    exchange.text = level.text;
    return;
  }
  const text =
    level.text === null ? null : mountText(info, layer, req, base.slice(level.base.length));
  exchange.text = text === null ? null : level.text + text;
  exchange.mount = exchange.text === null ? '' : exchange.text;
  exchange.mountBase = base;
}

/** Notes an error on its way to the error handlers, and its origin if that is not a route. */
function enterError(exchange, req, res, error) {
  noteError(res, error);
  enterChosen(exchange, req);
  if (exchange.route === null && exchange.failed === '' && exchange.text !== null)
    exchange.failed = exchange.text;
}

// ---- the methods -------------------------------------------------------------------------------

/** Replaces a method on the object that defines it; Express 4 and 5 use different names. */
function replace(prototype, names, make) {
  for (const name of names) {
    const original = prototype[name];
    if (typeof original !== 'function' || !Object.prototype.hasOwnProperty.call(prototype, name))
      continue;
    prototype[name] = make(original);
    return;
  }
}

function trackedHandle(original) {
  return function handle(req, res, next) {
    try {
      const exchange = exchangeOf(req);
      const recorded = exchange !== undefined && exchange.request !== null && !exchange.ended;
      if (recorded || isActive()) enterRouter(recorded ? exchange : openExchange(req), this, req);
    } catch {
      // A request of another shape is routed without notes.
    }
    return original.call(this, req, res, next);
  };
}

function trackedRequest(original) {
  return function handleRequest(req, res, next) {
    const exchange = exchangeOf(req);
    if (exchange !== undefined && exchange.levels !== null) {
      try {
        enterLayer(exchange, this, req);
      } catch {
        exchange.levels = null;
      }
    }
    return original.call(this, req, res, next);
  };
}

function trackedError(original) {
  return function handleError(error, req, res, next) {
    try {
      const exchange = exchangeOf(req);
      if (exchange !== undefined) enterError(exchange, req, res, error);
    } catch {
      // The error is passed on in any case.
    }
    return original.call(this, error, req, res, next);
  };
}

/** Whether this object was patched, and not one that it inherits from. */
function claim(prototype) {
  if (Object.prototype.hasOwnProperty.call(prototype, PATCHED)) return false;
  Object.defineProperty(prototype, PATCHED, { value: true });
  return true;
}

/** Returns the methods of layers, from their constructor. */
function patchLayer(Layer) {
  const prototype = typeof Layer === 'function' ? Layer.prototype : undefined;
  if (prototype === undefined || typeof prototype.match !== 'function' || !claim(prototype)) return;
  replace(prototype, ['handleRequest', 'handle_request'], trackedRequest);
  replace(prototype, ['handleError', 'handle_error'], trackedError);
}

/** Returns the object with the methods of a router. */
function methodsOf(router) {
  let object = router;
  for (let i = 0; object !== null && i < 4; i++, object = Object.getPrototypeOf(object)) {
    if (
      Object.prototype.hasOwnProperty.call(object, 'handle') &&
      typeof object.route === 'function'
    )
      return object;
  }
  return null;
}

/** Patches a router that may belong to another copy of Express. */
function patchRouter(router) {
  if (typeof router !== 'function' || !Array.isArray(router.stack)) return;
  const methods = methodsOf(router);
  if (methods !== null && claim(methods)) replace(methods, ['handle'], trackedHandle);
  if (router.stack.length > 0) patchLayer(router.stack[0].constructor);
}

/** Returns the loaded copies of Express, if the module cache is visible. */
function patchLoaded() {
  let cache;
  try {
    cache = require.cache;
  } catch {
    return; // in a bundle
  }
  for (const file of Object.keys(cache || {})) {
    const found = /[\\/]router[\\/](lib[\\/]layer|layer|index)\.js$/.exec(file);
    if (found === null || cache[file] === undefined) continue;
    try {
      const { exports } = cache[file];
      if (found[1] !== 'index') patchLayer(exports);
      else if (typeof exports === 'function') patchExported(exports);
    } catch {
      // Another module of that name.
    }
  }
}

/**
 * Returns the object with the methods: the export of Express 4; in the router package, the
 * prototype of its constructor.
 */
function patchExported(exports) {
  for (const object of [exports, exports.prototype]) {
    if (!object || typeof object.route !== 'function' || typeof object.use !== 'function') continue;
    if (!Object.prototype.hasOwnProperty.call(object, 'handle')) continue;
    if (claim(object)) replace(object, ['handle'], trackedHandle);
    return;
  }
}

/**
 * Patches the routers of an application. A request that is already running is placed in the
 * outermost router.
 */
function follow(req, router) {
  patchRouter(router);
  const exchange = exchangeOf(req);
  if ((exchange === undefined || exchange.levels === null) && isActive()) {
    const opened = openExchange(req);
    if (opened.levels === null && (req.baseUrl || '') === '') enterRouter(opened, router, req);
  }
}

/** Notes that no route handled the request, whichever ones matched. */
function discardRoute(req) {
  const exchange = exchangeOf(req);
  if (exchange === undefined) return;
  exchange.route = null;
  exchange.mount = null;
}

module.exports = { enterChosen, follow, discardRoute, patchLoaded };
