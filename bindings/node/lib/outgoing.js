'use strict';
// Outgoing requests of fetch, http and https carry trace context and baggage, when the application asks for it. A request is only
// ever given headers that it does not have; what cannot be done is left undone, and no request fails because of it.

const diagnostics = require('diagnostics_channel');
const { errorMonitor } = require('events');
const { syncBuiltinESMExports } = require('module');
const { current } = require('./context.js');
const { injectFrom } = require('./propagate.js');
const { INVALID } = require('./span.js');
const { startSpan } = require('./start.js');
const { settings } = require('./runtime.js');

const CLIENT = 3;
const HTTP_CREATED = 'http.client.request.created';

function originOf(text) {
  try {
    return new URL(text).origin;
  } catch {
    return '';
  }
}

/** What the option `origins` allows: everything when it is not given; nothing for what cannot be understood. */
function allowList(origins) {
  if (origins === undefined || origins === null) return () => true;
  if (typeof origins === 'function') return (origin) => origins(origin) === true;
  const list = Array.isArray(origins) ? origins : [origins];
  const texts = new Set(list.filter((item) => typeof item === 'string').map(originOf));
  const patterns = list.filter((item) => item instanceof RegExp);
  return (origin) => texts.has(origin) || patterns.some((pattern) => origin.search(pattern) >= 0);
}

// ---- the span of a request ---------------------------------------------------------------------------------------

/** Neither path nor query: they may name people. */
function startClient(method, origin) {
  const { semconv } = settings();
  const url = new URL(origin);
  const scheme = url.protocol.slice(0, -1);
  const port = Number(url.port) || (scheme === 'https' ? 443 : 80);
  const attributes = {};
  if (semconv !== 'stable') {
    Object.assign(attributes, {
      'http.method': method,
      'http.scheme': scheme,
      'net.peer.name': url.hostname,
      'net.peer.port': port,
    });
  }
  if (semconv === 'stable' || semconv === 'both') {
    Object.assign(attributes, {
      'http.request.method': method,
      'url.scheme': scheme,
      'server.address': url.hostname,
      'server.port': port,
    });
  }
  return startSpan(semconv === 'stable' ? method : 'http.client', attributes, { kind: CLIENT });
}

function setStatusCode(span, status) {
  if (!(status > 0)) return;
  const { semconv } = settings();
  if (semconv !== 'stable') span.setAttribute('http.status_code', status);
  if (semconv === 'stable' || semconv === 'both') span.setAttribute('http.response.status_code', status);
  if (status >= 400) span.setStatus('error');
}

function failClient(span, error) {
  if (!span.isRecording()) return;
  span.recordException(error);
  span.setStatus('error', error && typeof error.message === 'string' ? error.message : '');
}

// ---- fetch -------------------------------------------------------------------------------------------------------

/** Headers of undici's requests are lines of text or a flat list, depending on its version. */
function hasHeader(request, name) {
  const headers = request.headers;
  if (typeof headers === 'string') return new RegExp(`(^|\\n)${name}:`, 'i').test(headers);
  return Array.isArray(headers) && headers.some((item, i) => i % 2 === 0 && String(item).toLowerCase() === name);
}

function addHeader(request, name, value) {
  if (!hasHeader(request, name)) request.addHeader(name, value);
}

function fetchHandlers(options, spans) {
  const end = (request, error) => {
    const span = spans.get(request);
    if (span === undefined) return;
    spans.delete(request);
    if (error !== undefined) failClient(span, error);
    span.end();
  };
  return {
    'undici:request:create': ({ request }) => {
      const origin = originOf(String(request.origin));
      if (origin === '' || !options.allows(origin) || hasHeader(request, 'traceparent')) return;
      const span = options.spans ? startClient(String(request.method), origin) : INVALID;
      if (span !== INVALID) spans.set(request, span);
      injectFrom(request, span !== INVALID ? span : current(), addHeader);
    },
    'undici:request:headers': ({ request, response }) => {
      const span = spans.get(request);
      if (span !== undefined) setStatusCode(span, response.statusCode);
    },
    'undici:request:trailers': ({ request }) => end(request, undefined),
    'undici:request:error': ({ request, error }) => end(request, error),
  };
}

