'use strict';
// The aggregator of a gauge: how the values of several processes become one.

const assert = require('node:assert/strict');

const { Counter, Gauge } = require('../../bindings/node/lib/metrics.js');

const { on, said, samples } = require('./metrics_support.js');

on('a gauge of one process has its value with every aggregator', () => {
  for (const aggregator of ['sum', 'first', 'min', 'max', 'average', 'omit', undefined, null]) {
    const name = `aggregated_${aggregator}`;
    const gauge = new Gauge({ name, help: 'a', aggregator });
    gauge.set(5);
    gauge.inc(2);
    assert.equal(gauge.value, 7);
    assert.deepEqual(samples(name), { [name]: 7 });
  }
});

on('the aggregator is part of the declaration', () => {
  const first = new Gauge({ name: 'shared_aggregator', help: 'a' });
  const same = new Gauge({ name: 'shared_aggregator', help: 'a', aggregator: 'sum' });
  first.set(1);
  same.inc();
  const message = said(() => {
    const other = new Gauge({ name: 'shared_aggregator', help: 'a', aggregator: 'max' });
    other.set(9);
    assert.equal(other.value, 0);
  }).join('');
  assert.deepEqual([first.value, same.value], [2, 2]);
  assert.match(message, /the same type, labels, buckets and aggregator/);
});

on('an unknown aggregator is refused', () => {
  for (const [i, aggregator] of ['livesum', '', 7, {}].entries()) {
    const name = `odd_aggregator_${i}`;
    const message = said(() => new Gauge({ name, help: 'a', aggregator }).set(1)).join('');
    assert.match(message, new RegExp(`'${name}' was refused: the aggregator must be sum, first`));
    assert.deepEqual(samples(name), {});
  }
  // other types ignore it, as in prom-client's sum
  const counter = new Counter({ name: 'aggregated_total', help: 'a', aggregator: 'livesum' });
  counter.inc();
  assert.equal(counter.value, 1);
});
