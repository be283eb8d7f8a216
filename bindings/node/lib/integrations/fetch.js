'use strict';
// Requests of the built-in fetch and of undici, by the channels that undici publishes on.

const diagnostics = require('diagnostics_channel');
const { failClient, setStatusCode } = require('../client_span.js');
const { current } = require('../context.js');
const { isTimeout } = require('../exception.js');
const { isOfAgent } = require('../other_agents.js');
const { originOf, quiet, spanFor } = require('../outgoing_call.js');
const { injectFrom } = require('../propagate.js');

/** Headers of undici's requests are lines of text or a flat list, depending on its version. */
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
 * Whether the caller gave a request up, for a reason of his own: through an AbortController, with
 * what is no error of the system or of undici, which have codes; or because nobody wants the rest
 * of its body.
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

/** Subscribes to the channels; returns the steps that undo it. */
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
