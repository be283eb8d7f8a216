'use strict';
// The ids of the current span as text: of the innermost one, also of a caller, and none without
// one.

const assert = require('node:assert/strict');
const { after, test } = require('node:test');
const current = require('../../bindings/node/lib/current.js');
const { LIMIT, restart, telemetry } = require('./support.js');

after(() => telemetry.shutdown(LIMIT));

const ids = () => [telemetry.getCurrentTraceId(), telemetry.getCurrentSpanId()];
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

test('of the innermost span, and none without one', async () => {
  await restart();
  assert.deepEqual(ids(), ['', '']);
  assert.equal(current.currentIds(), null);
  telemetry.withSpan('outer', (outer) => {
    assert.deepEqual(ids(), [outer.traceId, outer.spanId]);
    telemetry.withSpan('inner', (inner) => {
      assert.deepEqual(ids(), [outer.traceId, inner.spanId]);
      assert.notEqual(inner.spanId, outer.spanId);
    });
    assert.deepEqual(ids(), [outer.traceId, outer.spanId]);
    telemetry.runWithContext(telemetry.extract({}), () => assert.deepEqual(ids(), ['', '']));
  });
  assert.deepEqual(ids(), ['', '']);
});

test('of a caller, with its flags', async () => {
  await restart();
  for (const flags of [0, 1]) {
    const context = telemetry.extract({ traceparent: `00-${TRACE}-${SPAN}-0${flags}` });
    telemetry.runWithContext(context, () => {
      assert.deepEqual(ids(), [TRACE, SPAN]);
      assert.equal(current.currentIds().traceFlags & 1, flags);
    });
  }
});

test('of a span that has ended, as long as it is current', async () => {
  await restart();
  telemetry.withSpan('s', (span) => {
    span.end();
    assert.deepEqual(ids(), [span.traceId, span.spanId]);
  });
});

test('service name and environment are those of the start', async () => {
  await restart({ serviceName: 'shop', environment: 'test' });
  assert.deepEqual([current.serviceName(), current.environment()], ['shop', 'test']);
});
