'use strict';
// Which slots of the operation log are taken back when all are in use.

const assert = require('node:assert/strict');
const test = require('node:test');
const oldestSlots = require('../../bindings/node/lib/oplog_slots.js');

/** Starts in an order that is not that of the slots. */
function generationsOf(count, first) {
  return Int32Array.from({ length: count }, (_, slot) => (first + ((slot * 7) % count)) | 0);
}

test('the oldest eighth is taken back', () => {
  const generations = generationsOf(64, 1);
  const slots = oldestSlots(generations, 64);
  assert.equal(slots.length, 8);
  const starts = slots.map((slot) => generations[slot]).sort((a, b) => a - b);
  assert.deepEqual(starts, [1, 2, 3, 4, 5, 6, 7, 8]);
});

test('the count of starts may have begun again', () => {
  const generations = generationsOf(64, 0x7fffffff - 31);
  for (let slot = 0; slot < 64; slot++) if (generations[slot] < 0) generations[slot] &= 0xff;
  const slots = oldestSlots(generations, 31);
  const ages = slots.map((slot) => generations[slot]);
  assert.equal(slots.length, 8);
  assert.ok(ages.every((start) => start > 0x7fffffff - 32 && start < 0x7fffffff - 23));
});
