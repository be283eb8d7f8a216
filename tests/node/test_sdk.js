'use strict';
// Settings that the addon resolves and shows.

const assert = require('node:assert/strict');
const { test } = require('node:test');

const telemetry = require('../../bindings/node/lib/index.js');
const { native } = require('../../bindings/node/lib/loader.js');
const { MEMORY, eachAlone, setting } = require('./alone.js');

eachAlone();

test('resource attributes and environment reach the settings', () => {
  telemetry.init({ ...MEMORY, resourceAttributes: { team: 'a,b' }, environment: 'staging' });
  assert.equal(setting('resource_attributes')[0], 'team=a%2Cb');
  assert.equal(setting('environment')[0], 'staging');
});

test('headers are never shown', () => {
  const headers = { authorization: 'Bearer secret' };
  telemetry.init({ ...MEMORY, exporter: 'otlp', endpoint: 'http://127.0.0.1:9', headers });
  assert.ok(!JSON.stringify(telemetry.telemetryStatus()).includes('secret'));
});

test('what the core says of a start', () => {
  const found = native.sdkResolve(
    { enabled: 'true', backend: 'prom' },
    {},
    'name',
    () => undefined,
  );
  const {
    enabled,
    backend,
    semconv,
    service_name: name,
    log_correlation: logs,
    shutdown_timeout: limit,
  } = found;
  assert.deepEqual(
    [enabled, backend, semconv, name, logs, limit],
    [true, 'prom', 'old', 'name', true, 1],
  );
  assert.equal(native.sdkEpoch(), 0);
});
