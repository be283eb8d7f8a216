'use strict';
// The format of winston: ids of the current span and of the correlation context, where a line has
// none, and lines that cannot be changed.

const assert = require('node:assert/strict');
const { finished } = require('node:stream/promises');
const { test } = require('node:test');
const { runWithCorrelationContext, winstonFormat } = require('../../bindings/node/lib/logging');
const { collector, withTelemetry } = require('./lines.js');

const telemetry = withTelemetry();

function load() {
  try {
    return require('winston');
  } catch {
    return null;
  }
}

test('without a span and a context a line stays as it is', () => {
  assert.deepEqual(winstonFormat().transform({ level: 'info' }), { level: 'info' });
});

test('fields of the line win', () => {
  runWithCorrelationContext({ correlationId: 'c', requestId: 'r' }, () => {
    const line = winstonFormat().transform({ level: 'info', correlation_id: 'mine' });
    assert.deepEqual([line.correlation_id, line.request_id], ['mine', 'r']);
  });
});

test('a line that cannot be changed is logged unchanged', () => {
  runWithCorrelationContext({ correlationId: 'c' }, () => {
    const frozen = Object.freeze({ level: 'info' });
    assert.equal(winstonFormat().transform(frozen), frozen);
    assert.equal(winstonFormat().transform(undefined), undefined);
  });
});

test('in a logger of winston', { skip: !load() && 'winston is not installed' }, async () => {
  const { lines, stream } = collector();
  const winston = load();
  const log = winston.createLogger({
    format: winston.format.combine(winstonFormat(), winston.format.json()),
    transports: [new winston.transports.Stream({ stream })],
  });
  let id;
  telemetry.withSpan('work', () => {
    id = telemetry.getCurrentTraceId();
    log.info('x', { a: 1 });
  });
  log.end();
  stream.end();
  await finished(stream);
  assert.deepEqual([lines[0].trace_id, lines[0].a, lines[0].message], [id, 1, 'x']);
});
