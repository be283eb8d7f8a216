'use strict';
// An instrumentation scope as the text of its symbol (core/include/djp/oplog.h): name, version,
// schema URL and attributes in fields. Reading what the caller gave is user code, which may throw;
// nothing here does.

const { isMap } = require('util/types');

const SEPARATOR = '\x1f';
const ATTRIBUTES_MAX = 64;
const TEXT_MAX = 1024; // of a field

const real = new DataView(new ArrayBuffer(8));

/** A field: no separators, and no NUL, which ends a text for the core. */
function field(text) {
  return typeof text === 'string' ? text.slice(0, TEXT_MAX).replace(/[\x1f\0]/g, ' ') : '';
}

/** A value behind the letter of its type; null for what is no text, number or boolean. */
function valueField(value) {
  switch (typeof value) {
    case 'string':
      return `s${field(value)}`;
    case 'boolean':
      return value ? 'b1' : 'b0';
    case 'bigint':
      return BigInt.asIntN(64, value) === value ? `i${value}` : null;
    case 'number':
      if (Number.isSafeInteger(value)) return `i${value}`;
      real.setFloat64(0, value);
      return `d${real.getBigUint64(0).toString(16).padStart(16, '0')}`;
    default:
      return null;
  }
}

function attributeFields(attributes) {
  const fields = [];
  if (attributes === null || typeof attributes !== 'object') return fields;
  const entries = isMap(attributes) ? [...attributes] : Object.entries(attributes);
  for (const [key, value] of entries.slice(0, ATTRIBUTES_MAX)) {
    const text = typeof key === 'string' && key !== '' ? valueField(value) : null;
    if (text !== null) fields.push(field(key), text);
  }
  return fields;
}

/**
 * The text of a scope, '' for the one without a name; what is no text is left out.
 * @param {string} [name] @param {string} [version] @param {{schemaUrl?: string, attributes?:
 * object}} [options]
 */
function scopeText(name, version, options) {
  const fields = [field(name), field(version)];
  try {
    if (options !== null && typeof options === 'object')
      fields.push(field(options.schemaUrl), ...attributeFields(options.attributes));
  } catch {
    // What was read until then counts.
  }
  while (fields.length > 1 && fields[fields.length - 1] === '') fields.pop();
  return fields.join(SEPARATOR);
}

module.exports = { scopeText };
