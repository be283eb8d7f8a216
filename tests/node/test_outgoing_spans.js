'use strict';
// Spans of outgoing requests of any client: the parts of the address that are recorded, and
// requests of other telemetry, which have none.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { take } = require('./support.js');
const { address, eachRecorded, get, read } = require('./outgoing_driver.js');

eachRecorded();

test(
  'an address is shown without credentials, values of its query and fragment',
  { timeout: 30000 },
  async () => {
    await get('/a/b?token=secret&page=2&flag#part');
    await get('/', { path: 'http://user:password@far.example/x?k=v' });
    await get('/ok', { auth: 'user:password' });
    await read(`/${'long'.repeat(2000)}?q=secret`);
    const addresses = (await take()).map((span) => span.attributes['url.full']);
    assert.deepEqual(addresses.slice(0, 3), [
      `${address()}/a/b?token=REDACTED&page=REDACTED&REDACTED`,
      'http://far.example/x?k=REDACTED',
      `${address()}/ok`,
    ]);
    assert.ok(addresses[3].length <= 2048 && !addresses[3].includes('secret'));
  },
);

test('requests of other agents are neither recorded nor changed', { timeout: 30000 }, async () => {
  const post = (path, headers) =>
    fetch(address() + path, { method: 'POST', headers, body: '{}' }).then((r) => r.json());
  const sent = [
    await post('/v1/traces', { 'content-type': 'application/x-protobuf' }),
    await post('/v1/metrics', { 'user-agent': 'OTel-OTLP-Exporter-JavaScript/0.203.0' }),
    await post('/v0.4/traces', { 'datadog-meta-lang': 'nodejs' }),
    await post('/api/42/envelope/', {}),
    await post('/intake/v2/events', { 'user-agent': 'apm-agent-nodejs/4.0.0' }),
  ];
  await get('/v0.4/traces', { method: 'PUT', headers: { 'Datadog-Meta-Lang': 'nodejs' } });
  for (const headers of sent) assert.equal(headers.traceparent, undefined);
  assert.equal((await take()).length, 0);
  assert.ok((await post('/v1/metrics', { 'content-type': 'application/json' })).traceparent);
  assert.equal((await take()).length, 1);
});

test('what OpenTelemetry marks as its own work is left alone', { timeout: 30000 }, async () => {
  const key = Symbol.for('opentelemetry.js.api.1');
  const { [key]: before_ } = globalThis;
  const suppressed = {
    getValue: (asked) => asked === Symbol.for('OpenTelemetry SDK Context Key SUPPRESS_TRACING'),
  };
  globalThis[key] = { context: { active: () => suppressed } };
  try {
    await read('/any');
    await get('/any');
  } finally {
    globalThis[key] = before_;
  }
  assert.equal((await take()).length, 0);
});
