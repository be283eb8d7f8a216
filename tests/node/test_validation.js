'use strict';
// Names of metrics and labels.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { prom } = require('./prom_support.js');
const validation = require('../../bindings/node/lib/prom/validation.js');

test('names', () => {
  for (const name of ['a', 'a:b', '_a1']) assert.ok(validation.validateMetricName(name), name);
  for (const name of ['', '1a', 'a-b', 'a b']) assert.ok(!prom.validateMetricName(name), name);
  assert.ok(validation.validateLabelName(['a', '_b']));
  assert.ok(!validation.validateLabelName(['a', 'b:c']));
  assert.ok(validation.validateLabelName());
  assert.throws(() => validation.validateLabel(['a'], { b: 1 }), /"b" is not included/);
});

test('a configuration is checked', () => {
  const registers = [new prom.Registry()];
  const make = (config) => () => new prom.Counter(config);
  assert.throws(make('c'), TypeError);
  assert.throws(make({ name: 'c', registers }), /help/);
  assert.throws(make({ help: 'h', registers }), /name/);
  assert.throws(make({ name: 'a b', help: 'h', registers }), /Invalid metric name/);
  assert.throws(make({ name: 'c', help: 'h', registers, labelNames: ['a b'] }), /label name/);
  assert.throws(make({ name: 'c', help: 'h', registers, collect: 1 }), /function/);
});
