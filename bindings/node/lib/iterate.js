'use strict';
// Spans of generators. The span ends with the generator and is current in its body only, also if
// steps of several generators alternate.

const { isGeneratorObject } = require('util/types');
const { fail } = require('./span.js');
const { storage } = require('./context.js');

const AsyncGeneratorPrototype = Object.getPrototypeOf(
  Object.getPrototypeOf((async function* none() {})()),
);

function isAsync(generator) {
  return AsyncGeneratorPrototype.isPrototypeOf(generator);
}

function close(span, error) {
  fail(span, error);
  span.end();
}

/** Runs one step of a synchronous generator. */
function step(span, generator, method, given) {
  let result;
  try {
    result = storage.run(span, Reflect.apply, generator[method], generator, given);
  } catch (error) {
    close(span, error);
    throw error;
  }
  if (result.done) span.end();
  return result;
}

/** Runs one step of an asynchronous generator. */
function stepLater(span, generator, method, given) {
  return storage.run(span, Reflect.apply, generator[method], generator, given).then(
    (result) => {
      if (result.done) span.end();
      return result;
    },
    (error) => {
      close(span, error);
      throw error;
    },
  );
}

/**
 * Returns a generator that wraps this one and ends the span when it is done, throws or is closed.
 */
function follow(span, generator) {
  const go = isAsync(generator) ? stepLater : step;
  const own = (method) => ({
    value: (...given) => go(span, generator, method, given),
    configurable: true,
    writable: true,
  });
  return Object.create(Object.getPrototypeOf(generator), {
    next: own('next'),
    return: own('return'),
    throw: own('throw'),
  });
}

module.exports = require('./one.js')('iterate', { follow, isGeneratorObject });
