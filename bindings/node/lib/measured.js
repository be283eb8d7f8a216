'use strict';
// How the recorders read what they are given: numbers, truth and text, whatever the type. Nothing
// here throws, so that a wrong value costs its own part of a recording and no more. The Python
// package reads the same way.

const NO = new Set(['', '0', 'false', 'no', 'off']);

/** As a number; NaN for what is none. Text that spells a number is one. */
function number(value) {
  try {
    if (typeof value === 'number') return value;
    if (typeof value === 'bigint') return Number(value);
    if (typeof value === 'string' && value.trim() !== '') return Number(value);
  } catch {
    // No number.
  }
  return NaN;
}

/** A duration in seconds; NaN when it is negative, infinite or no number. */
function seconds(value) {
  const found = number(value);
  return found >= 0 && found < Infinity ? found : NaN;
}

/** Like Boolean(), but the words for no are no. */
function truth(value) {
  return typeof value === 'string' ? !NO.has(value.trim().toLowerCase()) : Boolean(value);
}

/** As text; '' when that fails. */
function text(value) {
  try {
    return typeof value === 'string' ? value : String(value);
  } catch {
    return '';
  }
}

/** An HTTP status; 0 for what is none. */
function statusCode(value) {
  const found = Math.trunc(number(value));
  return found >= 100 && found <= 599 ? found : 0;
}

/**
 * A member of an object of options; `failed` when reading it throws, undefined when it is not
 * there.
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
