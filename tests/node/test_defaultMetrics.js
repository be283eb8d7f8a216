'use strict';
// The default metrics of prom-client.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { prom } = require('./prom_support.js');

test('names, prefix and labels', async () => {
  const register = new prom.Registry();
  prom.collectDefaultMetrics({ register, prefix: 'my_', labels: { app: 'x' } });
  const metrics = await register.getMetricsAsJSON();
  const names = metrics.map(({ name }) => name);
  for (const name of [
    'process_cpu_seconds_total',
    'process_resident_memory_bytes',
    'process_start_time_seconds',
    'nodejs_eventloop_lag_p99_seconds',
    'nodejs_active_handles_total',
    'nodejs_heap_size_used_bytes',
    'nodejs_heap_space_size_used_bytes',
    'nodejs_version_info',
    'nodejs_gc_duration_seconds',
  ])
    assert.ok(names.includes(`my_${name}`), name);
  const version = metrics.find(({ name }) => name === 'my_nodejs_version_info');
  assert.equal(version.values[0].labels.version, process.version);
  assert.equal(version.values[0].labels.app, 'x');
  const memory = metrics.find(({ name }) => name === 'my_process_resident_memory_bytes');
  assert.ok(memory.values[0].value > 1e6);
  assert.equal(prom.collectDefaultMetrics.metricsList.length, 13);
  assert.throws(() => prom.collectDefaultMetrics('x'), TypeError);
});
