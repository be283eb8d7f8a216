'use strict';
// Bounds of buckets.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { prom } = require('./prom_support.js');

test('bounds', () => {
  assert.deepEqual(prom.linearBuckets(0, 50, 3), [0, 50, 100]);
  assert.deepEqual(prom.exponentialBuckets(1, 2, 4), [1, 2, 4, 8]);
  assert.throws(() => prom.linearBuckets(0, 1, 0), /positive count/);
  assert.throws(() => prom.exponentialBuckets(0, 2, 1), /positive start/);
  assert.throws(() => prom.exponentialBuckets(1, 2, 0), /positive count/);
  assert.throws(() => prom.exponentialBuckets(1, 1, 2), /greater than 1/);
});
