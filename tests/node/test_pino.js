'use strict';
// The mixin of pino: ids of the current span and of the correlation context, where a line has none.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const pino = require('pino');
const { runWithCorrelationContext, traceMixin } = require('../../bindings/node/lib/logging');
const { collector, withTelemetry } = require('./lines.js');

const telemetry = withTelemetry();

test('without a span and a context there are no fields', () => {
  assert.deepEqual(traceMixin()(), {});
});

test('correlation ids without a span, with the id of a person as a pseudonym', () => {
  runWithCorrelationContext({ correlationId: 'c', userId: 'u' }, () => {
    const fields = traceMixin({ hashKey: 'k' })();
    assert.equal(fields.correlation_id, 'c');
    assert.match(fields.user_id, /^h1_/);
  });
});

test('each line has its own object, and fields of the line win', () => {
  const mixin = traceMixin();
  telemetry.withSpan('work', () => {
    assert.deepEqual(mixin(), mixin());
    assert.notEqual(mixin(), mixin());
    const { lines, stream } = collector();
    const log = pino({ mixin }, stream);
    log.info({ a: 1 }, 'x');
    log.info({ trace_id: 'mine' }, 'x');
    assert.equal(lines[0].trace_id, telemetry.getCurrentTraceId());
    assert.equal(lines[0].span_id, telemetry.getCurrentSpanId());
    assert.deepEqual([lines[0].a, lines[1].trace_id], [1, 'mine']);
  });
});
