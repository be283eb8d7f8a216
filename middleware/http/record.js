'use strict';
// One HTTP request of a Node server from its first byte to the last of its answer: begun when the server hands it over,
// recorded once when the response closes. What is recorded of it is the core's decision. Nothing here ever throws into
// the application, holds a raw path, or changes what the application sees.

const {
  startRequest,
  endRequest,
  excludes,
  wantsRequest,
  FAILED,
  DISCONNECTED,
} = require('../../bindings/node/lib/http_server.js');

// Properties of the listener that waits for a response to close. Not of the response: Express gives that another
// prototype, and one more property on such an object costs some engines more than the whole recording. REQUEST is null
// once it was recorded.
const REQUEST = Symbol.for('djp_telemetry.request');
const ROUTE = Symbol.for('djp_telemetry.route');
const ERROR = Symbol.for('djp_telemetry.error');
const RECEIVED = Symbol.for('djp_telemetry.received');

const SCRAPES_MAX = 16;
const scrapes = new Set(); // paths at which a scrape was answered
const PATHS_MAX = 1000; // an endless iterable ends here
const LENGTH = /^[0-9]{1,15}$/; // every such number is exact
const CLASS_NAME = /^[\w.$]{1,100}$/;

/**
 * Texts of an option: a comma-separated string or any iterable of strings. Whatever cannot be read counts as absent.
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

/** The path of a request target, without its query. */
function pathOf(url) {
  if (typeof url !== 'string') return '';
  const query = url.indexOf('?');
  const path = query === -1 ? url : url.slice(0, query);
  if (path.charCodeAt(0) === 47 || path === '') return path;
  const host = path.indexOf('://'); // the absolute form that proxies are sent
  if (host === -1) return path;
  const slash = path.indexOf('/', host + 3);
  return slash === -1 ? '/' : path.slice(slash);
}

/** What one middleware, listener or server was told. */
class Recorder {
  /** options: {exclude, metricsPath, route}; routeOf(req, res) answers when there is no `route`. */
  constructor(options, routeOf) {
    const given = option(options, 'route');
    const metricsPath = option(options, 'metricsPath');
    const excluded = texts(option(options, 'exclude'));
    this.routeOf = typeof given === 'function' ? (req, res) => textOf(given(req, res)) || routeOf(req, res) : routeOf;
    this.metricsPath = typeof metricsPath === 'string' && metricsPath !== '' ? metricsPath : null;
    this.exact = new Set(excluded.filter((path) => !path.endsWith('*')));
    this.prefixes = excluded.filter((path) => path.endsWith('*')).map((path) => path.slice(0, -1));
  }

  isScrape(req) {
    return this.metricsPath !== null && pathOf(req.originalUrl || req.url) === this.metricsPath;
  }

  excludes(path) {
    if (scrapes.size !== 0 && scrapes.has(path)) return true;
    if (this.exact.size !== 0 && this.exact.has(path)) return true;
    for (let i = 0; i < this.prefixes.length; i++) if (path.startsWith(this.prefixes[i])) return true;
    return excludes(path);
  }
}

function textOf(value) {
  return typeof value === 'string' ? value : '';
}

/** Node joins fields of one name with a comma, which hides that a traceparent came twice and means nothing. */
function traceparentOf(req, value) {
  if (value === undefined || value.indexOf(',') === -1) return value;
  const found = [];
  const raw = req.rawHeaders;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    if (raw[i].length === 11 && raw[i].toLowerCase() === 'traceparent') found.push(raw[i + 1]);
  }
  return found.length > 0 ? found : value;
}

/** Counts what a body without a length brings, as the server hands it on. */
function countedPush(chunk, encoding) {
  if (chunk !== null && chunk !== undefined) this[RECEIVED] += chunk.length;
  return Object.getPrototypeOf(this).push.call(this, chunk, encoding);
}

/** A response that waits behind others of its connection hears nothing when that connection dies: its request does. */
function watchQueued(req, res, listener) {
  req.on('close', () => {
    if (req.socket && req.socket.destroyed && !res.writableFinished) listener();
  });
}

/** Records the request when its response closes. */
function watch(res, request, routeOf) {
  const listener = () => finish(res, listener, routeOf);
  listener[REQUEST] = request;
  listener[ROUTE] = undefined;
  listener[ERROR] = undefined;
  res.on('close', listener);
  return listener;
}

/** The listener that records this response, or undefined. */
function watcherOf(res) {
  if (res.listenerCount('close') === 0) return undefined;
  for (const listener of res.listeners('close')) if (listener[REQUEST] !== undefined) return listener;
  return undefined;
}

/** What a sampler may look at: [method, path, scheme, route]. */
function knownOf(req, scheme) {
  return [textOf(req.method), pathOf(textOf(req.originalUrl || req.url)), scheme, ''];
}

