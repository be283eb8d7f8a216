'use strict';
// Registries of djp-telemetry/prom.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { prom } = require('./prom_support.js');

const gauge = (registry, name, more) =>
  new prom.Gauge({ name, help: 'h', registers: [registry], ...more });

test('metrics are found by name, once', async () => {
  const registry = new prom.Registry();
  const g = gauge(registry, 'g');
  assert.throws(() => gauge(registry, 'g'), /already been registered/);
  assert.equal(registry.getSingleMetric('g'), g);
  assert.deepEqual(registry.getMetricsAsArray(), [g]);
  assert.equal(await registry.getSingleMetricAsString('g'), '# HELP g h\n# TYPE g gauge\ng 0');
  g.set(4);
  registry.resetMetrics();
  assert.equal((await registry.getMetricsAsJSON())[0].values[0].value, 0);
  registry.removeSingleMetric('g');
  assert.equal(await registry.metrics(), '\n');
});

test('default labels, escapes and special numbers', async () => {
  const registry = new prom.Registry();
  const g = gauge(registry, 'g', { help: 'a\nb\\', labelNames: ['x'] });
  g.set({ x: 'q"\n\\' }, NaN);
  g.set({ x: 'd' }, -Infinity);
  registry.setDefaultLabels({ x: 'own', y: 'default' });
  assert.equal(
    await registry.metrics(),
    '# HELP g a\\nb\\\\\n# TYPE g gauge\ng{x="q\\"\\n\\\\",y="default"} NaN\n' +
      'g{x="d",y="default"} -Inf\n',
  );
  assert.deepEqual((await registry.getMetricsAsJSON())[0].values[1].labels, {
    x: 'd',
    y: 'default',
  });
});

test('content types and merged registries', async () => {
  const [one, two] = [new prom.Registry(), new prom.Registry()];
  gauge(one, 'a');
  gauge(two, 'b');
  assert.equal(prom.Registry.merge([one, two]).getMetricsAsArray().length, 2);
  two.setContentType(prom.openMetricsContentType);
  assert.match(await two.metrics(), /b 0\n# EOF\n$/);
  assert.throws(() => prom.Registry.merge([one, two]), /content type/);
  assert.throws(() => two.setContentType('x'), /unsupported/);
  assert.throws(() => new prom.Registry('x'), TypeError);
});
