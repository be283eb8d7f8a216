'use strict';
// What one layer of an Express router says about itself: whether it matches a path, what router stands behind it, and
// the text that it was mounted with. Versions that do not keep that text are asked with changed paths until the
// template is known. Reads only; what cannot be told is null, never a raw path.

const PROBE = 'djp0probe0djp'; // a path segment that no application has
const SEGMENTS_MAX = 24;
const TOKENS = 0xe000; // private characters stand for parameters while a text is taken apart

/** Matches without leaving traces: {path, params, pattern}, or null. */
function matchOf(layer, path) {
  const { params, path: kept } = layer;
  const own = Object.prototype.hasOwnProperty.call(layer, 'params');
  try {
    const match = layer.match(path);
    if (match === true) return { path: layer.path, params: layer.params, pattern: undefined };
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

/** The part of a path behind a mount, or null when the match ends inside a segment. */
function tailOf(path, matched) {
  if (!path.startsWith(matched)) return null;
  const tail = path.slice(matched.length);
  if (tail !== '' && tail[0] !== '/' && tail[0] !== '.' && !matched.endsWith('/')) return null;
  return tail[0] === '/' ? tail : `/${tail}`;
}

/** The stack of an application or a router; null for anything else. */
function stackOf(handle) {
  if (handle === null || handle === undefined) return null;
  if (typeof handle.set === 'function' && typeof handle.handle === 'function') return appStack(handle);
  return Array.isArray(handle.stack) ? handle.stack : null;
}

/** Express 5 makes the router on the first look; Express 4 throws on app.router and keeps app._router. */
function appStack(app) {
  try {
    const router = app._router || app.router;
    return router && Array.isArray(router.stack) ? router.stack : null;
  } catch {
    return null;
  }
}

function isEverywhere(layer) {
  return layer.slash === true || (layer.regexp !== undefined && layer.regexp.fast_slash === true);
}

/** Whether the layer was made with a regular expression, whose matched text says nothing that may be shown. */
function isPattern(layer) {
  if (layer.regexp !== undefined)
    return !layer.regexp.source.endsWith('(?=\\/|$)') && !layer.regexp.source.endsWith('\\/?$');
  return Array.isArray(layer.matchers) && layer.matchers.some((matcher) => matcher.name === 'regexpMatcher');
}

/** Whether one layer stands for several paths. */
function isList(layer) {
  if (Array.isArray(layer.rawPath)) return true;
  if (Array.isArray(layer.matchers)) return layer.matchers.length > 1;
  return layer.regexp !== undefined && layer.regexp.source.includes('|^');
}

function withoutSlash(text) {
  return text.endsWith('/') ? text.slice(0, -1) : text;
}

/** The template of a mount that matched `match.path`; null when it cannot be told. */
function mountTemplate(layer, match) {
  if (isEverywhere(layer) || match.path === '') return '';
  if (match.pattern !== undefined)
    return typeof match.pattern === 'string' ? withoutSlash(match.pattern) : String(match.pattern);
  if (isPattern(layer)) return layer.regexp !== undefined ? String(layer.regexp) : null;
  return probed(layer, match);
}

/** A wildcard's value: what it matched, as text. */
function wide(value) {
  if (Array.isArray(value)) return value.join('/');
  return typeof value === 'string' && value.includes('/') ? value : null;
}

/** Finds out which segments of the matched text are parameters: those that may be changed and still match. */
function probed(layer, match) {
  let text = withoutSlash(match.path);
  const left = new Map(Object.entries(match.params || {}).filter(([, value]) => value !== undefined && value !== ''));
  for (const [name, value] of left) {
    const long = wide(value);
    if (long === null) continue;
    if (!text.includes(long)) return null;
    text = text.replace(long, () => `*${/^[0-9]+$/.test(name) ? '' : name}`);
    left.delete(name);
  }
  const parts = text.split('/');
  if (parts.length > SEGMENTS_MAX) return null;
  const given = withoutSlash(match.path).split('/');
  const whole = given.length === parts.length;
  for (let i = 1; whole && i < parts.length && left.size > 0; i++) {
    const changed = matchOf(layer, [...given.slice(0, i), PROBE, ...given.slice(i + 1)].join('/'));
    const name = changed === null ? undefined : [...left.keys()].find((key) => changed.params[key] === PROBE);
    if (name === undefined) continue;
    parts[i] = `:${name}`;
    left.delete(name);
  }
  return replaced(parts, left);
}

/**
 * Parameters that accept no probe are part of a segment or restricted to a form: their value is taken out of the text.
 */
function replaced(parts, left) {
  const names = [...left.keys()];
  for (let k = 0; k < names.length; k++) {
    const value = String(left.get(names[k]));
    const i = parts.findIndex((part) => !part.startsWith(':') && decoded(part).includes(value));
    if (i === -1) return null;
    // Not yet the name, which may look like the value of another parameter.
    parts[i] = decoded(parts[i]).replace(value, () => String.fromCharCode(TOKENS + k));
  }
  return parts.join('/').replace(/[\ue000-\uf8ff]/g, (token) => `:${names[token.charCodeAt(0) - TOKENS]}`);
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

module.exports = { matchOf, tailOf, stackOf, appStack, isList, mountTemplate };
