'use strict';
// The options of one middleware, listener or server: excluded paths, the path of its metrics, and
// the source of templates. Other applications of the process have separate ones.

const { excludes } = require('../../bindings/node/lib/http_server.js');

const SCRAPES_MAX = 16;
const PATHS_MAX = 1000; // bounds an endless iterable

/**
 * Returns the texts of an option: a comma-separated string or an iterable of strings. Unreadable
 * ones are skipped.
 */
function texts(given) {
  const found = [];
  try {
    for (const item of typeof given === 'string' ? given.split(',') : given || []) {
      if (typeof item === 'string' && item.trim() !== '') found.push(item.trim());
      if (found.length === PATHS_MAX) break;
    }
  } catch {
    return found;
  }
  return found;
}

function option(options, name) {
  try {
    return options === null || options === undefined ? undefined : options[name];
  } catch {
    return undefined;
  }
}

function textOf(value) {
  return typeof value === 'string' ? value : '';
}

/** Returns the path of a request target, without its query. */
function pathOf(url) {
  if (typeof url !== 'string') return '';
  const query = url.indexOf('?');
  const path = query === -1 ? url : url.slice(0, query);
  if (path.charCodeAt(0) === 47 || path === '') return path;
  const host = path.indexOf('://'); // absolute form, as sent to proxies
  if (host === -1) return path;
  const slash = path.indexOf('/', host + 3);
  return slash === -1 ? '/' : path.slice(slash);
}

class Recorder {
  /** options: {exclude, metricsPath, route}; routeOf(req, res) is used if there is no `route`. */
  constructor(options, routeOf) {
    const given = option(options, 'route');
    const metricsPath = option(options, 'metricsPath');
    const excluded = texts(option(options, 'exclude'));
    this.routeOf =
      typeof given === 'function'
        ? (req, res) => textOf(given(req, res)) || routeOf(req, res)
        : routeOf;
    this.metricsPath = typeof metricsPath === 'string' && metricsPath !== '' ? metricsPath : null;
    this.exact = new Set(excluded.filter((path) => !path.endsWith('*')));
    this.prefixes = excluded.filter((path) => path.endsWith('*')).map((path) => path.slice(0, -1));
    // owner (an application, or the recorder) -> paths that served scrapes
    this.scrapes = new Map();
  }

  isScrape(req) {
    return this.metricsPath !== null && pathOf(req.originalUrl || req.url) === this.metricsPath;
  }

  excludes(path, owner) {
    if (this.scrapes.size !== 0 && this.isScrapePath(path, owner)) return true;
    if (this.exact.size !== 0 && this.exact.has(path)) return true;
    for (let i = 0; i < this.prefixes.length; i++)
      if (path.startsWith(this.prefixes[i])) return true;
    return excludes(path);
  }

  isScrapePath(path, owner) {
    const paths = this.scrapes.get(owner === undefined ? this : owner);
    return paths !== undefined && paths.has(path);
  }

  /** Stops counting scrapes of this path. */
  noteScrape(path, owner) {
    const key = owner === undefined ? this : owner;
    let paths = this.scrapes.get(key);
    if (paths === undefined) {
      if (this.scrapes.size >= SCRAPES_MAX) return;
      this.scrapes.set(key, (paths = new Set()));
    }
    if (paths.size < SCRAPES_MAX) paths.add(path);
  }
}

module.exports = { Recorder, option, pathOf, textOf };
