'use strict';
// Times that callers give, as Unix nanoseconds.

const { isDate } = require('util/types');

const READINGS = 31536000000; // a year in milliseconds: smaller numbers are readings of performance.now()
const LAST = 2n ** 63n - 1n;

function fromMilliseconds(value) {
  if (!(value > 0)) return 0n;
  const unix = value < READINGS ? performance.timeOrigin + value : value;
  if (!(unix < 9e12)) return 0n;
  const whole = Math.floor(unix);
  return BigInt(whole) * 1000000n + BigInt(Math.floor((unix - whole) * 1e6));
}

function fromPair(seconds, nanoseconds) {
  if (!(seconds > 0 && seconds < 9e9) || !(nanoseconds >= 0 && nanoseconds < 1e9)) return 0n;
  return BigInt(Math.floor(seconds)) * 1000000000n + BigInt(Math.floor(nanoseconds));
}

/**
 * Unix nanoseconds of a number (milliseconds, also those of performance.now()), a bigint (nanoseconds), a Date, or a pair of seconds
 * and nanoseconds; 0n for anything else, which means now.
 */
function unixTime(value) {
  if (value === undefined || value === null) return 0n;
  try {
    if (typeof value === 'number') return fromMilliseconds(value);
    if (typeof value === 'bigint') return value > 0n && value <= LAST ? value : 0n;
    if (Array.isArray(value)) return fromPair(value[0], value[1]);
    return isDate(value) ? fromMilliseconds(Date.prototype.getTime.call(value)) : 0n;
  } catch {
    return 0n;
  }
}

module.exports = { unixTime };
