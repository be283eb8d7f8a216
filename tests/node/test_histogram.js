'use strict';
// Histograms of djp-telemetry/prom.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { endAfterwards, lines, prom, start } = require('./prom_support.js');

endAfterwards();
const histogram = (options) =>
  new prom.Histogram({
    name: 'h',
    help: 'h',
    buckets: [1, 2],
    registers: [new prom.Registry()],
    ...options,
  });

test('buckets include their bounds', async () => {
  const h = histogram({ labelNames: ['a'] });
  for (const value of [0.5, 1, 1.5, 2, 9]) h.observe({ a: 'x' }, value);
  const { values } = await h.get();
  assert.deepEqual(
    values.map(({ metricName, labels, value }) => [metricName, labels.le, value]),
    [
      ['h_bucket', 1, 2],
      ['h_bucket', 2, 4],
      ['h_bucket', '+Inf', 5],
      ['h_sum', undefined, 14],
      ['h_count', undefined, 5],
    ],
  );
  h.zero({ a: 'z' });
  assert.equal((await h.get()).values.length, 10);
  h.remove('x');
  assert.equal((await h.get()).values.length, 5);
});

test('what is not a number throws', () => {
  const h = histogram({ labelNames: ['a'] });
  for (const value of ['1', NaN, Infinity, undefined])
    assert.throws(() => h.observe({ a: 'x' }, value), TypeError);
  assert.throws(() => h.observe({ b: 'x' }, 1), /"b"/);
  assert.throws(() => histogram({ labelNames: ['le'] }), /reserved/);
});

test('timers and exemplars', async () => {
  const registry = new prom.Registry(prom.openMetricsContentType);
  const h = histogram({ registers: [registry], enableExemplars: true });
  h.observe({ value: 1.5, exemplarLabels: { trace: '1' } });
  assert.match((await lines('h_bucket{le="2"}', registry))[0], /# \{trace="1"\} 1.5 \d/);
  h.startTimer({}, { trace: '2' })();
  assert.match((await lines('h_bucket{le="1"}', registry))[0], /trace="2"/);
  const timed = histogram({ labelNames: ['a'] });
  const end = timed.labels('x').startTimer();
  assert.ok(end() >= 0);
  assert.equal((await timed.get()).values.at(-1).value, 1);
});

test('the core counts, also what was observed before telemetry starts', async () => {
  const h = histogram({ name: 'wait', registers: undefined });
  h.observe(1.5);
  await start();
  h.observe(0.5);
  h.observe(7);
  assert.deepEqual(await lines('wait_'), [
    'wait_bucket{le="1.0"} 1',
    'wait_bucket{le="2.0"} 2',
    'wait_bucket{le="+Inf"} 3',
    'wait_sum 9',
    'wait_count 3',
  ]);
});
