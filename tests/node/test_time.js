'use strict';
// Times at the edges of each form: milliseconds, nanoseconds, dates, pairs and readings of
// performance.now(). An invalid one means now.

const assert = require('node:assert/strict');
const { after, before, test } = require('node:test');
const { LIMIT, restart, take, telemetry } = require('./support.js');

const YEAR_MS = 31_536_000_000;
const SECOND = 1_000_000_000n;

before(() => restart());
after(() => telemetry.shutdown(LIMIT));

/** Returns the start of a span with this start time, in nanoseconds; null if it is now. */
async function startOf(startTime) {
  const from = BigInt(Date.now() - 1000) * 1_000_000n;
  telemetry.startSpan('s', undefined, { startTime }).end();
  const { start } = (await take()).one('s');
  const until = BigInt(Date.now() + 1000) * 1_000_000n;
  return start >= from && start <= until ? null : start;
}

const GIVEN = [
  ['a year in milliseconds', YEAR_MS, BigInt(YEAR_MS) * 1_000_000n],
  ['the last moment that is a reading', YEAR_MS - 1, null],
  ['milliseconds with a part', 1_700_000_000_000.5, 1_700_000_000_000_500_000n],
  ['the last number', 8_999_999_999_999, 8_999_999_999_999_000_000n],
  ['the number after it', 9_000_000_000_000, null],
  ['nothing', 0, null],
  ['a negative number', -5, null],
  ['NaN', NaN, null],
  ['infinity', Infinity, null],
  ['nanoseconds', 1_700_000_000_123_456_789n, 1_700_000_000_123_456_789n],
  ['one nanosecond', 1n, 1n],
  ['no nanoseconds', 0n, null],
  ['nanoseconds before 1970', -1n, null],
  ['the last nanosecond', (1n << 63n) - 1n, (1n << 63n) - 1n],
  ['the nanosecond after it', 1n << 63n, null],
  ['a date', new Date(1_700_000_000_123), 1_700_000_000_123_000_000n],
  ['an invalid date', new Date(NaN), null],
  ['a pair', [1_700_000_000, 5], 1_700_000_000n * SECOND + 5n],
  [
    'a pair with the last nanosecond',
    [1_700_000_000, 999_999_999],
    1_700_000_000n * SECOND + 999_999_999n,
  ],
  ['a pair with a nanosecond too many', [1_700_000_000, 1e9], null],
  ['a pair with a negative part', [1_700_000_000, -1], null],
  ['a pair with negative seconds', [-1, 0], null],
  ['a pair of a year', [YEAR_MS / 1000, 0], BigInt(YEAR_MS) * 1_000_000n],
  ['the last pair', [8_999_999_999, 0], 8_999_999_999n * SECOND],
  ['the pair after it', [9_000_000_000, 0], null],
  ['a pair of texts', ['a', 'b'], null],
  ['an empty list', [], null],
  ['text', '2024-01-01', null],
  ['an object', {}, null],
  ['true', true, null],
];

for (const [name, given, expected] of GIVEN) {
  test(`${name}: ${expected === null ? 'now' : expected}`, async () => {
    assert.equal(await startOf(given), expected);
  });
}

test('readings of performance.now() are moments of this process', async () => {
  const reading = performance.now();
  const wall = BigInt(Date.now()) * 1_000_000n;
  for (const given of [reading, [Math.floor(reading / 1000), (reading % 1000) * 1e6]]) {
    telemetry.startSpan('s', undefined, { startTime: given }).end();
    const { start } = (await take()).one('s');
    assert.ok(start > wall - SECOND && start < wall + SECOND, `${start} ${wall}`);
  }
});

test('a reading of the past is earlier by what has passed since', async () => {
  const now = performance.now();
  telemetry.startSpan('early', undefined, { startTime: now - 40 }).end();
  telemetry.startSpan('late', undefined, { startTime: now }).end();
  const found = await take();
  const passed = Number(found.one('late').start - found.one('early').start) / 1e6;
  assert.ok(Math.abs(passed - 40) < 0.01, `${passed}`);
});

test('a clock that goes back gives no span a negative length', async (t) => {
  const span = telemetry.startSpan('s');
  t.mock.method(Date, 'now', () => 0);
  span.end();
  t.mock.restoreAll();
  const { start, end } = (await take()).one('s');
  assert.ok(end >= start);
  telemetry.startSpan('given', undefined, { startTime: 1_700_000_000_000 }).end(1_600_000_000_000);
  const given = (await take()).one('given');
  assert.ok(given.end >= given.start);
});
