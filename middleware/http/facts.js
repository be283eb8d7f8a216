'use strict';
// Properties of a request for the core (never its path, except for samplers), and the context that
// it carries if it is not recorded.

const http = require('http');
const { control } = require('../../bindings/node/lib/oplog.js');
const { extract } = require('../../bindings/node/lib/propagate.js');
const { ACTIVE, METRICS, TRACES } = require('../../bindings/node/lib/start.js');
const { pathOf, textOf } = require('./recorder.js');

const LENGTH = /^[0-9]{1,15}$/; // a safe integer

/**
 * Node joins header fields of one name with a comma, which hides a repeated, and therefore invalid,
 * traceparent.
 */
function traceparentOf(req, value) {
  if (value === undefined || value.indexOf(',') === -1) return value;
  const found = [];
  const raw = req.rawHeaders;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    if (raw[i].length === 11 && raw[i].toLowerCase() === 'traceparent') found.push(raw[i + 1]);
  }
  return found.length > 0 ? found : value;
}

/** Returns the input of samplers: [method, path, scheme, route]. */
function knownOf(req, scheme) {
  return [textOf(req.method), pathOf(textOf(req.originalUrl || req.url)), scheme, ''];
}

/** Whether anything of a request is recorded. */
function isActive() {
  return (control[ACTIVE] & (TRACES | METRICS)) !== 0;
}

/** Returns the context that a request carries; undefined without one. */
function carried(req) {
  const headers = req.headers;
  if (headers.traceparent === undefined && headers.baggage === undefined) return undefined;
  const { tracestate, baggage } = headers;
  const context = extract({
    traceparent: traceparentOf(req, headers.traceparent),
    tracestate,
    baggage,
  });
  return context.span === null && context.baggage === null ? undefined : context;
}

const METHODS = new Set(http.METHODS);
// unknown methods of HTTP/2 clients, cached for the life of the process
const others = new Set();
const OTHERS_MAX = 64;
const OTHER_LENGTH_MAX = 32;

/** Returns the method as sent; the number of unknown ones is limited. */
function methodOf(req) {
  const method = textOf(req.method);
  if (METHODS.has(method) || others.has(method)) return method;
  if (method.length > OTHER_LENGTH_MAX || others.size >= OTHERS_MAX) return '_OTHER';
  others.add(method);
  return method;
}

function bytesOf(exchange, req) {
  const length = req.headers['content-length'];
  if (length !== undefined) return LENGTH.test(length) ? Number(length) : -1;
  return exchange.received > 0 ? exchange.received : -1;
}

/** Returns http or https, as the client uses it if the framework trusts a proxy. */
function schemeOf(req) {
  const forwarded = req.headers['x-forwarded-proto'] !== undefined ? req.protocol : undefined;
  if (forwarded === 'http' || forwarded === 'https') return forwarded;
  return req.socket && req.socket.encrypted === true ? 'https' : 'http';
}

function versionOf(req) {
  const version = req.httpVersion;
  return version === '2.0' ? '2' : version === '3.0' ? '3' : version;
}

module.exports = {
  bytesOf,
  carried,
  isActive,
  knownOf,
  methodOf,
  schemeOf,
  traceparentOf,
  versionOf,
};
