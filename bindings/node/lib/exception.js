'use strict';
// Type, message and stack of a thrown value as bounded texts. A value of any type can be thrown and
// its properties may run user code that throws; no function here throws.

const TEXT_MAX = 32768;
const ERRORS_MAX = 16; // per stack text: causes and parts, recursively

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

/** Returns the name of an error, or of its class if the name is that of the base class. */
function typeOf(error) {
  if (!isObject(error)) return typeof error;
  const name = read(error, 'name');
  if (named(name) && name !== 'Error') return textOf(name);
  const own = read(read(error, 'constructor') || {}, 'name');
  return named(own) && own !== 'Object' ? textOf(own) : named(name) ? name : 'object';
}

/** Returns the `errors` of an AggregateError as a list; empty for other errors. */
function partsOf(error) {
  const parts = isObject(error) ? read(error, 'errors') : undefined;
  try {
    return Array.isArray(parts) ? Array.prototype.slice.call(parts, 0, ERRORS_MAX) : [];
  } catch {
    return [];
  }
}

/**
 * Returns the message; without one, those of the parts, as for a host with several failed
 * addresses.
 */
function messageOf(error) {
  if (!isObject(error)) return textOf(error);
  const message = read(error, 'message');
  if (message !== undefined && message !== null && message !== '') return textOf(message);
  const messages = partsOf(error).map((part) =>
    textOf(isObject(part) ? read(part, 'message') : part),
  );
  return textOf([...new Set(messages)].filter(named).join('; '));
}

/** Returns the stack of one error. */
function linesOf(error) {
  const stack = isObject(error) ? read(error, 'stack') : undefined;
  if (named(stack)) return textOf(stack);
  if (!isObject(error)) return textOf(error);
  const message = messageOf(error);
  return message === '' ? typeOf(error) : `${typeOf(error)}: ${message}`;
}

function addStack(stack, link, error) {
  if (
    stack.errors.length >= ERRORS_MAX ||
    stack.text.length >= TEXT_MAX ||
    stack.errors.includes(error)
  )
    return;
  stack.errors.push(error);
  stack.text += link + linesOf(error);
  partsOf(error).forEach((part, i) => addStack(stack, `\n[errors ${i}]: `, part));
  const cause = isObject(error) ? read(error, 'cause') : undefined;
  if (cause !== undefined && cause !== null) addStack(stack, '\nCaused by: ', cause);
}

/** Returns the stack of the error, its parts and its causes; '' without a stack. */
function stackOf(error) {
  const stack = { text: '', errors: [] };
  if (isObject(error) && (named(read(error, 'stack')) || partsOf(error).length > 0))
    addStack(stack, '', error);
  return textOf(stack.text);
}

/** Whether an error, or its cause, is a timeout. */
function isTimeout(error) {
  for (let i = 0; i < 4 && isObject(error); i++) {
    if (read(error, 'name') === 'TimeoutError' || /TIMED?OUT/.test(textOf(read(error, 'code'))))
      return true;
    error = read(error, 'cause');
  }
  return false;
}

/** Whether an error is an abort, by the names that the platform, axios and got use. */
function isAbort(error) {
  return (
    isObject(error) &&
    (read(error, 'name') === 'AbortError' || read(error, 'code') === 'ERR_CANCELED')
  );
}

/** Whether an error is a cancellation, which is not a failure. An abort by a timeout is not one. */
function isCancellation(error) {
  return isAbort(error) && !isTimeout(error);
}

module.exports = { isAbort, isCancellation, isTimeout, messageOf, property: read, stackOf, typeOf };
