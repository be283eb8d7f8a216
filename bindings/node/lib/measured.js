'use strict';
// Conversion of the arguments of the recorders: number, boolean or text from any type. Never
// throws, so an invalid value affects its own part of a recording only. The Python package converts
// alike.

const NO = new Set(['', '0', 'false', 'no', 'off']);

/** Returns a number, also from text; NaN if it is not one. */
function number(value) {
  try {
    if (typeof value === 'number') return value;
    if (typeof value === 'bigint') return Number(value);
    if (typeof value === 'string' && value.trim() !== '') return Number(value);
  } catch {
    // Not a number.
  }
  return NaN;
}

/** Returns a duration in seconds; NaN if it is negative, infinite or not a number. */
function seconds(value) {
  const found = number(value);
  return found >= 0 && found < Infinity ? found : NaN;
}

/** As Boolean(), but texts such as "no" are false. */
function truth(value) {
  return typeof value === 'string' ? !NO.has(value.trim().toLowerCase()) : Boolean(value);
}

/** Returns text; '' on failure. */
function text(value) {
  try {
    return typeof value === 'string' ? value : String(value);
  } catch {
    return '';
  }
}

/** Returns an HTTP status; 0 for anything else. */
function statusCode(value) {
  const found = Math.trunc(number(value));
  return found >= 100 && found <= 599 ? found : 0;
}

/**
 * Returns a member of an options object; `failed` if reading it throws, undefined if it is missing.
 */
function optionOf(options, name, failed = undefined) {
  try {
    return options === null || typeof options !== 'object' ? undefined : options[name];
  } catch {
    return failed;
  }
}

module.exports = require('./one.js')('measured', {
  number,
  optionOf,
  seconds,
  statusCode,
  text,
  truth,
});
