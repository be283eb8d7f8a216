'use strict';
// Spans of generators: the span lasts until the generator is done, and is current in its body and
// nowhere else, however the steps of several of them are mixed.

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

/** One step of a generator that answers at once. */
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

/** One step of a generator that answers with a promise. */
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
 * A generator in the place of this one, which ends the span with it: when it is done, has thrown,
 * or was left.
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
