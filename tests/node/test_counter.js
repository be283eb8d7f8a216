'use strict';
// Counters of djp-telemetry/prom.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { LIMIT, endAfterwards, lines, prom, start, telemetry } = require('./prom_support.js');

endAfterwards();
const counter = (options) =>
  new prom.Counter({ name: 'c', help: 'h', registers: [new prom.Registry()], ...options });

test('amounts and labels in every form', async () => {
  const c = counter({ labelNames: ['a', 'b'] });
  c.inc();
  c.inc(2);
  c.inc({ a: 1 }, 3);
  c.inc({ a: '1' });
  c.labels('x', 'y').inc(0.5);
  c.labels({ a: 'x', b: 'y' }).inc(null);
  const { values } = await c.get();
  assert.deepEqual(values, [
    { value: 3, labels: {} },
    { value: 4, labels: { a: 1 } },
    { value: 1.5, labels: { a: 'x', b: 'y' } },
  ]);
});

test('what is not an amount throws and changes nothing', async () => {
  const c = counter({ labelNames: ['a'] });
  c.inc({ a: 'x' });
  assert.throws(() => c.inc(-1), /decrease/);
  assert.throws(() => c.inc({ a: 'x' }, 'y'), TypeError);
  assert.throws(() => c.inc(Infinity), TypeError);
  assert.throws(() => c.inc({ z: 1 }), /"z" is not included/);
  assert.throws(() => c.labels(), /number of arguments/);
  assert.deepEqual((await c.get()).values, [{ value: 1, labels: { a: 'x' } }]);
  c.inc(NaN); // a NaN of prom-client stays for ever
  assert.ok((await c.get()).values.every(({ value }) => value === value));
});

test('label objects are copied, and label sets do not collide', async () => {
  const c = counter({ labelNames: ['a', 'b'] });
  const labels = { a: 'x,b:y', b: 'z' };
  c.inc(labels);
  labels.a = 'changed';
  c.inc({ a: 'x', b: 'y,b:z' }, 2);
  const { values } = await c.get();
  assert.deepEqual(
    values.map(({ value }) => value),
    [1, 2],
  );
  assert.equal(values[0].labels.a, 'x,b:y');
});

test('exemplars are on a page of OpenMetrics', async () => {
  const registry = new prom.Registry(prom.openMetricsContentType);
  const c = counter({ name: 'o_total', registers: [registry], enableExemplars: true });
  c.inc({ value: 2, exemplarLabels: { trace: '1' } });
  const [line] = await lines('o_total', registry);
  assert.match(line, /^o_total 2 # \{trace="1"\} 2 \d+/);
  assert.throws(() => c.inc({ exemplarLabels: { trace: 'x'.repeat(130) } }), RangeError);
  assert.throws(() => counter({ enableExemplars: true }), /OpenMetrics/);
});

test('the core counts, also what was counted before telemetry starts', async () => {
  const c = new prom.Counter({ name: 'orders_total', help: 'h', labelNames: ['kind'] });
  const named = new prom.Counter({ name: 'orders_without_end', help: 'h' });
  c.inc({ kind: 'a' }, 3);
  named.inc();
  await start();
  c.inc({ kind: 'a' });
  c.inc({ kind: 'b' });
  assert.deepEqual(await lines('orders_total{'), [
    'orders_total{kind="a"} 4',
    'orders_total{kind="b"} 1',
  ]);
  assert.deepEqual(await lines('orders_without_end'), ['orders_without_end 1']);
  assert.match(telemetry.metricsText(), /^orders_total\{kind="a"\} 4$/m);
  c.remove('a');
  assert.deepEqual(await lines('orders_total{'), ['orders_total{kind="b"} 1']);
  c.inc({ kind: 'a' });
  assert.deepEqual(await lines('orders_total{kind="a"'), ['orders_total{kind="a"} 1']);
  await telemetry.shutdown(LIMIT);
  c.inc({ kind: 'a' });
  assert.deepEqual(await lines('orders_total{kind="a"'), ['orders_total{kind="a"} 2']);
});

test('a label set without a label is on the page', async () => {
  await start();
  const c = new prom.Counter({ name: 'partial_total', help: 'h', labelNames: ['a', 'b'] });
  c.inc({ a: '1', b: '2' });
  c.inc({ a: '1' });
  assert.deepEqual(await lines('partial_total{'), [
    'partial_total{a="1",b="2"} 1',
    'partial_total{a="1"} 1',
  ]);
});
