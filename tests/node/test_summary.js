'use strict';
// Summaries of djp-telemetry/prom.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { endAfterwards, lines, prom, start } = require('./prom_support.js');

endAfterwards();

test('quantiles, sum and count', async () => {
  const registers = [new prom.Registry()];
  const percentiles = [0.5, 0.9];
  const s = new prom.Summary({ name: 's', help: 'h', percentiles, registers, labelNames: ['a'] });
  for (let i = 1; i <= 100; i++) s.observe({ a: 'x' }, i);
  const { values } = await s.get();
  assert.deepEqual(
    values.map(({ value }) => value),
    [50.5, 90.5, 5050, 100],
  );
  s.reset();
  assert.equal((await s.get()).values.at(-1).value, 0);
  s.labels('y').observe(3);
  s.startTimer({ a: 'y' })();
  assert.equal((await s.get()).values.at(-1).value, 2);
  assert.throws(() => s.observe({ a: 'x' }, 'y'), TypeError);
  assert.throws(
    () => new prom.Summary({ name: 'q', help: 'h', registers, labelNames: ['quantile'] }),
    /reserved/,
  );
});

test('the page has it beside the metrics of the core', async () => {
  await start();
  new prom.Summary({ name: 'size', help: 'h' }).observe(4);
  assert.deepEqual(await lines('size_'), ['size_sum 4', 'size_count 1']);
});
