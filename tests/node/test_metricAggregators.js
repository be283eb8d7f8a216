'use strict';
// The values of several processes as one.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { prom } = require('./prom_support.js');

const metric = (values) => ({
  name: 'm',
  help: 'h',
  type: 'gauge',
  aggregator: 'sum',
  values: Object.entries(values).map(([a, value]) => ({ labels: { a }, value })),
});
const EXPECTED = {
  sum: { x: 4, y: 5 },
  first: { x: 1, y: 5 },
  average: { x: 2, y: 5 },
  min: { x: 1, y: 5 },
  max: { x: 3, y: 5 },
};

test('each aggregator joins the values of each label set', () => {
  const metrics = [metric({ x: 1 }), metric({ x: 3, y: 5 })];
  for (const [name, expected] of Object.entries(EXPECTED)) {
    const { values } = prom.aggregators[name](metrics);
    const found = values.map(({ labels, value }) => [labels.a, value]);
    assert.deepEqual(Object.fromEntries(found), expected, name);
    assert.equal(prom.aggregators[name]([]), undefined);
  }
  assert.equal(prom.aggregators.omit(metrics), undefined);
});
