'use strict';
// Client spans and headers for the built-in fetch and undici, from the diagnostics channels of
// undici.

const diagnostics = require('diagnostics_channel');
const { isTimeout } = require('../exception.js');
const { isOfAgent } = require('../other_agents.js');
const { begin, contextOf, originOf, quiet } = require('../outgoing_call.js');
const { injectFrom } = require('../propagate.js');

/** Headers of a request are header text or a flat list, depending on the version of undici. */
function hasHeader(request, name) {
  const headers = request.headers;
  if (typeof headers === 'string') return new RegExp(`(^|\\n)${name}:`, 'i').test(headers);
  return (
    Array.isArray(headers) &&
    headers.some((item, i) => i % 2 === 0 && String(item).toLowerCase() === name)
  );
}

function addHeader(request, name, value) {
  if (!hasHeader(request, name)) request.addHeader(name, value);
}

/** Returns the value of a request header by its lower-case name. */
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

/** Returns the call stack as text. */
function callers() {
  const { stackTraceLimit } = Error;
  try {
    Error.stackTraceLimit = 50;
    const { stack } = new Error();
    Error.stackTraceLimit = stackTraceLimit;
    return typeof stack === 'string' ? stack : '';
  } catch {
    return ''; // the program froze Error
  }
}

/**
 * Whether the caller aborted the request: by an AbortController with an error that has no code
 * (those of the system and of undici have one), or by cancelling the response body.
 */
function isGivenUp(error) {
  if (isTimeout(error)) return false;
  const stack = callers();
  if (/\breadableStreamCancel\b/.test(stack)) return true;
  const named = error !== null && typeof error === 'object' && typeof error.code === 'string';
  return !named && stack.includes('node:internal/abort_controller');
}

function fetchHandlers(options, calls) {
  const end = (request, failed, error) => {
    const call = calls.get(request);
    if (call === undefined) return;
    calls.delete(request);
    if (failed && !isGivenUp(error)) call.fail(error);
    call.end();
  };
  return {
    'undici:request:create': ({ request }) => {
      const origin = originOf(String(request.origin));
      if (origin === '' || !options.allows(origin) || hasHeader(request, 'traceparent')) return;
      const method = String(request.method);
      const path = String(request.path);
      if (isOfAgent(method, path, (name) => headerOf(request, name))) return;
      const call = begin(options, method, origin, path);
      if (call !== null) calls.set(request, call);
      injectFrom(request, contextOf(call), addHeader);
    },
    'undici:request:headers': ({ request, response }) => {
      const call = calls.get(request);
      if (call !== undefined) call.respond(response.statusCode);
    },
    'undici:request:trailers': ({ request }) => end(request, false),
    'undici:request:error': ({ request, error }) => end(request, true, error),
  };
}

/** Subscribes to the channels; returns functions that unsubscribe. */
function instrument(options) {
  const handlers = fetchHandlers(options, new WeakMap());
  const undo = [];
  for (const [name, handler] of Object.entries(handlers)) {
    const listener = quiet(handler);
    diagnostics.subscribe(name, listener);
    undo.push(() => diagnostics.unsubscribe(name, listener));
  }
  return undo;
}

module.exports = { instrument };
