'use strict';
// Adds trace context and baggage to outgoing requests, if the application enables it. Existing
// headers are not changed, and no request fails because of telemetry. integrations/ contains the
// code for each library.

const { originOf } = require('./outgoing_call.js');

/**
 * Returns a filter for the option `origins`: all origins if it is not given; none if it is invalid.
 */
function allowList(origins) {
  if (origins === undefined || origins === null) return () => true;
  if (typeof origins === 'function') return (origin) => origins(origin) === true;
  const list = Array.isArray(origins) ? origins : [origins];
  const texts = new Set(list.filter((item) => typeof item === 'string').map(originOf));
  const patterns = list.filter((item) => item instanceof RegExp);
  return (origin) => texts.has(origin) || patterns.some((pattern) => origin.search(pattern) >= 0);
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
    options.allows = () => false; // an unreadable list allows nothing
  }
  return options;
}

/**
 * Adds traceparent, tracestate and baggage of the current context to requests of fetch, undici,
 * http and https.
 * @param {object} [options] fetch, http: false disables the module; origins: only to these
 * (strings, patterns, or a function); spans: a client span per request
 * @returns {() => void} ends the instrumentation
 */
function instrumentOutgoing(options) {
  const read = readOptions(options);
  const undo = [];
  if (read.fetch) undo.push(...require('./integrations/fetch.js').instrument(read));
  if (read.http) undo.push(...require('./integrations/http.js').instrument(read));
  return () => {
    for (const step of undo.splice(0)) step();
  };
}

module.exports = require('./one.js')('outgoing', { instrumentOutgoing });
