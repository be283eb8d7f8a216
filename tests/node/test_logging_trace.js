'use strict';

// trace_id and span_id on lines of the logger, of pino with the mixin, and of winston with the
// format.

const test = require('node:test');
const assert = require('node:assert/strict');
const { setTimeout: sleep } = require('node:timers/promises');
const { Writable } = require('node:stream');
const {
  createLogger,
  getStructuredLogContext,
  runWithCorrelationContext,
  traceMixin,
  winstonFormat,
} = require('../../bindings/node/lib/logging');

function load(name) {
  try {
    return require(name);
  } catch {
    return null;
  }
}

const telemetry = load('../../bindings/node/lib/index.js');
const active = typeof telemetry?.withSpan === 'function' && typeof telemetry?.init === 'function';
const skip = active ? false : 'the package has no withSpan yet';

test.before(() => {
  if (active)
    telemetry.init({ enabled: true, exporter: 'memory', sampleRatio: 1, serviceName: 'shop' });
});
test.after(() => (active ? telemetry.shutdown(1000) : undefined));

function collector() {
  const lines = [];
  const stream = new Writable({
    write(chunk, encoding, done) {
      lines.push(JSON.parse(String(chunk)));
      done();
    },
  });
  return { lines, stream };
}

test('without a span there are no ids', () => {
  assert.deepEqual(getStructuredLogContext(), {});
  assert.deepEqual(traceMixin()(), {});
  const { lines, stream } = collector();
  createLogger({ destination: stream }).info('x');
  assert.equal('trace_id' in lines[0] || 'span_id' in lines[0], false);
  assert.deepEqual(winstonFormat().transform({ level: 'info' }), { level: 'info' });
});

test('correlation ids without a span, for pino and winston', () => {
  runWithCorrelationContext({ correlationId: 'c', userId: 'u' }, () => {
    const fields = traceMixin({ hashKey: 'k' })();
    assert.equal(fields.correlation_id, 'c');
    assert.match(fields.user_id, /^h1_/);
    assert.equal(
      winstonFormat().transform({ level: 'info', correlation_id: 'mine' }).correlation_id,
      'mine',
    );
    const frozen = Object.freeze({ level: 'info' });
    assert.equal(winstonFormat().transform(frozen), frozen);
    assert.doesNotThrow(() => winstonFormat().transform(undefined));
  });
});

test('with a span', { skip, timeout: 30_000 }, async (t) => {
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

test('with a span, in loggers of other packages', { skip, timeout: 30_000 }, async (t) => {
  await t.test("pino's mixin", { skip: !load('pino') && 'not installed' }, () => {
    const { lines, stream } = collector();
    const log = load('pino')({ mixin: traceMixin() }, stream);
    telemetry.withSpan('work', () => {
      log.info({ a: 1 }, 'x');
      log.info({ trace_id: 'mine' }, 'x');
      assert.equal(lines[0].trace_id, telemetry.getCurrentTraceId());
    });
    assert.deepEqual([lines[0].a, lines[1].trace_id], [1, 'mine']);
  });

  await t.test("winston's format", { skip: !load('winston') && 'not installed' }, async () => {
    const { lines, stream } = collector();
    const winston = load('winston');
    const log = winston.createLogger({
      format: winston.format.combine(winstonFormat(), winston.format.json()),
      transports: [new winston.transports.Stream({ stream })],
    });
    let id;
    telemetry.withSpan('work', () => {
      id = telemetry.getCurrentTraceId();
      log.info('x', { a: 1 });
    });
    await sleep(10);
    assert.deepEqual([lines[0].trace_id, lines[0].a, lines[0].message], [id, 1, 'x']);
  });
});
