'use strict';
// Moves trace context and baggage between carriers (header objects, Map, Headers, pairs, raw header
// lists, or any object with a setter or getter) and the parsers of the core. Errors of a carrier
// are ignored; no function throws.

const { scan, setterOf, stateText } = require('./carrier.js');
const { impl } = require('./loader.js');
const { settings } = require('./runtime.js');

const NOTHING = Object.freeze({ context: null, baggage: '' });

let listed = ''; // the setting at its last reading
let names = new Set();

/** Whether this propagator is configured; always before the first init(). */
function propagates(name) {
  const list = settings().propagators;
  if (typeof list !== 'string') return true;
  if (list !== listed) {
    listed = list;
    names = new Set(list.split(','));
  }
  return names.has(name);
}

// ---- inject ------------------------------------------------------------------------------------

function write(carrier, context, baggage, setter) {
  const put = setterOf(carrier, setter);
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

/**
 * Writes a span context and baggage into a carrier and returns it; into a new object without one.
 * @param {object} [carrier]
 * @param {{traceId: string, spanId: string, traceFlags: number, traceState?: string}|null} context
 * @param {string} [baggage] as its header text
 * @param {Function|{set: Function}} [setter] (carrier, name, value)
 */
function inject(carrier, context, baggage, setter) {
  const into = carrier === undefined || carrier === null ? {} : carrier;
  try {
    if (typeof into === 'object' || typeof into === 'function')
      write(into, context, baggage, setter);
  } catch {
    // The carrier threw: the request is sent without the header.
  }
  return into;
}

// ---- extract -----------------------------------------------------------------------------------

function read(carrier, getter) {
  const found = scan(carrier, getter);
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
 * Reads a carrier: a span context or null, and baggage as header text ('' for none).
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
