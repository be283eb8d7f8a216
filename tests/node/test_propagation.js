'use strict';
// Trace context and baggage between carriers and the parsers of the core: what is no parent, and
// which propagators are configured.

const assert = require('node:assert/strict');
const { test, afterEach } = require('node:test');

const telemetry = require('../../bindings/node/lib/index.js');
const { native } = require('../../bindings/node/lib/loader.js');
const { extract, inject } = require('../../bindings/node/lib/propagation.js');

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const PARENT = `00-${TRACE}-${SPAN}-01`;
const CONTEXT = { traceId: TRACE, spanId: SPAN, traceFlags: 1, traceState: 'a=1' };
const SENT = { traceparent: PARENT, tracestate: 'a=1', baggage: 'k=v' };

afterEach(() => telemetry.shutdown(1000));

for (const context of [
  null,
  undefined,
  {},
  { traceId: 'x' },
  { ...CONTEXT, traceId: '0'.repeat(32) },
  1,
  'text',
]) {
  test(`nothing is sent for ${JSON.stringify(context)}`, () =>
    assert.deepEqual(inject({}, context, ''), {}));
}

for (const carrier of [
  null,
  undefined,
  {},
  [],
  { traceparent: null },
  { traceparent: 1 },
  { traceparent: '' },
  { traceparent: `00-${'0'.repeat(32)}-${SPAN}-01` },
  { traceparent: '\ud800' },
  { traceparent: [null, 1] },
  { traceparent: [PARENT, PARENT] },
  [['traceparent'], 1, null, ['traceparent', PARENT, 'x']],
]) {
  test(`no parent in ${JSON.stringify(carrier)}`, () =>
    assert.equal(extract(carrier).context, null));
}

test('propagators are configured', () => {
  telemetry.init({ enabled: true, backend: 'otel', exporter: 'memory', propagators: 'baggage' });
  assert.deepEqual(inject({}, CONTEXT, 'k=v'), { baggage: 'k=v' });
  assert.deepEqual(extract(SENT), { context: null, baggage: 'k=v' });
});

test('excluded paths are those of the settings', () => {
  assert.equal(native.excludesPath('/healthz'), false);
  telemetry.init({
    enabled: true,
    backend: 'hybrid',
    exporter: 'none',
    excludedPaths: ['/healthz', '/static/*'],
  });
  const answers = ['/healthz', '/healthz/x', '/static/a.js', '/', ''].map((path) =>
    native.excludesPath(path),
  );
  assert.deepEqual(answers, [true, false, true, false, false]);
});
