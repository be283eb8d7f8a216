'use strict';
// The route template of an answered Express request: the paths under which routers and applications are mounted, as
// they were written, and the path of the route. Nothing is wrapped and nothing happens while a request is routed: a
// route is looked up in the application's own routers once, and its template is kept with it. A raw path is never an
// answer.

const { pathOf } = require('../http/record.js');
const { matchOf, tailOf, stackOf, appStack, isList, mountTemplate } = require('./layers.js');

const DEPTH = 16;
const KEPT = 1024;

/** What is known of a Route. template: null when the path decides. nested: whether it stands behind a mount path. */
const routes = new WeakMap();
const mounts = new Map(); // raw prefix -> template, where the prefix alone decides

/** Applications from the innermost that handles the request to the outermost. */
function appsOf(req) {
  const apps = [];
  for (let app = req.app; app && apps.length < DEPTH; app = app.parent) apps.push(app);
  return apps;
}

function keep(map, key, value) {
  if (map.size >= KEPT) map.clear();
  map.set(key, value);
  return value;
}

/** One look through the routers of an application, along the path of one request. */
class Search {
  constructor(req, route) {
    this.route = route; // undefined: where the mount path ends
    this.apps = appsOf(req);
    this.path = pathOf(req.originalUrl || req.url);
    this.base = req.baseUrl || '';
  }

  top() {
    return this.apps.length === 0 ? null : appStack(this.apps[this.apps.length - 1]);
  }

  /**
   * The stack behind a layer. A mounted application hides behind a function of Express; its mount path tells which one
   * it is.
   */
  inside(layer, depth, sure) {
    const stack = stackOf(layer.handle);
    if (stack !== null || layer.name !== 'mounted_app' || depth === 0) return { stack, depth };
    const child = this.apps[depth - 1];
    const known = typeof child.mountpath === 'string' && (!sure || matchOf(layer, child.mountpath) !== null);
    return { stack: known || (!sure && Array.isArray(child.mountpath)) ? appStack(child) : null, depth: depth - 1 };
  }

  /** How many layers lead to the route, counted without a path; a list of paths counts as two. */
  count(stack, depth, level) {
    let found = 0;
    for (const layer of stack) {
      if (layer.route !== undefined) {
        if (layer.route === this.route) found += isList(layer) ? 2 : 1;
        continue;
      }
      const inner = level < DEPTH ? this.inside(layer, depth, true) : { stack: null };
      if (inner.stack === null) continue;
      found += this.count(inner.stack, inner.depth, level + 1) * (isList(layer) ? 2 : 1);
    }
    return found;
  }

  /** The template, or null. */
  walk(stack, path, prefix, depth, sure, level) {
    for (const layer of stack) {
      if (layer.route !== undefined) {
        if (layer.route === this.route) return joined(prefix, ownTemplate(layer, path));
        continue;
      }
      const found = this.step(layer, path, prefix, depth, sure, level);
      if (found !== null) return found;
    }
    return null;
  }

  step(layer, path, prefix, depth, sure, level) {
    const match = level < DEPTH ? matchOf(layer, path) : null;
    const tail = match === null ? null : tailOf(path, match.path);
    if (tail === null) return null;
    const text = mountTemplate(layer, match);
    if (text === null) return null;
    const inner = this.inside(layer, depth, sure);
    if (inner.stack !== null) {
      const found = this.walk(inner.stack, tail, prefix + text, inner.depth, sure, level + 1);
      if (found !== null) return found;
    } else if (!sure && this.route !== undefined && layer.name === 'mounted_app') {
      return joined(prefix + text, pathOfRoute(this.route, layer.constructor, tail));
    }
    return this.ends(layer, tail, text) ? prefix + text : null;
  }

  /** For a request without a route: whether the mount path that Express removed ends behind this layer. */
  ends(layer, tail, text) {
    if (this.route !== undefined || text === '') return false;
    const consumed = this.path.length - (tail === '/' && !this.path.endsWith('/') ? 0 : tail.length);
    return consumed === this.base.length;
  }

  find() {
    const stack = this.top();
    if (stack === null) return null;
    const depth = this.apps.length - 1;
    const found = this.walk(stack, this.path, '', depth, true, 0);
    return found !== null ? found : this.walk(stack, this.path, '', depth, false, 0);
  }
}

function joined(prefix, text) {
  return text === null ? null : prefix + text;
}

/** The path that a route was made with; of a list, the one that matches. */
function ownTemplate(layer, path) {
  const given = layer.route.path;
  if (!Array.isArray(given)) return typeof given === 'string' ? given : String(given);
  const match = matchOf(layer, path);
  if (match !== null && match.pattern !== undefined) return String(match.pattern);
  return pathOfRoute(layer.route, layer.constructor, path);
}

/** The path of a route that matches, tried with a layer of our own; null when none does. */
function pathOfRoute(route, Layer, path) {
  const list = Array.isArray(route.path) ? route.path.flat(DEPTH) : [route.path];
  const one = list.find((item) => matchOf(new Layer(item, { end: true }, noop), path) !== null);
  return one === undefined ? null : String(one);
}

function noop() {}

/** Looks a route up for the first time. */
function learn(req, route) {
  const search = new Search(req, route);
  const stack = search.top();
  const known = { template: null, nested: true };
  if (stack === null) {
    known.template = typeof route.path === 'string' ? route.path : String(route.path);
    known.nested = false;
  } else {
    const count = search.count(stack, search.apps.length - 1, 0);
    if (count === 0) return null; // inside an application that was not seen yet: another request may tell
    if (count === 1) known.template = search.find();
    known.nested = known.template === null || known.template !== String(route.path);
  }
  routes.set(route, known);
  return known;
}

/** Below which mounts a handler that is no route answered. */
function mountOf(req, res, base) {
  if (res.statusCode === 404) return ''; // a router's own way of saying that nothing matched
  const found = mounts.get(base);
  if (found !== undefined) return found;
  return keep(mounts, base, new Search(req, undefined).find() || '');
}

/** The template of a request whose answer is complete; '' when no route answered. */
function expressRoute(req, res) {
  const route = req.route;
  const base = req.baseUrl;
  if (route === undefined || route === null || typeof route !== 'object') return base ? mountOf(req, res, base) : '';
  const known = routes.get(route) || learn(req, route);
  if (known !== null && base && !known.nested) return mountOf(req, res, base); // it passed the request on
  if (known !== null && known.template !== null) return known.template;
  return new Search(req, route).find() || '';
}

module.exports = { expressRoute };
