'use strict';
// What was thrown, as texts: the type, the message and the stack, taken at this moment and bounded.
// Anything can be thrown, so that every property may be user code that throws; nothing here does.

const TEXT_MAX = 32768;
const ERRORS_MAX = 16; // errors that one tells of: its causes and its parts, and theirs

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

/** The parts of an AggregateError and the like, as a list; empty for all others. */
function partsOf(error) {
  const parts = isObject(error) ? read(error, 'errors') : undefined;
  try {
    return Array.isArray(parts) ? Array.prototype.slice.call(parts, 0, ERRORS_MAX) : [];
  } catch {
    return [];
  }
}

/** Its message; those of its parts where it has none, as when no address of a host answered. */
function messageOf(error) {
  if (!isObject(error)) return textOf(error);
  const message = read(error, 'message');
  if (message !== undefined && message !== null && message !== '') return textOf(message);
  const messages = partsOf(error).map((part) =>
    textOf(isObject(part) ? read(part, 'message') : part),
  );
  return textOf([...new Set(messages)].filter(named).join('; '));
}

/** One error's own lines. */
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

/** The stack of the error, of its parts and of what caused them; '' for what has none. */
function stackOf(error) {
  const stack = { text: '', errors: [] };
  if (isObject(error) && (named(read(error, 'stack')) || partsOf(error).length > 0))
    addStack(stack, '', error);
  return textOf(stack.text);
}

/**
 * Whether an error says that something took too long, itself or as the reason for which it was
 * given up.
 */
function isTimeout(error) {
  for (let i = 0; i < 4 && isObject(error); i++) {
    if (read(error, 'name') === 'TimeoutError' || /TIMED?OUT/.test(textOf(read(error, 'code'))))
      return true;
    error = read(error, 'cause');
  }
  return false;
}

/**
 * Whether an error says that its operation was given up: the platform's words, and those of axios
 * and got.
 */
function isAbort(error) {
  return (
    isObject(error) &&
    (read(error, 'name') === 'AbortError' || read(error, 'code') === 'ERR_CANCELED')
  );
}

/**
 * A cancelled operation ended in order: no error. One that was given up because it took too long is
 * one.
 */
function isCancellation(error) {
  return isAbort(error) && !isTimeout(error);
}

module.exports = { isAbort, isCancellation, isTimeout, messageOf, property: read, stackOf, typeOf };
