'use strict';
// The page of the global registry: the families of the core and those of JavaScript, each once.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { endAfterwards, lines, prom, start, telemetry } = require('./prom_support.js');
const { families } = require('../../bindings/node/lib/prom/page.js');

endAfterwards();

test('a page is cut into families', () => {
  const text = '# HELP a x\n# TYPE a gauge\na 1\n# TYPE b gauge\nb 2\n';
  assert.deepEqual(families(text), [
    ['a', '# HELP a x\n# TYPE a gauge\na 1\n'],
    ['b', '# TYPE b gauge\nb 2\n'],
  ]);
  assert.deepEqual(families(''), []);
});

test('each family is there once, with those of the SDK', async () => {
  await start();
  prom.collectDefaultMetrics();
  new prom.Counter({ name: 'page_total', help: 'h' }).inc();
  new prom.Summary({ name: 'page_summary', help: 'h' });
  new telemetry.Gauge({ name: 'page_native', help: 'h' }).set(2);
  for (const type of [prom.openMetricsContentType, prom.prometheusContentType]) {
    prom.register.setContentType(type);
    const names = (await lines('# TYPE ')).map((line) => line.split(' ')[2]);
    assert.deepEqual([...new Set(names)], names);
    for (const name of ['page_summary', 'page_native', 'nodejs_version_info'])
      assert.ok(names.includes(name), name);
  }
});

test('default labels are on all metrics of the registry', async () => {
  await start();
  prom.register.clear();
  new prom.Counter({ name: 'labelled_total', help: 'h' }).inc();
  prom.register.setDefaultLabels({ app: 'x' });
  assert.deepEqual(await lines('labelled_total'), ['labelled_total{app="x"} 1']);
  prom.register.clear();
});