/** Whoever publishes on a channel must not see our errors. */
function quiet(handler) {
  return (message) => {
    try {
      handler(message);
    } catch {
      // The request goes on without trace context.
    }
  };
}

function installFetch(options) {
  const handlers = fetchHandlers(options, new WeakMap());
  const undo = [];
  for (const [name, handler] of Object.entries(handlers)) {
    const listener = quiet(handler);
    diagnostics.subscribe(name, listener);
    undo.push(() => diagnostics.unsubscribe(name, listener));
  }
  return undo;
}

// ---- http and https ----------------------------------------------------------------------------------------------

function originOfRequest(request) {
  const host = request.getHeader('host') || request.host;
  return originOf(`${request.protocol || 'http:'}//${host}`);
}

function setHeader(request, name, value) {
  if (!request.hasHeader(name)) request.setHeader(name, value);
}

/** A request that was just made. Its errors are only watched: who listens for them decides whether they are handled. */
function prepare(request, options) {
  if (request.headersSent || request.hasHeader('traceparent')) return;
  const origin = originOfRequest(request);
  if (origin === '' || !options.allows(origin)) return;
  const span = options.spans ? startClient(request.method, origin) : INVALID;
  injectFrom(request, span !== INVALID ? span : current(), setHeader);
  if (span === INVALID) return;
  request.once(errorMonitor, (error) => failClient(span, error));
  request.once('close', () => {
    if (request.res) setStatusCode(span, request.res.statusCode);
    span.end();
  });
}

/** Puts another function in place of a module's until the function that it returns is called. */
function replace(module, name, make) {
  const original = module[name];
  const state = { active: true };
  const wrapped = make(original, state);
  module[name] = wrapped;
  return () => {
    state.active = false; // somebody else may have wrapped ours meanwhile
    if (module[name] === wrapped) module[name] = original;
  };
}

function wrapRequest(options) {
  return (original, state) =>
    function request(...args) {
      const made = Reflect.apply(original, this, args);
      if (state.active) {
        try {
          prepare(made, options);
        } catch {
          // The request goes on without trace context.
        }
      }
      return made;
    };
}

/** get() sends at once, so that headers must come before it ends the request. */
function wrapGet(module) {
  return (original, state) =>
    function get(...args) {
      if (!state.active) return Reflect.apply(original, this, args);
      const made = Reflect.apply(module.request, this, args);
      made.end();
      return made;
    };
}

function publishesCreation() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  return major > 23 || (major === 23 && minor >= 2) || (major === 22 && minor >= 12);
}

function installHttp(options) {
  if (publishesCreation()) {
    const listener = quiet(({ request }) => prepare(request, options));
    diagnostics.subscribe(HTTP_CREATED, listener);
    return [() => diagnostics.unsubscribe(HTTP_CREATED, listener)];
  }
  const undo = [];
  for (const module of [require('http'), require('https')]) {
    undo.push(replace(module, 'request', wrapRequest(options)), replace(module, 'get', wrapGet(module)));
  }
  syncBuiltinESMExports();
  undo.push(syncBuiltinESMExports);
  return undo;
}

function readOptions(given) {
  const options = { fetch: true, http: true, spans: false, allows: () => true };
  try {
    if (given === null || typeof given !== 'object') return options;
    options.fetch = given.fetch !== false;
    options.http = given.http !== false;
    options.spans = given.spans === true;
    options.allows = allowList(given.origins);
  } catch {
    options.allows = () => false; // a list that cannot be read allows nothing
  }
  return options;
}

/**
 * Outgoing requests of the built-in fetch (and undici), http and https carry traceparent, tracestate and baggage of the current context.
 * @param {object} [options] fetch, http: false leaves them alone; origins: only to these (strings, patterns, or a function); spans: a
 *   client span for each request
 * @returns {() => void} ends it
 */
function instrumentOutgoing(options) {
  const read = readOptions(options);
  const undo = [];
  if (read.fetch) undo.push(...installFetch(read));
  if (read.http) undo.push(...installHttp(read));
  return () => {
    for (const step of undo.splice(0)) step();
  };
}

module.exports = { instrumentOutgoing };
