'use strict';
// The bucket of a value: bounds are upper bounds that include their value.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { bucketOf } = require('../../bindings/node/lib/buckets.js');

test('a value is in the first bucket whose bound is not below it', () => {
  for (let count = 0; count <= 9; count++) {
    const bounds = Float64Array.from({ length: count }, (_, i) => i + 1);
    for (let value = 0; value <= count + 1; value += 0.5) {
      const expected = bounds.findIndex((bound) => value <= bound);
      assert.equal(bucketOf(bounds, value), expected === -1 ? count : expected, `${value}`);
    }
    assert.equal(bucketOf(bounds, Infinity), count);
    assert.equal(bucketOf(bounds, -Infinity), 0);
  }
});
