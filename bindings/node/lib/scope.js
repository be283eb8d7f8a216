'use strict';
// An instrumentation scope as the text of its symbol (core/include/djp/oplog.h): name, version,
// schema URL and attributes as fields. The arguments may run user code that throws; no function
// here throws.

const { isMap } = require('util/types');

const SEPARATOR = '\x1f';
const ATTRIBUTES_MAX = 64;
const TEXT_MAX = 1024; // per field

const real = new DataView(new ArrayBuffer(8));

/** Returns a field without separators and without NUL, which would end the text in the core. */
function field(text) {
  return typeof text === 'string' ? text.slice(0, TEXT_MAX).replace(/[\x1f\0]/g, ' ') : '';
}

/** Returns a value after the letter of its type; null if it is not text, number or boolean. */
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
 * Returns the text of a scope; '' without a name. Parts of other types are left out.
 * @param {string} [name]
 * @param {string} [version]
 * @param {{schemaUrl?: string, attributes?: object}} [options]
 */
function scopeText(name, version, options) {
  const fields = [field(name), field(version)];
  try {
    if (options !== null && typeof options === 'object')
      fields.push(field(options.schemaUrl), ...attributeFields(options.attributes));
  } catch {
    // The parts that were read count.
  }
  while (fields.length > 1 && fields[fields.length - 1] === '') fields.pop();
  return fields.join(SEPARATOR);
}

module.exports = { scopeText };
