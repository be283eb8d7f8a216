'use strict';
// Spans around functions, the current span, and tracers. Result and error of a function are passed
// on unchanged.

const log = require('./oplog.js');
const { isPromise } = require('util/types');
const { INVALID, fail } = require('./span.js');
const { storage } = require('./context.js');
const { follow, isGeneratorObject } = require('./iterate.js');
const { scopeText } = require('./scope.js');
const { ACTIVE, TRACES, offContext, offSpan, startScoped } = require('./start.js');

const { control } = log;

/** Ends the span with a promise; returns a promise with the same outcome. */
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

/** Returns a promise or a thenable as a promise, or null. A then() may have side effects. */
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
  if (typeof result === 'object' || typeof result === 'function') {
    if (isGeneratorObject(result)) return follow(span, result);
    const promise = promiseOf(result);
    if (promise !== null) return settle(span, promise);
  }
  span.end();
  return result;
}

/**
 * Calls the function while nothing is recorded, in the context that its span would have as parent.
 */
function runOff(options, fn) {
  const store = storage.getStore();
  if (options === undefined || options === null)
    return fn(store === undefined ? INVALID : offSpan(store));
  const node = offContext(options);
  return node === store ? fn(offSpan(node)) : storage.run(node, fn, offSpan(node));
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
  if ((control[ACTIVE] & TRACES) === 0) return runOff(options, fn);
  const span = startScoped(name, attributes, options, scope);
  return storage.run(span, runSpan, span, fn);
}

/**
 * Calls fn(span) with a new span as the current one. The span ends when fn returns or throws, or
 * when its promise settles or its generator ends. An error is recorded and thrown again. Returns
 * the result of fn; a promise or generator is replaced by an equivalent one. withSpan(name, fn),
 * withSpan(name, attributes, fn), withSpan(name, attributes, options, fn)
 */
function withSpan(name, attributes, options, fn) {
  return withScoped(name, attributes, options, fn, 0);
}

/**
 * Copies the properties of a function: Express reads the number of parameters, and frameworks store
 * settings on functions.
 */
function dressLike(wrapped, fn) {
  try {
    const own = Object.getOwnPropertyDescriptors(fn);
    for (const key of Reflect.ownKeys(own)) {
      const place = Object.getOwnPropertyDescriptor(wrapped, key);
      if (place === undefined || place.configurable) Reflect.defineProperty(wrapped, key, own[key]);
      else if (place.writable && 'value' in own[key]) wrapped[key] = own[key].value; // prototype
    }
    Object.setPrototypeOf(wrapped, Object.getPrototypeOf(fn));
  } catch {
    // A proxy that throws for its properties: only the call is wrapped.
  }
  return wrapped;
}

/**
 * Wraps a function: each call is a span with this name, or with that of the function. The result
 * has the same name, number of parameters and properties, and supports `new` if the function does.
 * traced(fn), traced(name, fn)
 */
function traced(name, fn) {
  if (typeof name === 'function') {
    fn = name;
    name = fn.name;
  }
  if (typeof fn !== 'function') return fn;
  function tracedFunction(...args) {
    const target = new.target;
    const call =
      target === undefined
        ? () => Reflect.apply(fn, this, args)
        : () => Reflect.construct(fn, args, target === tracedFunction ? fn : target);
    return withScoped(name, call, undefined, undefined, 0);
  }
  return dressLike(tracedFunction, fn);
}

/** Returns the current span; without one, a span without ids that records nothing. */
function getCurrentSpan() {
  const node = storage.getStore();
  return node === undefined || node.span === null ? INVALID : node.span;
}

// ---- tracers -----------------------------------------------------------------------------------

/** Starts spans under an instrumentation scope. Arguments are in the order of OpenTelemetry. */
class Tracer {
  #text;
  #symbol = 0;

  constructor(name, version, options) {
    this.#text = scopeText(name, version, options);
  }

  startSpan(name, options, context) {
    return startScoped(name, undefined, withParent(options, context), Tracer.#symbolOf(this));
  }

  /** As withSpan(), but fn ends the span. startActiveSpan(name, [options], [context], fn) */
  startActiveSpan(name, options, context, fn) {
    const body = [options, context, fn].find((item) => typeof item === 'function');
    if (body === undefined) return undefined;
    const own = typeof options === 'function' ? undefined : options;
    const parent = typeof context === 'function' || body === options ? undefined : context;
    if ((control[ACTIVE] & TRACES) === 0) return runOff(withParent(own, parent), body);
    const span = startScoped(name, undefined, withParent(own, parent), Tracer.#symbolOf(this));
    return storage.run(span, body, span);
  }

  withSpan(name, attributes, options, fn) {
    return withScoped(name, attributes, options, fn, Tracer.#symbolOf(this));
  }

  /**
   * Returns the symbol of the scope of a tracer; 0 without a name, while nothing is recorded, and
   * for methods without their tracer.
   */
  static #symbolOf(tracer) {
    if (
      (control[ACTIVE] & TRACES) === 0 ||
      tracer === null ||
      typeof tracer !== 'object' ||
      !(#text in tracer)
    )
      return 0;
    if (tracer.#symbol === 0 && tracer.#text !== '')
      tracer.#symbol = Math.max(0, log.scopeSymbol(tracer.#text));
    return tracer.#symbol;
  }
}

/** Returns the options with another parent, without reading them. */
function withParent(options, context) {
  if (context === undefined || context === null) return options;
  const base = typeof options === 'object' ? options : null;
  return Object.create(base, { parent: { value: context } });
}

/**
 * Returns a tracer for an instrumentation scope. Never throws for a value.
 * @param {string} [name]
 * @param {string} [version]
 * @param {{schemaUrl?: string, attributes?: object}} [options]
 */
function getTracer(name, version, options) {
  return new Tracer(name, version, options);
}

module.exports = require('./one.js')('tracer', {
  Tracer,
  getCurrentSpan,
  getTracer,
  traced,
  withSpan,
});
