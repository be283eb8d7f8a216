'use strict';
// inject(), extract() and runWithContext().

const propagation = require('./propagation.js');
const { Context, ROOT, current, storage } = require('./context.js');
const { Span, hasIds, spanOf } = require('./span.js');

/** Returns the context for a context, span or span context. Passes on what the object throws. */
function contextFrom(value) {
  if (value instanceof Span || value instanceof Context) return value;
  const span = spanOf(value);
  return span === null ? ROOT : span;
}

function injectFrom(carrier, context, setter) {
  const span = context.span;
  return propagation.inject(
    carrier,
    span !== null && hasIds(span) ? span : null,
    context.baggage,
    setter,
  );
}

/**
 * Writes traceparent, tracestate and baggage of the current or given context into the carrier, or
 * into a new object, and returns it. Carriers are objects, Headers, Map, lists of pairs, or any
 * object with a setter (carrier, name, value).
 */
function inject(carrier, context, setter) {
  let from = ROOT;
  try {
    from = context === undefined || context === null ? current() : contextFrom(context);
  } catch {
    // An unreadable object is not a context.
  }
  return injectFrom(carrier, from, setter);
}

/**
 * Reads a context for runWithContext() or the option `parent`; its span is null if no valid header
 * was found.
 */
function extract(carrier, getter) {
  const { context, baggage } = propagation.extract(carrier, getter);
  return new Context(context === null ? null : spanOf(context), baggage === '' ? null : baggage);
}

/**
 * Calls fn(...args) with a context, span or span context as the current one; returns its result.
 */
function runWithContext(context, fn, ...args) {
  if (typeof fn !== 'function') return undefined;
  let node;
  try {
    node = contextFrom(context);
  } catch {
    node = ROOT;
  }
  return storage.run(node, fn, ...args);
}

module.exports = require('./one.js')('propagate', {
  contextFrom,
  extract,
  inject,
  injectFrom,
  runWithContext,
});
