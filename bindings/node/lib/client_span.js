'use strict';
// The client span of an outgoing HTTP request: its attributes and its result. A request that its
// caller aborted is not an error; a timeout is one.

const exception = require('./exception.js');
const log = require('./oplog.js');
const { ACTIVE, TRACES, startSpan } = require('./start.js');
const { settings } = require('./runtime.js');

const URL_MAX = 2048; // characters
const HIDDEN = 'REDACTED';

/** Returns a query with the names and without the values. */
function namesOnly(query) {
  return query
    .split('&')
    .map((part) => (part.includes('=') ? `${part.slice(0, part.indexOf('='))}=${HIDDEN}` : HIDDEN))
    .join('&');
}

/**
 * Returns the URL of a request without credentials, query values and fragment. `path` may be a full
 * URL, as for proxies.
 */
function addressOf(origin, path) {
  let place = path;
  let start = origin;
  if (!path.startsWith('/')) {
    if (!/^https?:\/\//i.test(path)) return origin;
    const url = new URL(path);
    start = url.origin;
    place = url.pathname + url.search;
  }
  const end = place.indexOf('#');
  if (end >= 0) place = place.slice(0, end);
  place = place.slice(0, URL_MAX);
  const query = place.indexOf('?');
  if (query < 0) return (start + place).slice(0, URL_MAX);
  const values = place.slice(query + 1);
  return `${start}${place.slice(0, query)}${values === '' ? '' : `?${namesOnly(values)}`}`.slice(
    0,
    URL_MAX,
  );
}

/**
 * Starts the span of a request to an origin; it does not become current. null while nothing is
 * recorded.
 */
function startClient(method, origin, path) {
  if ((log.control[ACTIVE] & TRACES) === 0) return null;
  const { semconv } = settings();
  const url = new URL(origin);
  const scheme = url.protocol.slice(0, -1);
  const port = Number(url.port) || (scheme === 'https' ? 443 : 80);
  const attributes = { 'url.full': addressOf(origin, path) };
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
  return startSpan(semconv === 'stable' ? method : 'http.client', attributes, { kind: 'client' });
}

function setStatusCode(span, status) {
  if (!(status > 0)) return;
  const { semconv } = settings();
  if (semconv !== 'stable') span.setAttribute('http.status_code', status);
  if (semconv === 'stable' || semconv === 'both')
    span.setAttribute('http.response.status_code', status);
  if (status >= 400) span.setAttribute('error.type', String(status)).setStatus('error');
}

/** Returns the error code of Node or undici, else the class of the error: low cardinality. */
function kindOf(error) {
  const code = exception.property(error, 'code');
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,63}$/.test(code)
    ? code
    : exception.typeOf(error);
}

/** Ends the span of a failed request; without an error if the caller aborted it. */
function failClient(span, error) {
  if (!span.isRecording() || exception.isCancellation(error)) return;
  // an abort that is not a cancellation is a timeout
  const type = exception.isAbort(error) ? 'TimeoutError' : kindOf(error);
  const message = exception.messageOf(error);
  span.recordException(error === undefined || error === null ? String(error) : error);
  span.setAttribute('error.type', type).setStatus('error', message);
}

module.exports = require('./one.js')('client_span', { failClient, setStatusCode, startClient });
