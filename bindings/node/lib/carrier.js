'use strict';
// Carriers of trace context: header objects, Map, Headers, pairs, raw header lists, or any object
// with a setter or getter. Uses no Node API.

const FIELDS = ['traceparent', 'tracestate', 'baggage'];
const VALUES_MAX = 32;
const SCAN_MAX = 20000;

// ---- writing -----------------------------------------------------------------------------------

/** Returns a function (carrier, name, value) that writes into this carrier. */
function setterOf(carrier, setter) {
  if (typeof setter === 'function') return setter;
  if (setter !== null && typeof setter === 'object')
    return (into, name, value) => setter.set(into, name, value);
  if (Array.isArray(carrier)) {
    const flat = typeof carrier[0] === 'string';
    return (into, name, value) => (flat ? into.push(name, value) : into.push([name, value]));
  }
  if (typeof carrier.set === 'function') return (into, name, value) => into.set(name, value);
  if (typeof carrier.setHeader === 'function')
    return (into, name, value) => into.setHeader(name, value);
  return (into, name, value) => {
    into[name] = value;
  };
}

/** Returns a tracestate as text; that of OpenTelemetry has serialize(). */
function stateText(state) {
  if (typeof state === 'string') return state;
  if (state !== null && typeof state === 'object' && typeof state.serialize === 'function') {
    const text = state.serialize();
    return typeof text === 'string' ? text : '';
  }
  return '';
}

// ---- reading -----------------------------------------------------------------------------------

/** Returns the index of a header name, in any case and in CGI form; -1 for other headers. */
function fieldOf(name) {
  if (typeof name !== 'string' || name.length < 7 || name.length > 16) return -1;
  const lower = name.toLowerCase();
  return FIELDS.indexOf(lower.startsWith('http_') ? lower.slice(5) : lower);
}

function take(found, field, value) {
  if (field < 0) return;
  if (typeof value === 'string') {
    if (found[field].length < VALUES_MAX) found[field].push(value);
  } else if (Array.isArray(value)) {
    for (let i = 0; i < value.length && i < VALUES_MAX; i++) {
      if (typeof value[i] === 'string') take(found, field, value[i]);
    }
  }
}

function scanPairs(found, pairs) {
  let seen = 0;
  for (const pair of pairs) {
    if (++seen > SCAN_MAX) return;
    if (Array.isArray(pair) && pair.length === 2) take(found, fieldOf(pair[0]), pair[1]);
  }
}

function scanFlat(found, list) {
  for (let i = 0; i + 1 < list.length && i < SCAN_MAX; i += 2)
    take(found, fieldOf(list[i]), list[i + 1]);
}

function scanObject(found, carrier) {
  for (const name of Object.keys(carrier)) {
    const field = fieldOf(name);
    if (field >= 0) take(found, field, carrier[name]);
  }
}

function askGetter(found, carrier, getter) {
  for (let field = 0; field < FIELDS.length; field++) {
    const name = FIELDS[field];
    take(
      found,
      field,
      typeof getter === 'function' ? getter(carrier, name) : getter.get(carrier, name),
    );
  }
}

/**
 * Returns the values of traceparent, tracestate and baggage in a carrier, a list for each. Passes
 * on what the carrier throws.
 */
function scan(carrier, getter) {
  const found = [[], [], []];
  if (typeof getter === 'function' || (getter !== null && typeof getter === 'object')) {
    askGetter(found, carrier, getter);
  } else if (Array.isArray(carrier)) {
    if (typeof carrier[0] === 'string') scanFlat(found, carrier);
    else scanPairs(found, carrier);
  } else if (carrier instanceof Map || typeof carrier.entries === 'function') {
    scanPairs(found, carrier.entries());
  } else {
    scanObject(found, carrier);
  }
  return found;
}

module.exports = { scan, setterOf, stateText };
