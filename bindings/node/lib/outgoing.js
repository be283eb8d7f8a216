'use strict';
// Outgoing requests of fetch, http and https carry trace context and baggage, when the application asks for it. A request is only
// ever given headers that it does not have; what cannot be done is left undone, and no request fails because of it.

const diagnostics = require('diagnostics_channel');
const { errorMonitor } = require('events');
const { syncBuiltinESMExports } = require('module');
const { current } = require('./context.js');
const { injectFrom } = require('./propagate.js');
const { failClient, setStatusCode, startClient } = require('./client_span.js');
const { isTimeout } = require('./exception.js');
const { isOfAgent } = require('./other_agents.js');

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

/** The span of a request, when spans are asked for; else null. */
function spanFor(options, method, origin, path) {
  return options.spans ? startClient(method, origin, path) : null;
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

/** The value of a header of undici's request by its lower-case name. */
function headerOf(request, name) {
  const { headers } = request;
  if (typeof headers === 'string') {
    const found = new RegExp(`(?:^|\\n)${name}: *([^\\r\\n]*)`, 'i').exec(headers);
    return found === null ? undefined : found[1];
  }
  if (!Array.isArray(headers)) return undefined;
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (String(headers[i]).toLowerCase() === name) return String(headers[i + 1]);
  }
  return undefined;
}

/** The calls that led here, as text. */
function callers() {
  const { stackTraceLimit } = Error;
  try {
    Error.stackTraceLimit = 50;
    const { stack } = new Error();
    Error.stackTraceLimit = stackTraceLimit;
    return typeof stack === 'string' ? stack : '';
  } catch {
    return ''; // a program that froze Error
  }
}

/**
 * Whether the caller gave a request up, for a reason of his own: through an AbortController, with what is no error of the system or of
 * undici, which have codes; or because nobody wants the rest of its body.
 */
function isGivenUp(error) {
  if (isTimeout(error)) return false;
  const stack = callers();
  if (/\breadableStreamCancel\b/.test(stack)) return true;
  const named = error !== null && typeof error === 'object' && typeof error.code === 'string';
  return !named && stack.includes('node:internal/abort_controller');
}

function fetchHandlers(options, spans) {
  const end = (request, failed, error) => {
    const span = spans.get(request);
    if (span === undefined) return;
    spans.delete(request);
    if (failed && !isGivenUp(error)) failClient(span, error);
    span.end();
  };
  return {
    'undici:request:create': ({ request }) => {
      const origin = originOf(String(request.origin));
      if (origin === '' || !options.allows(origin) || hasHeader(request, 'traceparent')) return;
      const method = String(request.method);
      const path = String(request.path);
      if (isOfAgent(method, path, (name) => headerOf(request, name))) return;
      const span = spanFor(options, method, origin, path);
      if (span !== null) spans.set(request, span);
      injectFrom(request, span === null ? current() : span, addHeader);
    },
    'undici:request:headers': ({ request, response }) => {
      const span = spans.get(request);
      if (span !== undefined) setStatusCode(span, response.statusCode);
    },
    'undici:request:trailers': ({ request }) => end(request, false),
    'undici:request:error': ({ request, error }) => end(request, true, error),
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
  const method = String(request.method);
  const path = String(request.path);
  if (isOfAgent(method, path, (name) => request.getHeader(name))) return;
  const span = spanFor(options, method, origin, path);
  injectFrom(request, span === null ? current() : span, setHeader);
  if (span !== null) follow(request, span);
}

/**
 * Ends the span with its request. Node tells of a request that its caller destroyed in the words of a connection that broke, so that
 * the call itself is watched.
 */
function follow(request, span) {
  let late = false;
  let called = false; // the caller destroyed it
  let given = false; // and named no error
  const { destroy } = request;
  request.destroy = function destroyed(error) {
    if (!request.destroyed) {
      called = true;
      given = !late && (error === undefined || error === null);
    }
    return destroy.call(this, error);
  };
  request.once('timeout', () => {
    late = true;
  });
  request.once(errorMonitor, (error) => {
    if (!given) failClient(span, late && !isTimeout(error) ? timeoutOf(error) : error);
  });
  request.once('close', () => {
    const { res } = request;
    if (res) {
      setStatusCode(span, res.statusCode);
      if (!res.complete && res.errored) {
        if (called && late) failClient(span, timeoutOf(res.errored));
        else if (!called && wasCut(request.socket)) failClient(span, res.errored);
      }
    }
    span.end();
  });
}

/** What the caller ended because it took too long. */
function timeoutOf(error) {
  return Object.assign(new Error('The request timed out', { cause: error }), { name: 'TimeoutError' });
}

/** Whether it was the other side that cut an answer off, and not the caller, who destroyed it. */
function wasCut(socket) {
  return !socket || socket.readableEnded || Boolean(socket.errored);
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

module.exports = require('./one.js')('outgoing', { instrumentOutgoing });
