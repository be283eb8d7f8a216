'use strict';
// djp-telemetry/prom as a whole: its names, its page, and what require('prom-client') returns.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const path = require('node:path');
const { test } = require('node:test');
const { prom } = require('./prom_support.js');

const NAMES = [
  'AggregatorRegistry',
  'Counter',
  'Gauge',
  'Histogram',
  'Pushgateway',
  'Registry',
  'Summary',
  'aggregators',
  'collectDefaultMetrics',
  'contentType',
  'exponentialBuckets',
  'linearBuckets',
  'openMetricsContentType',
  'prometheusContentType',
  'register',
  'validateMetricName',
];
const HERE = path.join(__dirname, '../../bindings/node/lib/prom');

test('it has the names of prom-client, as a module of both kinds', async () => {
  for (const name of NAMES) assert.notEqual(prom[name], undefined, name);
  const module = await import(path.join(HERE, 'index.mjs'));
  for (const name of NAMES) assert.equal(module[name], prom[name], name);
  assert.equal(prom.contentType, 'text/plain; version=0.0.4; charset=utf-8');
  assert.throws(() => (prom.contentType = 'text/html'), /unsupported/);
});

test("after install(), require('prom-client') and its files are those here", () => {
  const program = `
    const prom = require(${JSON.stringify(HERE)});
    prom.install();
    prom.install();
    const assert = require('node:assert');
    assert.equal(require('prom-client'), prom);
    assert.equal(require('prom-client/lib/registry'), prom.Registry);
    assert.equal(require('prom-client/lib/counter.js'), prom.Counter);
    assert.throws(() => require('prom-client/lib/none'));
    console.log('ok');`;
  assert.equal(execFileSync(process.execPath, ['-e', program], { encoding: 'utf8' }), 'ok\n');
});

test('the package names the entry and its files', () => {
  const { exports } = require('../../package.json');
  assert.equal(require.resolve(path.join('../..', exports['./prom'].require)), `${HERE}/index.js`);
  assert.equal(require('djp-telemetry/prom/lib/registry'), prom.Registry);
  assert.equal(require('djp-telemetry/prom/lib/registry.js'), prom.Registry);
});
