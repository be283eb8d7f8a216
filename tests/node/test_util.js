'use strict';
// Label sets and numbers.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const util = require('../../bindings/node/lib/prom/util.js');

test('a hash is the same for the same labels and different for others', () => {
  const { hashObject } = util;
  assert.equal(hashObject({}), '');
  assert.equal(hashObject({ b: 1, a: 'x' }), hashObject({ a: 'x', b: '1' }));
  assert.notEqual(hashObject({ a: 'x,b:y' }), hashObject({ a: 'x', b: 'y' }));
  assert.notEqual(hashObject({ a: 'x\\', b: 'y' }), hashObject({ a: 'x\\,b:y' }));
});

test('numbers have the texts of Prometheus', () => {
  const texts = [0, 1.5, NaN, Infinity, -Infinity].map(util.getValueAsString);
  assert.deepEqual(texts, ['0', '1.5', 'NaN', '+Inf', '-Inf']);
});

test('maps of values', () => {
  const map = util.setValue({}, 3, { a: 'x' });
  const hash = util.hashObject({ a: 'x' });
  util.setValueDelta(map, 2, { a: 'x' }, hash);
  assert.equal(map[hash].value, 5);
  util.removeLabels(map, { a: 'x' }, ['a']);
  assert.deepEqual(map, {});
  assert.throws(() => util.getLabels(['a'], []), /arguments \(0\)/);
});
