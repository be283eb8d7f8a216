'use strict';
// Gauges of djp-telemetry/prom.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { endAfterwards, lines, prom, start } = require('./prom_support.js');

endAfterwards();

test('values and labels in every form', async () => {
  const registers = [new prom.Registry()];
  const g = new prom.Gauge({ name: 'g', help: 'h', labelNames: ['a'], registers });
  g.set(5);
  g.inc();
  g.dec(2);
  g.inc({ a: 'x' }, 4);
  g.labels('x').dec();
  g.labels('y').set(7);
  assert.equal(g._getValue({ a: 'x' }), 3);
  assert.equal(g._getValue({ a: 'none' }), 0);
  const { values } = await g.get();
  assert.deepEqual(
    values.map(({ value }) => value),
    [4, 3, 7],
  );
  assert.throws(() => g.set('1'), TypeError);
  assert.throws(() => g.inc({ a: 'x' }, '1'), TypeError);
  assert.throws(() => g.set({ b: 1 }, 1), /"b"/);
  const end = g.startTimer({ a: 't' });
  const seconds = end();
  assert.equal(g._getValue({ a: 't' }), seconds);
  g.setToCurrentTime({ a: 'now' });
  assert.ok(g._getValue({ a: 'now' }) > 1e9);
});

test('the core has the value, and collect() runs before each page', async () => {
  let calls = 0;
  const g = new prom.Gauge({
    name: 'depth',
    help: 'h',
    async collect() {
      calls++;
      this.set(calls);
    },
  });
  const early = new prom.Gauge({ name: 'early', help: 'h' });
  early.set(3);
  await start();
  assert.deepEqual(await lines('early'), ['early 3']);
  const before = calls;
  assert.deepEqual(await lines('depth'), [`depth ${before + 1}`]);
  g.reset();
  assert.deepEqual(await lines('depth'), [`depth ${before + 2}`]);
});
