'use strict';
// What was thrown, as texts: the type, the message and the stack, taken at this moment and bounded. Anything can be thrown, so that
// every property may be user code that throws; nothing here does.

const TEXT_MAX = 32768;
const CAUSES_MAX = 8;

function read(object, name) {
  try {
    return object[name];
  } catch {
    return undefined;
  }
}

function textOf(value) {
  try {
    const text = typeof value === 'string' ? value : String(value);
    return text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}...` : text;
  } catch {
    return '';
  }
}

function isObject(value) {
  return value !== null && (typeof value === 'object' || typeof value === 'function');
}

function named(text) {
  return typeof text === 'string' && text !== '';
}

/** The name of an error; that of its class where the author left the name of the base class. */
function typeOf(error) {
  if (!isObject(error)) return typeof error;
  const name = read(error, 'name');
  if (named(name) && name !== 'Error') return textOf(name);
  const own = read(read(error, 'constructor') || {}, 'name');
  return named(own) && own !== 'Object' ? textOf(own) : named(name) ? name : 'object';
}

function messageOf(error) {
  if (!isObject(error)) return textOf(error);
  const message = read(error, 'message');
  return message === undefined || message === null ? '' : textOf(message);
}

/** The stack of the error and of what caused it. */
function stackOf(error) {
  let text = '';
  let link = '';
  for (let i = 0; i < CAUSES_MAX && isObject(error) && text.length < TEXT_MAX; i++) {
    const stack = read(error, 'stack');
    if (!named(stack)) break;
    text += link + textOf(stack);
    link = '\nCaused by: ';
    error = read(error, 'cause');
  }
  return textOf(text);
}

/** A cancelled operation ended in order: no error. */
function isCancellation(error) {
  return isObject(error) && read(error, 'name') === 'AbortError';
}

module.exports = { isCancellation, messageOf, stackOf, typeOf };