/**
 * Begins to record a request. Returns it, for runRequest, or null when it is not recorded here: telemetry is off, the
 * path is excluded, or something further out records it already.
 */
function begin(recorder, req, res) {
  try {
    const outer = watcherOf(res);
    if (outer !== undefined) {
      if (outer[ROUTE] === undefined) outer[ROUTE] = recorder.routeOf;
      return null;
    }
    if (recorder.excludes(pathOf(req.originalUrl || req.url))) return null;
    const headers = req.headers;
    const known = wantsRequest() ? knownOf(req, schemeOf(req)) : undefined;
    const trace = traceparentOf(req, headers.traceparent);
    const request = startRequest(trace, headers.tracestate, headers.baggage, false, known);
    if (request === null) return null;
    const listener = watch(res, request, recorder.routeOf);
    if (res.socket === null) watchQueued(req, res, listener);
    if (headers['transfer-encoding'] !== undefined) {
      req[RECEIVED] = 0;
      req.push = countedPush;
    }
    return request;
  } catch {
    return null;
  }
}

function bytesOf(req) {
  const length = req.headers['content-length'];
  if (length !== undefined) return LENGTH.test(length) ? Number(length) : -1;
  return req[RECEIVED] > 0 ? req[RECEIVED] : -1;
}

/** http or https, as the client sees it where the framework was told to trust a proxy. */
function schemeOf(req) {
  const forwarded = req.headers['x-forwarded-proto'] !== undefined ? req.protocol : undefined;
  if (forwarded === 'http' || forwarded === 'https') return forwarded;
  return req.socket && req.socket.encrypted === true ? 'https' : 'http';
}

function versionOf(req) {
  const version = req.httpVersion;
  return version === '2.0' ? '2' : version === '3.0' ? '3' : version;
}

/** The name of an error's class, or 'Error' for whatever else was thrown. */
function classOf(error) {
  try {
    const name = error.name || error.constructor.name;
    if (typeof name === 'string' && CLASS_NAME.test(name)) return name;
  } catch {
    return 'Error';
  }
  return 'Error';
}

/** The template, from what stands nearest to the handler; '' when none matched or finding it failed. */
function routeText(req, res, listener, routeOf) {
  try {
    const inner = listener[ROUTE];
    return (inner !== undefined && textOf(inner(req, res))) || textOf(routeOf(req, res));
  } catch {
    return '';
  }
}

/** Records a request whose response has closed. */
function finish(res, listener, routeOf) {
  const request = listener[REQUEST];
  if (request === null) return;
  listener[REQUEST] = null;
  try {
    const req = res.req;
    const route = routeText(req, res, listener, routeOf);
    const status = res.headersSent ? res.statusCode : 0;
    const complete = res.writableFinished;
    let flags = complete ? 0 : DISCONNECTED;
    let errorType = '';
    if (status >= 500 || listener[ERROR] !== undefined) {
      const error = errorOf(req, listener, status, complete);
      if (error !== undefined) {
        flags = FAILED; // a connection that is cut after an error is the server's doing
        errorType = classOf(error);
        request.recordException(error);
      }
    }
    endRequest(request, req.method, route, schemeOf(req), versionOf(req), status, flags, errorType, bytesOf(req));
  } catch {
    // A request object of another shape is not ours to break.
  }
}

// Express 5.3 keeps what was given to next(error) under this name, also when an error handler of the application
// answered.
const SEEN_ERRORS = Symbol.for('router.tracing.publishedErrors');

/** The error that made the answer what it is, or undefined: one that was answered with less than 500 is no failure. */
function errorOf(req, listener, status, complete) {
  if (status < 500 && complete) return undefined;
  if (listener[ERROR] !== undefined) return listener[ERROR].error;
  const seen = req[SEEN_ERRORS];
  let last;
  if (seen instanceof Set) for (const error of seen) last = error;
  return last;
}

/**
 * Remembers the error that a request failed with; its class and stack belong to the span if the answer is 500 or more.
 */
function noteError(res, error) {
  try {
    const listener = error !== undefined && error !== null ? watcherOf(res) : undefined;
    if (listener !== undefined && listener[ERROR] === undefined) listener[ERROR] = { error };
  } catch {
    // A response of another shape is recorded without its error.
  }
}

/** The scrapes of this path are not to be counted from now on. */
function noteScrape(req) {
  if (scrapes.size < SCRAPES_MAX) scrapes.add(pathOf(req.originalUrl || req.url));
}

module.exports = {
  Recorder,
  noteScrape,
  begin,
  knownOf,
  noteError,
  option,
  pathOf,
  schemeOf,
  textOf,
  traceparentOf,
  versionOf,
};
