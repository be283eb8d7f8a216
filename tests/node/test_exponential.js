'use strict';
// Exponential buckets: the core records them, and all else is as with explicit buckets alone.

const assert = require('node:assert/strict');

const metrics = require('../../bindings/node/lib/metrics.js');

const { dropped, on, samples } = require('./metrics_support.js');

const OPENMETRICS_2 = 'application/openmetrics-text;version=2.0.0';

function line(name) {
  return metrics
    .metricsText(OPENMETRICS_2)
    .split('\n')
    .find((text) => text.startsWith(name));
}

on('both kinds of buckets from one observation', () => {
  const histogram = new metrics.Histogram({
    name: 'native_seconds',
    help: 'h',
    labelNames: ['a'],
    buckets: [1, 3],
    exponential: true,
  });
  const before = dropped();
  for (let i = 0; i < 100; i++) histogram.observe({ a: 'x' }, 2);
  histogram.labels('x').observe(8);
  histogram.labels('x').observe(0);
  histogram.labels('x').startTimer()();
  histogram.observe({ a: 'x' }, NaN);
  assert.equal(histogram.labels('x').count, 103);
  assert.equal(histogram.labels('x'), histogram.labels('x'));
  assert.equal(dropped(), before + 1);
  const found = line('native_seconds{');
  assert.match(found, /^native_seconds\{a="x"\} \{count:103,sum:208\.\d+,schema:-?\d,/);
  assert.match(found, /,zero_count:1,positive_spans:\[.*\],positive_buckets:\[1,100,1\],bucket:/);
  assert.equal(samples('native_seconds_bucket')['native_seconds_bucket{a="x",le="3.0"}'], 102);
});

on('a removed series begins again', () => {
  const histogram = new metrics.Histogram({
    name: 'native_again',
    help: 'h',
    labelNames: ['a'],
    exponential: true,
  });
  const child = histogram.labels('x');
  child.observe(4);
  histogram.remove('x');
  assert.equal(line('native_again{'), undefined);
  const before = dropped();
  child.observe(4);
  assert.equal(dropped(), before + 1);
  histogram.observe({ a: 'x' }, 5);
  assert.match(line('native_again{'), /\{count:1,sum:5,/);
});

on('the declaration decides before the setting', () => {
  new metrics.Histogram({ name: 'plain_one', help: 'h', exponential: false }).observe(1);
  new metrics.Histogram({ name: 'plain_two', help: 'h' }).observe(1);
  new metrics.Histogram('native_one', 'h', [], { exponential: true }).observe(1);
  assert.doesNotMatch(line('plain_one '), /schema/);
  assert.doesNotMatch(line('plain_two '), /schema/);
  assert.match(line('native_one '), /schema:8/);
});
