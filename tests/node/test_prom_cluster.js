'use strict';
// The metrics of the workers of a cluster.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
const { prom } = require('./prom_support.js');

const PROM = JSON.stringify(path.join(__dirname, '../../bindings/node/lib/prom'));
const PROGRAM = `
const cluster = require('node:cluster');
const prom = require(${PROM});
if (cluster.isPrimary) {
  const registry = new prom.AggregatorRegistry();
  let ready = 0;
  for (let i = 0; i < 2; i++) {
    cluster.fork().on('message', async (message) => {
      if (message !== 'ready' || ++ready < 2) return;
      const text = await registry.clusterMetrics();
      console.log(text.split('\\n').filter((line) => line[0] !== '#').join(' '));
      cluster.disconnect();
    });
  }
} else {
  new prom.AggregatorRegistry();
  new prom.Counter({ name: 'c', help: 'h' }).inc(2);
  new prom.Gauge({ name: 'g', help: 'h', aggregator: 'max' }).set(cluster.worker.id);
  process.send('ready');
}`;

test('the primary joins the metrics of its workers', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'djp-cluster-'));
  const file = path.join(folder, 'program.js');
  fs.writeFileSync(file, PROGRAM);
  const options = { encoding: 'utf8', timeout: 60000 };
  let output;
  try {
    output = execFileSync(process.execPath, [file], options);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
  assert.equal(output.replace(/ +/g, ' ').trim(), 'c 4 g 2');
});

test('a cluster without workers has no metrics', async () => {
  assert.equal(await new prom.AggregatorRegistry().clusterMetrics(), '');
});

test('registries are checked, and so are aggregators', () => {
  assert.throws(() => prom.AggregatorRegistry.setRegistries('x'), TypeError);
  prom.AggregatorRegistry.setRegistries(prom.register);
  const metric = { name: 'm', aggregator: 'none', values: [] };
  assert.throws(() => prom.AggregatorRegistry.aggregate([[metric]]), /not a defined aggregator/);
});
