'use strict';
// The start of spans: parents, ids, the head decision, and spans of an earlier start.

const assert = require('node:assert');
const { after, beforeEach, describe, test } = require('node:test');
const { LIMIT, own, restart, take, telemetry } = require('./support.js');

const { startSpan, withSpan } = telemetry;
const REMOTE = {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  traceFlags: 1,
  isRemote: true,
};

describe('parents and ids', { timeout: 60000 }, () => {
  beforeEach(() => restart());
  after(() => telemetry.shutdown(LIMIT));

  test('parents: current, named, none', async () => {
    const ended = startSpan('ended');
    ended.end();
    withSpan('around', () => {
      startSpan('by default').end();
      startSpan('by span', null, { parent: ended }).end();
      startSpan('by context', null, { parent: REMOTE }).end();
      startSpan('by extract', null, {
        parent: telemetry.extract({
          traceparent: `00-${REMOTE.traceId}-${REMOTE.spanId}-01`,
          tracestate: 'k=v',
        }),
      }).end();
      startSpan('root', null, { root: true }).end();
      startSpan('by nothing', null, { parent: telemetry.extract({}) }).end();
      startSpan('by nonsense', null, { parent: { traceId: 'x' } }).end();
    });
    const spans = await take();
    const around = spans.one('around');
    assert.strictEqual(spans.one('by default').parentId, around.spanId);
    assert.deepStrictEqual(
      [spans.one('by span').parentId, spans.one('by span').traceId],
      [ended.spanId, ended.traceId],
    );
    for (const name of ['by context', 'by extract']) {
      assert.deepStrictEqual(
        [spans.one(name).parentId, spans.one(name).traceId, spans.one(name).flags & 0x300],
        [REMOTE.spanId, REMOTE.traceId, 0x300],
      );
    }
    assert.match(spans.one('by extract').traceState, /k=v/);
    for (const name of ['root', 'by nothing', 'by nonsense']) {
      assert.strictEqual(spans.one(name).parentId, '');
      assert.notStrictEqual(spans.one(name).traceId, around.traceId);
    }
  });

  test('ids are what is exported', async () => {
    const span = startSpan('s');
    const context = span.spanContext();
    span.end();
    const recorded = (await take()).one('s');
    assert.deepStrictEqual([span.traceId, span.spanId], [recorded.traceId, recorded.spanId]);
    assert.deepStrictEqual(
      [context.traceId, context.spanId, context.traceFlags],
      [span.traceId, span.spanId, 3],
    );
    assert.match(span.traceId, /^[0-9a-f]{32}$/);
    assert.match(span.spanId, /^[0-9a-f]{16}$/);
  });

  test('tracers name their scope', async () => {
    const tracer = telemetry.getTracer('shop', '1.2');
    tracer.startSpan('a', { kind: 2, attributes: { x: 1 } }).end();
    assert.strictEqual(
      tracer.startActiveSpan('b', (span) => {
        assert.strictEqual(telemetry.getCurrentSpan(), span);
        span.end();
        return 5;
      }),
      5,
    );
    tracer.startActiveSpan('c', { attributes: { y: 1 } }, telemetry.extract({}), (span) =>
      span.end(),
    );
    assert.strictEqual(
      tracer.withSpan('d', () => 6),
      6,
    );
    const spans = await take();
    assert.deepStrictEqual(
      spans.map((span) => [span.name, span.scope.name, span.scope.version]),
      ['a', 'b', 'c', 'd'].map((name) => [name, 'shop', '1.2']),
    );
    assert.deepStrictEqual(
      [spans.one('a').kind, own(spans.one('a')), own(spans.one('c'))],
      [3, { x: 1 }, { y: 1 }],
    );
  });

  test('the flags and tracestate of the head decision', async () => {
    await restart({ sampleRatio: 0.5 });
    let sampled = 0;
    for (let i = 0; i < 400; i++) {
      const span = startSpan('s');
      const yes = span.traceFlags & 1;
      sampled += yes;
      assert.strictEqual(span.traceState, yes ? 'ot=th:8' : '');
      assert.strictEqual(yes === 1, BigInt(`0x${span.traceId.slice(18)}`) >= 2n ** 55n);
      span.end();
    }
    assert.strictEqual((await take()).length, sampled);
    assert.ok(sampled > 100 && sampled < 300);
  });
});

describe('what is kept', { timeout: 60000 }, () => {
  beforeEach(() => restart());
  after(() => telemetry.shutdown(LIMIT));

  test('a ratio of 0 gives ids and records nothing', async () => {
    await restart({ sampleRatio: 0 });
    const span = startSpan('s', { a: 1 });
    assert.strictEqual(span.isRecording(), false);
    assert.match(span.traceId, /[1-9a-f]/);
    assert.strictEqual(span.traceFlags & 1, 0);
    span.end();
    withSpan('w', () => assert.match(telemetry.getCurrentTraceId(), /^[0-9a-f]{32}$/));
    assert.strictEqual((await take()).length, 0);
  });

  test('errors of unsampled traces are kept', async () => {
    await restart({ sampleRatio: 0.000001 });
    assert.throws(() =>
      withSpan('failing', () => {
        throw new Error('x');
      }),
    );
    assert.strictEqual((await take()).one('failing').attributes['sampling.reason'], 'error');
  });

  test('spans of an earlier start are parents from outside', async () => {
    const old = startSpan('old');
    await restart();
    old.setAttribute('a', 1).addEvent('x');
    startSpan('new', null, { parent: old }).end();
    old.end();
    startSpan('more').end();
    const spans = await take();
    assert.deepStrictEqual(
      spans.map((span) => span.name),
      ['new', 'more'],
    );
    assert.deepStrictEqual([spans[0].traceId, spans[0].parentId], [old.traceId, old.spanId]);
  });

  test('a text that fits no span is cut, not lost', async () => {
    await restart({});
    const huge = '\u00e9'.repeat(3_000_000);
    const span = startSpan('s', { before: 1, huge, after: 'x' });
    span.setAttribute('list', [huge, 'end']);
    span.addEvent('e', { huge });
    span.end();
    const found = (await take()).one('s');
    const { before, huge: kept, after, list } = own(found);
    assert.deepStrictEqual([before, after], [1, 'x']);
    for (const text of [kept, list[0], found.events[0].attributes.huge]) {
      assert.match(text, /^\u00e9+$/);
      assert.ok(text.length > 10_000 && text.length < 600_000, String(text.length));
    }
    assert.strictEqual(list[1], 'end');
  });

  test('the limit of texts', async () => {
    await restart({ attributeValueLengthLimit: 5 });
    startSpan('s', { a: 'abcdefgh', b: '\u{1f600}'.repeat(9), c: 'abc', d: ['abcdefgh'] }).end();
    assert.deepStrictEqual(own((await take()).one('s')), {
      a: 'abcde',
      b: '\u{1f600}'.repeat(5),
      c: 'abc',
      d: ['abcde'],
    });
  });
});
