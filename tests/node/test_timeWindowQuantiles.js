'use strict';
// Quantiles of a time window.

const assert = require('node:assert/strict');
const { mock, test } = require('node:test');
const Quantiles = require('../../bindings/node/lib/prom/timeWindowQuantiles.js');

test('many values are close to their quantiles in little memory', () => {
  const q = new Quantiles();
  for (let i = 0; i < 100000; i++) q.push((i * 7919) % 100000);
  for (const part of [0.01, 0.25, 0.5, 0.9, 0.99])
    assert.ok(Math.abs(q.percentile(part) - part * 100000) < 1000, `${part}`);
  assert.ok(q.size() <= 2001);
  q.reset();
  assert.equal(q.percentile(0.5), undefined);
});

test('values leave the window', () => {
  mock.timers.enable({ apis: ['Date'] });
  try {
    const q = new Quantiles(10, 2);
    q.push(1);
    mock.timers.tick(6000);
    q.push(100);
    assert.equal(q.percentile(0), 1);
    mock.timers.tick(6000);
    assert.equal(q.percentile(0), 100);
    mock.timers.tick(20000);
    assert.equal(q.size(), 0);
  } finally {
    mock.timers.reset();
  }
});
