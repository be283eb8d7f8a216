'use strict';
// The label sets of a metric.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Series } = require('../../bindings/node/lib/prom/series.js');

test('a label set is found by each spelling of its values', () => {
  const series = new Series(['a', 'b'], () => {});
  const entry = series.find({ a: 1, b: 'x' });
  assert.equal(series.find({ b: 'x', a: '1' }), entry);
  assert.equal(series.find({ a: 1, b: 'x' }), entry);
  assert.notEqual(series.find({ a: 1 }), entry);
  assert.ok(series.isPartial);
  assert.equal(series.entries.size, 2);
  assert.throws(() => series.find({ a: 1, b: 'x', c: 2 }), /"c"/);
});

test('a removed label set begins again', () => {
  const series = new Series(['a'], (entry) => (entry.own = []));
  const entry = series.find({ a: 'x' });
  series.remove({ a: 'x' });
  series.remove({ a: 'x' });
  assert.notEqual(series.find({ a: 'x' }), entry);
  series.clear();
  assert.equal(series.entries.size, 0);
});
