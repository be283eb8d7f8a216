'use strict';
// The fields of a line from its context: trace_id and span_id of the current span, and the ids of
// the correlation context.

const test = require('node:test');
const assert = require('node:assert/strict');
const { setTimeout: sleep } = require('node:timers/promises');
const {
  createLogger,
  getCorrelationContext,
  getStructuredLogContext,
  runWithCorrelationContext,
} = require('../../bindings/node/lib/logging');
const { setUp } = require('./lines.js');

const { collector, withTelemetry } = require('./lines.js');

const telemetry = withTelemetry();

test('without a span there are no ids', () => {
  assert.deepEqual(getStructuredLogContext(), {});
  const { lines, stream } = collector();
  createLogger({ destination: stream }).info('x');
  assert.equal('trace_id' in lines[0] || 'span_id' in lines[0], false);
});

test('with a span', { timeout: 30_000 }, async (t) => {
  await t.test('every line of the logger', async () => {
    const { lines, stream } = collector();
    const log = createLogger({ destination: stream });
    let ids;
    await telemetry.withSpan('work', async () => {
      await sleep(1);
      ids = { trace_id: telemetry.getCurrentTraceId(), span_id: telemetry.getCurrentSpanId() };
      assert.deepEqual(getStructuredLogContext(), ids);
      log.info('a');
      log.child({ step: 1 }).error('b', new Error('x'));
      log.info('given', { trace_id: 'mine' });
    });
    log.info('outside');
    assert.match(ids.trace_id, /^[0-9a-f]{32}$/);
    assert.match(ids.span_id, /^[0-9a-f]{16}$/);
    for (const line of lines.slice(0, 2))
      assert.deepEqual({ trace_id: line.trace_id, span_id: line.span_id }, ids);
    assert.equal(lines[2].trace_id, 'mine');
    assert.equal(lines[3].trace_id, undefined);
  });

  await t.test('parallel spans have their own ids', async () => {
    const { lines, stream } = collector();
    const log = createLogger({ destination: stream });
    const ids = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        telemetry.withSpan(`s${i}`, async () => {
          await sleep(i % 5);
          log.info(`line ${i}`);
          return telemetry.getCurrentSpanId();
        }),
      ),
    );
    for (const line of lines) assert.equal(line.span_id, ids[Number(line.message.slice(5))]);
    assert.equal(new Set(ids).size, 20);
  });
});

test('the correlation context is in every line', async () => {
  const { lines, log } = setUp({ hashKey: 'key' });
  const child = log.child({ step: 1 });
  await runWithCorrelationContext(
    { correlationId: 'c', requestId: 'r', sessionId: 's', userId: 'u' },
    async () => {
      await null;
      child.info('inside');
      assert.deepEqual(getCorrelationContext().userId, 'u');
    },
  );
  const { correlation_id, request_id, session_id, user_id } = lines.last;
  assert.deepEqual([correlation_id, request_id, session_id], ['c', 'r', 's']);
  assert.match(user_id, /^h1_/);
  log.info('outside');
  assert.equal(lines.last.correlation_id, undefined);
  log.info('given', { correlationId: 'mine', requestId: 'r2' });
  assert.deepEqual([lines.last.correlation_id, lines.last.request_id], ['mine', 'r2']);
});
