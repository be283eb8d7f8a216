'use strict';
// The current span through promises, timers and events, and the results of functions inside of
// spans.

const assert = require('node:assert');
const { EventEmitter } = require('node:events');
const { after, beforeEach, describe, test } = require('node:test');
const { execFile } = require('node:child_process');
const { promisify } = require('node:util');
const { LIMIT, own, restart, take, telemetry } = require('./support.js');

const { withSpan, getCurrentSpan, getCurrentTraceId, getCurrentSpanId } = telemetry;
const pause = () => new Promise((resolve) => setTimeout(resolve, 1));

describe('the current span', { timeout: 60000 }, () => {
  beforeEach(() => restart());
  after(() => telemetry.shutdown(LIMIT));

  test('goes along with await, timers, microtasks and nextTick', async () => {
    await withSpan('outer', async (span) => {
      assert.strictEqual(getCurrentSpan(), span);
      await pause();
      assert.strictEqual(getCurrentTraceId(), span.traceId);
      await new Promise((resolve) =>
        setImmediate(() =>
          queueMicrotask(() =>
            process.nextTick(() => {
              assert.strictEqual(getCurrentSpanId(), span.spanId);
              resolve();
            }),
          ),
        ),
      );
    });
    assert.deepStrictEqual([getCurrentTraceId(), getCurrentSpanId()], ['', '']);
  });

  test('does not mix in parallel work', async () => {
    await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        withSpan(`s${i}`, async (span) => {
          for (let step = 0; step < 5; step++) {
            await pause();
            assert.strictEqual(getCurrentSpan(), span);
            await withSpan(`child ${i}`, async (child) => {
              await null;
              assert.strictEqual(getCurrentSpan(), child);
            });
          }
        }),
      ),
    );
    const spans = await take();
    for (let i = 0; i < 50; i++) {
      const parent = spans.one(`s${i}`);
      const children = spans.filter((span) => span.name === `child ${i}`);
      assert.deepStrictEqual(
        children.map((span) => span.parentId),
        Array(5).fill(parent.spanId),
      );
    }
  });
});

describe('the current span of emitters and functions', { timeout: 60000 }, () => {
  beforeEach(() => restart());
  after(() => telemetry.shutdown(LIMIT));

  test('listeners of events have the span of the emitter', async () => {
    const emitter = new EventEmitter();
    let seen;
    withSpan('registering', () => emitter.on('x', () => (seen = getCurrentSpan())));
    withSpan('emitting', (span) => (emitter.emit('x'), assert.strictEqual(seen, span)));
  });

  test('results and errors pass as they are', async () => {
    const object = {};
    assert.strictEqual(
      withSpan('a', () => object),
      object,
    );
    assert.strictEqual(
      withSpan('b', { k: 1 }, () => undefined),
      undefined,
    );
    assert.strictEqual(
      withSpan('c', null, { kind: 'client' }, () => null),
      null,
    );
    assert.strictEqual(await withSpan('d', async () => object), object);
    const error = new RangeError('sync');
    assert.throws(
      () =>
        withSpan('e', () => {
          throw error;
        }),
      (thrown) => thrown === error,
    );
    let waited;
    await assert.rejects(
      withSpan('f', async () => {
        const begun = process.hrtime.bigint();
        await pause();
        waited = process.hrtime.bigint() - begun;
        throw error;
      }),
      (thrown) => thrown === error,
    );
    for (const odd of [undefined, null, 0, 'text', Symbol('s')]) {
      assert.throws(
        () =>
          withSpan('odd', () => {
            throw odd;
          }),
        (thrown) => thrown === odd,
      );
    }
    const generator = withSpan('g', () =>
      (function* () {
        yield 1;
      })(),
    );
    assert.deepStrictEqual([...generator], [1]);
    const spans = await take();
    assert.deepStrictEqual(own(spans.one('b')), { k: 1 });
    assert.strictEqual(spans.one('c').kind, 3);
    for (const name of ['e', 'f']) {
      const span = spans.one(name);
      assert.deepStrictEqual(span.status, { code: 2, message: 'RangeError: sync' });
      const [event] = span.events;
      assert.deepStrictEqual(
        [
          event.attributes['exception.type'],
          event.attributes['exception.message'],
          event.attributes['exception.escaped'],
        ],
        ['RangeError', 'sync', true],
      );
    }
    assert.strictEqual(
      spans.filter((span) => span.name === 'odd' && span.status.code === 2).length,
      5,
    );
    const slack = 100000n; // the clocks are calibrated, not equal
    assert.ok(spans.one('f').end - spans.one('f').start >= waited - slack);
  });
});

describe('what runs inside of a span', { timeout: 60000 }, () => {
  beforeEach(() => restart());
  after(() => telemetry.shutdown(LIMIT));

  test('thenables are awaited once; one that misbehaves is a value', async () => {
    let calls = 0;
    const lazy = {
      then(resolve) {
        calls++;
        setTimeout(resolve, 1, 'done');
      },
    };
    assert.strictEqual(await withSpan('lazy', () => lazy), 'done');
    assert.strictEqual(calls, 1);
    const broken = {
      get then() {
        throw new Error('no');
      },
    };
    assert.strictEqual(
      withSpan('broken', () => broken),
      broken,
    );
    await assert.rejects(
      withSpan('refusing', () => ({
        then() {
          throw new TypeError('refused');
        },
      })),
      TypeError,
    );
    assert.deepStrictEqual(
      (await take()).map((span) => [span.name, span.status.code]),
      [
        ['lazy', 0],
        ['broken', 0],
        ['refusing', 2],
      ].sort((a, b) => 0),
    );
  });

  test('a cancelled operation is no error', async () => {
    await assert.rejects(
      withSpan('s', async () => {
        throw new DOMException('stop', 'AbortError');
      }),
    );
    const span = (await take()).one('s');
    assert.deepStrictEqual([span.status.code, span.events.length], [0, 0]);
  });

  test('ended by hand inside: once', async () => {
    withSpan('s', (span) => (span.setAttribute('a', 1), span.end()));
    assert.deepStrictEqual(own((await take()).one('s')), { a: 1 });
  });

  test('telemetry ends and begins inside of a span', async () => {
    await withSpan('s', async () => {
      await restart();
      withSpan('inner', () => {});
    });
    const spans = await take();
    assert.deepStrictEqual(
      spans.map((span) => span.name),
      ['inner'],
    );
  });
});

test(
  'a rejection that nobody handles is still unhandled, and a handled one is not',
  { timeout: 60000 },
  async () => {
    const index = JSON.stringify(require.resolve('../../bindings/node/lib/index.js'));
    const program = (rest) => `const t = require(${index});
      t.init({ enabled: true, exporter: 'memory', backend: 'otel', sampleRatio: 1 });
    process.on('unhandledRejection', (e) => console.log('unhandled', e.message)); ${rest};
      setTimeout(() => {}, 50);`;
    const run = async (rest) =>
      (await promisify(execFile)(process.execPath, ['-e', program(rest)], { timeout: 20000 }))
        .stdout;
    assert.strictEqual(
      await run("t.withSpan('s', async () => { throw new Error('x') })"),
      'unhandled x\n',
    );
    assert.strictEqual(
      await run("t.withSpan('s', async () => { throw new Error('x') }).catch(() => {})"),
      '',
    );
  },
);
