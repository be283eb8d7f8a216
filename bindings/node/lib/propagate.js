'use strict';
// inject(), extract() and runWithContext(): the current context on its way in and out of carriers.

const propagation = require('./propagation.js');
const { Context, ROOT, current, storage } = require('./context.js');
const { Span, hasIds, spanOf } = require('./span.js');

/**
 * The context that an argument stands for: one of ours, a span, or a span context. May throw what
 * the object throws.
 */
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
 * Writes traceparent, tracestate and baggage of the current context, or of the given one, into the
 * carrier and returns it; into a new object without one. Carriers are objects, Headers, Map, lists
 * of pairs, or anything with a setter (carrier, name, value).
 */
function inject(carrier, context, setter) {
  let from = ROOT;
  try {
    from = context === undefined || context === null ? current() : contextFrom(context);
  } catch {
    // An object that cannot be read is no context.
  }
  return injectFrom(carrier, from, setter);
}

/**
 * Reads them: a context for runWithContext() or the option `parent`; without a span when nothing
 * valid is there.
 */
function extract(carrier, getter) {
  const { context, baggage } = propagation.extract(carrier, getter);
  return new Context(context === null ? null : spanOf(context), baggage === '' ? null : baggage);
}

/**
 * Calls fn(...args) with this context, span or span context as the current one; returns what it
 * returns.
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
