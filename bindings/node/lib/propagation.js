'use strict';
// Trace context and baggage between carriers (header objects, Map, Headers, pairs, raw header lists, or anything with a setter or
// getter) and the core's parsers. A carrier that misbehaves is left alone; nothing here throws.

const { impl } = require('./loader.js');
const { settings } = require('./runtime.js');

const FIELDS = ['traceparent', 'tracestate', 'baggage'];
const VALUES_MAX = 32;
const SCAN_MAX = 20000;
const NOTHING = Object.freeze({ context: null, baggage: '' });

/** Whether the configured propagators have this one; all of them before the first init(). */
function propagates(name) {
  const list = settings().propagators;
  return typeof list !== 'string' || list.split(',').includes(name);
}

// ---- inject ---------------------------------------------------------------------------------------------------

function chooseSetter(carrier, setter) {
  if (typeof setter === 'function') return setter;
  if (setter !== null && typeof setter === 'object') return (into, name, value) => setter.set(into, name, value);
  if (Array.isArray(carrier)) {
    const flat = typeof carrier[0] === 'string';
    return (into, name, value) => (flat ? into.push(name, value) : into.push([name, value]));
  }
  if (typeof carrier.set === 'function') return (into, name, value) => into.set(name, value);
  if (typeof carrier.setHeader === 'function') return (into, name, value) => into.setHeader(name, value);
  return (into, name, value) => {
    into[name] = value;
  };
}

function write(carrier, context, baggage, setter) {
  const put = chooseSetter(carrier, setter);
  if (context !== null && typeof context === 'object' && propagates('tracecontext')) {
    const parent = impl.traceparentWrite(context.traceId, context.spanId, context.traceFlags);
    if (parent) {
      put(carrier, 'traceparent', parent);
      const state = stateText(context.traceState);
      if (state) put(carrier, 'tracestate', state);
    }
  }
  if (baggage && propagates('baggage')) {
    const text = impl.baggageText(baggage);
    if (text) put(carrier, 'baggage', text);
  }
}

/** A tracestate as text: ours is text already, OpenTelemetry's has serialize(). */
function stateText(state) {
  if (typeof state === 'string') return state;
  if (state !== null && typeof state === 'object' && typeof state.serialize === 'function') {
    const text = state.serialize();
    return typeof text === 'string' ? text : '';
  }
  return '';
}

/**
 * Writes a span context and baggage into a carrier and returns it; a new object without one.
 * @param {object} [carrier]
 * @param {{traceId: string, spanId: string, traceFlags: number, traceState?: string}|null} context
 * @param {string} [baggage] as its header text
 * @param {Function|{set: Function}} [setter] (carrier, name, value)
 */
function inject(carrier, context, baggage, setter) {
  const into = carrier === undefined || carrier === null ? {} : carrier;
  try {
    if (typeof into === 'object' || typeof into === 'function') write(into, context, baggage, setter);
  } catch {
    // The carrier refused: a request without the header is better than none.
  }
  return into;
}

// ---- extract --------------------------------------------------------------------------------------------------

/** Which field a header name is, in any case and in CGI's form; -1 for all others. */
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
  for (let i = 0; i + 1 < list.length && i < SCAN_MAX; i += 2) take(found, fieldOf(list[i]), list[i + 1]);
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
    take(found, field, typeof getter === 'function' ? getter(carrier, name) : getter.get(carrier, name));
  }
}

function scan(found, carrier, getter) {
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
}

function read(carrier, getter) {
  const found = [[], [], []];
  scan(found, carrier, getter);
  let context = null;
  if (found[0].length > 0 && propagates('tracecontext')) {
    const parent = impl.extract(found[0], found[1]);
    if (parent !== null) {
      const { traceId, spanId, flags, state } = parent;
      context = { traceId, spanId, traceFlags: flags, traceState: state, isRemote: true };
    }
  }
  const baggage = found[2].length > 0 && propagates('baggage') ? impl.baggageText(found[2]) : '';
  return { context, baggage };
}

/**
 * What a carrier brought: a span context or null, and baggage as its header text ('' for none).
 * @param {object} carrier
 * @param {Function|{get: Function}} [getter] (carrier, name) -> string | string[] | undefined
 */
function extract(carrier, getter) {
  try {
    return carrier !== null && typeof carrier === 'object' ? read(carrier, getter) : NOTHING;
  } catch {
    return NOTHING;
  }
}

module.exports = require('./one.js')('propagation', { extract, inject, propagates });
