'use strict';
// The text from which a layer of an Express router was created. Computed once per layer and cached;
// of several paths, the path of the request selects one. A part of the request path is never
// returned.

const { learnt } = require('./probe.js');
const { writtenMounts } = require('./mount_path.js');

const INFO = Symbol('djp_telemetry.layer');
const LIST_MAX = 100;

/** The cached data of a layer. */
class Info {
  constructor(layer) {
    // Mounted at no path: removes nothing from the path.
    this.everywhere =
      layer.slash === true || (layer.regexp !== undefined && layer.regexp.fast_slash === true);
    this.router = null; // the router that contains it
    this.isHandler = false; // inside a route
    this.text = undefined; // of a single path
    this.choices = null; // of several: [{text, matches(path) -> the matched part or null}]
    this.learnt = new Set();
  }
}

function infoOf(layer) {
  const known = layer[INFO];
  if (known !== undefined) return known;
  const info = new Info(layer);
  Object.defineProperty(layer, INFO, { value: info });
  return info;
}

/** Matches without side effects: {path, params}, or null. */
function matchOf(layer, path) {
  const { params, path: kept } = layer;
  const own = Object.prototype.hasOwnProperty.call(layer, 'params');
  try {
    const match = layer.match(path);
    if (match === true) return { path: layer.path, params: layer.params };
    return match || null;
  } catch {
    return null; // a malformed escape in the path
  } finally {
    if (own) {
      layer.params = params;
      layer.path = kept;
    }
  }
}

function withoutSlash(text) {
  return text.endsWith('/') ? text.slice(0, -1) : text;
}

function textOf(path) {
  return typeof path === 'string' ? path : String(path);
}

function pathOf(req) {
  const url = typeof req.url === 'string' ? req.url : '';
  const query = url.indexOf('?');
  const path = query === -1 ? url : url.slice(0, query);
  return path[0] === '/' ? path : path.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/]*/i, '');
}

function noop() {}

/** Returns one choice per path of a list, matched with separate layers. */
function choicesOf(layer, list, end, shown) {
  return list.slice(0, LIST_MAX).map((path) => {
    const one = new layer.constructor(path, { end }, noop);
    return { text: shown(path), matches: (text) => (matchOf(one, text) || { path: null }).path };
  });
}

/** Returns the text of the choice that matches, else of all choices. */
function chosen(choices, isRight) {
  for (const choice of choices) if (isRight(choice)) return choice.text;
  return choices.map((choice) => choice.text).join('|');
}

/** Returns the text of a route layer in a router reached under `base`. */
function routeText(info, layer, req, base) {
  if (info.text !== undefined) return info.text;
  if (info.choices === null) {
    const given = layer.route.path;
    const list = Array.isArray(given) ? given.flat(Infinity) : [given];
    if (list.length === 1) return (info.text = textOf(list[0]));
    info.choices = choicesOf(layer, list, true, textOf);
  }
  const path = ((req.baseUrl || '') + pathOf(req)).slice(base.length);
  return chosen(info.choices, (choice) => choice.matches(path) !== null);
}

/** Returns the text of a mount path without a slash at its end. */
function shownMount(path) {
  return typeof path === 'string' ? withoutSlash(path) : String(path);
}

function prepareMount(info, layer) {
  if (layer.rawPath !== undefined) {
    const list = Array.isArray(layer.rawPath) ? layer.rawPath : [layer.rawPath];
    if (list.length === 1) info.text = shownMount(list[0]);
    else info.choices = choicesOf(layer, list, false, shownMount);
  } else if (layer.regexp !== undefined) {
    const found = writtenMounts(layer.regexp, layer.keys);
    if (found.length === 1) info.text = withoutMark(found[0].text);
    else
      info.choices = found.map(({ text, regexp }) => ({
        text: withoutMark(text),
        matches: matcher(regexp),
      }));
  }
}

/** Removes the slash at the end of a path; an expression is unchanged. */
function withoutMark(text) {
  return text[0] === '/' && text.endsWith('/') && text.length > 1 && !text.startsWith('/^')
    ? withoutSlash(text)
    : text;
}

function matcher(regexp) {
  return (text) => {
    const found = regexp.exec(text);
    return found === null ? null : found[0];
  };
}

/**
 * Returns the text of the mount path that removed `removed` from the path of the request; null if
 * it is unknown.
 */
function mountText(info, layer, req, removed) {
  if (info.text !== undefined) return info.text;
  if (info.choices === null) prepareMount(info, layer);
  if (info.text !== undefined) return info.text;
  if (info.choices === null) return probedText(info, layer, removed);
  const whole = removed + pathOf(req);
  const took = (matched) => matched !== null && withoutSlash(matched) === removed;
  return chosen(
    info.choices,
    (choice) => took(choice.matches(whole)) || took(choice.matches(removed)),
  );
}

/** For versions without the text. */
function probedText(info, layer, removed) {
  if (layer.matchers !== undefined && layer.matchers.some((one) => one.name === 'regexpMatcher'))
    return null;
  const match = matchOf(layer, removed);
  return match === null ? null : learnt(info, layer, removed, match.params, matchOf);
}

module.exports = { infoOf, mountText, routeText };
