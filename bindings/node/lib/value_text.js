'use strict';
// Text of objects without a counterpart in OTLP: their string form, or their fields. Calls their
// code, which may throw; the caller catches.

const { inspect } = require('util');

const FIELDS_MAX = 32;
const NAME_MAX = 64;
const SHALLOW = {
  depth: 0,
  customInspect: false,
  maxArrayLength: 16,
  maxStringLength: 256,
  breakLength: Infinity,
  compact: true,
};

/** Whether an object has a string form other than the inherited default, of any realm. */
function hasWords(object) {
  if (typeof object[Symbol.toPrimitive] === 'function') return true;
  const { toString } = object;
  if (typeof toString !== 'function') return false;
  let base = object;
  for (let above = base; above !== null; above = Object.getPrototypeOf(base)) {
    base = above;
    if (Object.getPrototypeOf(base) === null) break;
  }
  return toString !== base.toString;
}

/** Returns a small object of a class as Order(n=1, name='a'); null for a larger one. */
function fieldsText(object, prototype) {
  const above = Object.getPrototypeOf(prototype);
  if (above === null || Object.getPrototypeOf(above) !== null) return null;
  const { name } = prototype.constructor;
  const keys = Object.keys(object);
  if (typeof name !== 'string' || name === '' || keys.length === 0 || keys.length > FIELDS_MAX)
    return null;
  const fields = keys.map((key) => {
    const field = Object.getOwnPropertyDescriptor(object, key);
    const shown = 'value' in field ? inspect(field.value, SHALLOW) : '[Getter]';
    return `${key.slice(0, NAME_MAX)}=${shown}`;
  });
  return `${name.slice(0, NAME_MAX)}(${fields.join(', ')})`;
}

/** Returns the text of an instance of a class; null if it has none. */
function textOf(object, prototype) {
  if (!hasWords(object)) return fieldsText(object, prototype);
  const text = String(object);
  return typeof text === 'string' ? text : null;
}

const seen = new Set(); // keys with a warning
const KEYS_MAX = 256;

/** Returns the type of a value, for a message. */
function kindOf(value) {
  try {
    if (value === null || typeof value !== 'object') return `a ${typeof value}`;
    const { name } = value.constructor;
    return typeof name === 'string' && name !== ''
      ? `a value of ${name.slice(0, NAME_MAX)}`
      : 'an object';
  } catch {
    return 'an object that cannot be read';
  }
}

/** Warns once per key that its value was dropped. */
function tellLoss(key, value) {
  if (typeof key !== 'string' || seen.has(key) || seen.size >= KEYS_MAX) return;
  const name = key.slice(0, NAME_MAX);
  if (seen.has(name)) return;
  seen.add(name);
  require('./runtime.js').warnOnce(
    `The attribute ${JSON.stringify(name)} was left out: ${kindOf(value)} cannot be one, or is ` +
      `too large. ` +
      'Later ones of this name are only counted.',
  );
}

module.exports = require('./one.js')('value_text', { tellLoss, textOf });
