'use strict';
// Metrics of Node: families, windows between scrapes, collections, and that they cost no exit.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const path = require('node:path');
const test = require('node:test');
const { setImmediate: turn } = require('node:timers/promises');

const { impl } = require('../../bindings/node/lib/loader.js');
const { metricsText, startMetricsServer } = require('../../bindings/node/lib/metrics.js');
const runtime = require('../../bindings/node/lib/runtime.js');

const { on, samples } = require('./metrics_support.js');

const WANTED = { runtimeMetrics: true };
const read = (name) => samples(`${name} `)[name];

function block(ms) {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** Fills the young generation until a condition holds. */
async function allocateUntil(isDone) {
  for (let round = 0; round < 2000 && !isDone(); round += 1) {
    Array.from({ length: 1e5 }, (_, i) => ({ i }));
    await turn();
  }
  assert.ok(isDone());
}

on('without the setting there are none', () => {
  assert.ok(!/^nodejs_/m.test(metricsText()));
  assert.equal(impl.runtimeRecord('nodejs_heap_size_used_bytes', [], 1), true);
  assert.ok(!/^nodejs_/m.test(metricsText()));
});

on(
  'heap, resources and version',
  () => {
    assert.ok(read('nodejs_heap_size_used_bytes') > 1e6);
    assert.ok(read('nodejs_heap_size_total_bytes') > 1e6);
    assert.ok(read('nodejs_external_memory_bytes') > 0);
    for (const part of ['total', 'used', 'available']) {
      const spaces = samples(`nodejs_heap_space_size_${part}_bytes`);
      assert.ok(`nodejs_heap_space_size_${part}_bytes{space="new"}` in spaces, part);
      assert.ok(Object.keys(spaces).length > 3);
    }
    const [sample] = Object.keys(samples('nodejs_version_info'));
    const [major, minor, patch] = process.versions.node.split('.');
    for (const label of [`version="${process.version}"`, `major="${major}"`, `minor="${minor}"`])
      assert.ok(sample.includes(label), sample);
    assert.ok(sample.includes(`patch="${patch}"`));
    assert.ok(read('process_cpu_user_seconds_total') >= 0);
  },
  WANTED,
);

on(
  'a type of resource that has gone is 0',
  () => {
    const name = 'nodejs_active_resources{type="Timeout"}';
    const timer = setTimeout(() => {}, 1e6);
    const before = samples('nodejs_active_resources{')[name];
    assert.ok(before >= 1);
    assert.ok(read('nodejs_active_resources_total') >= before);
    clearTimeout(timer);
    assert.equal(samples('nodejs_active_resources{')[name], before - 1);
    assert.ok(read('nodejs_active_handles_total') >= 0);
    assert.ok(read('nodejs_active_requests_total') >= 0);
  },
  WANTED,
);

on(
  'a delay of the event loop is in the scrapes until it was shown',
  async () => {
    const greatest = () => read('nodejs_eventloop_lag_max_seconds');
    await new Promise((resolve) => setTimeout(resolve, 50)); // the sampling timer has begun
    block(400);
    await new Promise((resolve) => setTimeout(resolve, 50));
    impl.runtimeWasRead(); // nothing was shown since
    const shown = samples('nodejs_eventloop_');
    const part = (name) => shown[`nodejs_eventloop_${name}`];
    assert.ok(part('lag_max_seconds') >= 0.3, String(part('lag_max_seconds')));
    assert.ok(part('lag_mean_seconds') > 0 && part('lag_stddev_seconds') > 0);
    assert.ok(part('lag_p50_seconds') <= part('lag_p90_seconds'));
    assert.ok(part('lag_p90_seconds') <= part('lag_p99_seconds'));
    assert.ok(part('lag_p99_seconds') <= part('lag_max_seconds') * 1.01);
    assert.ok(part('lag_min_seconds') <= part('lag_p50_seconds'));
    assert.ok(part('lag_seconds') >= 0);
    assert.ok(part('utilization_ratio') > 0 && part('utilization_ratio') <= 1);
    assert.ok(greatest() < part('lag_max_seconds'));
  },
  WANTED,
);

on(
  'collections are counted by kind',
  async () => {
    const name = 'nodejs_gc_duration_seconds_count{kind="minor"}';
    await allocateUntil(() => samples('nodejs_gc_duration_seconds_count')[name] > 0);
    assert.ok(samples('nodejs_gc_duration_seconds_sum')[name.replace('count', 'sum')] > 0);
  },
  WANTED,
);

on(
  'the thread of the core shows them',
  async () => {
    const { createServer } = require('node:net');
    const probe = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => probe.once('listening', resolve));
    const { port } = probe.address();
    await new Promise((resolve) => probe.close(resolve));
    assert.ok(startMetricsServer(port, '127.0.0.1'));
    const page = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    assert.match(page, /^nodejs_heap_size_used_bytes [1-9]/m);
    assert.match(page, /^nodejs_eventloop_lag_p99_seconds \d/m);
  },
  WANTED,
);

on(
  'they end with telemetry and begin again',
  async () => {
    await runtime.shutdown(1000);
    assert.equal(impl.runtimeRecord('nodejs_heap_size_used_bytes', [], 1), false);
    assert.equal(metricsText(), '');
    runtime.init({ enabled: true, backend: 'prom', ...WANTED });
    assert.ok(read('nodejs_heap_size_used_bytes') > 0);
    for (const given of [
      [],
      [7, [], 1],
      ['nodejs_unknown', [], 1],
      ['nodejs_version_info', 'x', 1],
    ])
      assert.equal(impl.runtimeRecord(...given), false);
  },
  WANTED,
);

test('they do not keep the process alive', { timeout: 60000 }, () => {
  const entry = path.resolve(__dirname, '../../bindings/node/lib/index.js');
  const program = `require(${JSON.stringify(entry)}).init(
    { enabled: true, backend: 'prom', runtimeMetrics: true, logLevel: 'error' });
    process.on('exit', () => console.log('over'));`;
  const out = execFileSync(process.execPath, ['-e', program], { timeout: 50000 });
  assert.equal(String(out), 'over\n');
});
