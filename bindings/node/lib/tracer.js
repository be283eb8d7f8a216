'use strict';
// Spans around functions, the current span, and tracers. The function's result and its error pass through as they are, whatever
// happens to the span.

const log = require('./oplog.js');
const { isPromise } = require('util/types');
const { INVALID, fail } = require('./span.js');
const { storage } = require('./context.js');
const { ACTIVE, TRACES, startScoped } = require('./start.js');

const { control } = log;

/** Waits for what the function returned; the answer is a promise with the same outcome. */
function settle(span, promise) {
  return promise.then(
    (value) => {
      span.end();
      return value;
    },
    (error) => {
      fail(span, error);
      span.end();
      throw error;
    },
  );
}

/** A promise, or an object that is used like one; a promise of ours stands for the latter, whose then() may have effects. */
function promiseOf(result) {
  if (isPromise(result)) return result;
  if (result === null || (typeof result !== 'object' && typeof result !== 'function')) return null;
  try {
    return typeof result.then === 'function' ? Promise.resolve(result) : null;
  } catch {
    return null;
  }
}

function runSpan(span, fn) {
  let result;
  try {
    result = fn(span);
  } catch (error) {
    fail(span, error);
    span.end();
    throw error;
  }
  const promise = typeof result === 'object' || typeof result === 'function' ? promiseOf(result) : null;
  if (promise !== null) return settle(span, promise);
  span.end();
  return result;
}

function withScoped(name, attributes, options, fn, scope) {
  if (typeof attributes === 'function') {
    fn = attributes;
    attributes = undefined;
    options = undefined;
  } else if (typeof options === 'function') {
    fn = options;
    options = undefined;
  }
  if (typeof fn !== 'function') return undefined;
  const span = startScoped(name, attributes, options, scope);
  // Without ids it never becomes current, so that a remote context beneath it stays visible.
  if (span === INVALID) return fn(span);
  if ((control[ACTIVE] & TRACES) === 0) return storage.run(span, fn, span);
  return storage.run(span, runSpan, span, fn);
}

/**
 * Calls fn(span) with a new span as the current one and ends it when fn returns or throws, or when its promise is settled. An error
 * is recorded and passes through as it is. Returns what fn returns; for a promise one with the same outcome.
 * withSpan(name, fn), withSpan(name, attributes, fn), withSpan(name, attributes, options, fn)
 */
function withSpan(name, attributes, options, fn) {
  return withScoped(name, attributes, options, fn, 0);
}

/**
 * Wraps a function: each call is a span of this name, or of the function's own. traced(fn), traced(name, fn)
 */
function traced(name, fn) {
  if (typeof name === 'function') {
    fn = name;
    name = fn.name;
  }
  if (typeof fn !== 'function') return fn;
  return function tracedFunction(...args) {
    return withScoped(name, () => fn.apply(this, args), undefined, undefined, 0);
  };
}

/** The current span; one without ids that records nothing when there is none. */
function getCurrentSpan() {
  const node = storage.getStore();
  return node === undefined || node.span === null ? INVALID : node.span;
}

// ---- tracers -----------------------------------------------------------------------------------------------------

/** Starts spans under the name of an instrumentation scope. The order of arguments is OpenTelemetry's. */
class Tracer {
  constructor(scope) {
    this.scope = scope; // name, or name \x1f version
  }

  startSpan(name, options, context) {
    return startScoped(name, undefined, withParent(options, context), scopeSymbol(this.scope));
  }

  /** As withSpan(), except that fn ends the span. startActiveSpan(name, [options], [context], fn) */
  startActiveSpan(name, options, context, fn) {
    const body = [options, context, fn].find((item) => typeof item === 'function');
    if (body === undefined) return undefined;
    const own = typeof options === 'function' ? undefined : options;
    const span = this.startSpan(name, own, typeof context === 'function' || body === options ? undefined : context);
    return span === INVALID ? body(span) : storage.run(span, body, span);
  }

  withSpan(name, attributes, options, fn) {
    return withScoped(name, attributes, options, fn, scopeSymbol(this.scope));
  }
}

/** The options with another parent, without reading any of them. */
function withParent(options, context) {
  if (context === undefined || context === null) return options;
  const base = typeof options === 'object' ? options : null;
  return Object.create(base, { parent: { value: context } });
}

function scopeSymbol(text) {
  if ((control[ACTIVE] & TRACES) === 0) return 0;
  const symbol = log.symbolOf(text, log.NAMES);
  return symbol < 0 ? 0 : symbol;
}

function scopeText(name, version) {
  const text = typeof name === 'string' ? name.replaceAll('\x1f', ' ') : '';
  return typeof version === 'string' && version !== '' ? `${text}\x1f${version}` : text;
}

/**
 * A tracer for one instrumentation scope. Never throws for a value.
 * @param {string} [name] @param {string} [version]
 */
function getTracer(name, version) {
  return new Tracer(scopeText(name, version));
}

module.exports = { Tracer, getCurrentSpan, getTracer, traced, withSpan };
