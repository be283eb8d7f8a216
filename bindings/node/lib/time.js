'use strict';
// Converts times of callers to Unix or monotonic nanoseconds.

const { isDate } = require('util/types');

const clock = process.hrtime.bigint;
// one year in milliseconds: smaller numbers are readings of performance.now()
const READINGS = 31536000000;
const LAST = 2n ** 63n - 1n;

/** The origin of performance.now() on the monotonic clock: the best of several measurements. */
function originOf() {
  let best = 0n;
  let least = 1n << 62n;
  for (let i = 0; i < 4; i++) {
    const before = clock();
    const reading = performance.now();
    const after = clock();
    if (after - before < least) {
      least = after - before;
      best = (before + after) / 2n - BigInt(Math.round(reading * 1e6));
    }
  }
  return best;
}

const origin = originOf();

/**
 * Converts a reading of performance.now() to the monotonic clock. That clock stops while the
 * machine sleeps and ignores changes of the wall clock, so performance.timeOrigin cannot be used.
 */
function fromReading(value) {
  const monotonic = origin + BigInt(Math.round(value * 1e6));
  return monotonic > 0n && monotonic <= clock() ? -monotonic : 0n;
}

function fromMilliseconds(value) {
  if (!(value > 0 && value < 9e12)) return 0n;
  if (value < READINGS) return fromReading(value);
  const whole = Math.floor(value);
  return BigInt(whole) * 1000000n + BigInt(Math.floor((value - whole) * 1e6));
}

function fromPair(seconds, nanoseconds) {
  if (!(seconds >= 0 && seconds < 9e9) || !(nanoseconds >= 0 && nanoseconds < 1e9)) return 0n;
  if (seconds < READINGS / 1000) return fromReading(seconds * 1000 + nanoseconds / 1e6);
  return BigInt(Math.floor(seconds)) * 1000000000n + BigInt(Math.floor(nanoseconds));
}

/**
 * Returns Unix nanoseconds of a number (milliseconds), a bigint (nanoseconds), a Date, or a pair of
 * seconds and nanoseconds. A reading of performance.now(), also in a pair, gives negative
 * CLOCK_MONOTONIC nanoseconds. Other values give 0n: now.
 */
function timeOf(value) {
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

module.exports = { timeOf };
