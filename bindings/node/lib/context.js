'use strict';
// The current context, which follows `await`, timers and events. A context is an object with `span`
// (a Span or null) and `baggage` (header text or null). A span is itself a context, so making it
// current allocates nothing.

const { AsyncLocalStorage } = require('async_hooks');

const storage = new AsyncLocalStorage();

/** A context that is not a span. Must not be changed. */
class Context {
  constructor(span, baggage) {
    this.span = span;
    this.baggage = baggage;
  }
}

const ROOT = new Context(null, null);

/** Returns the current context, never undefined. */
function current() {
  const node = storage.getStore();
  return node === undefined ? ROOT : node;
}

/** Returns the current span or null. */
function currentSpan() {
  const node = storage.getStore();
  return node === undefined ? null : node.span;
}

/** Calls fn(...args) with `node` as the current context. */
function runWith(node, fn, ...args) {
  return storage.run(node, fn, ...args);
}

module.exports = require('./one.js')('context', {
  Context,
  ROOT,
  current,
  currentSpan,
  runWith,
  storage,
});
