'use strict';
// Spans: recorded data, end, propagation, and parent.

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

describe('spans', { timeout: 60000 }, () => {
  beforeEach(() => restart());
  after(() => telemetry.shutdown(LIMIT));

  test('values of every kind', async () => {
    const long = 'y'.repeat(5000);
    startSpan('s', {
      text: 'plain',
      empty: '',
      wide: 'grüße €\u{1f600}',
      long,
      longWide: '€'.repeat(300),
      lone: 'a\ud800b',
      whole: 7,
      negative: -1,
      real: 1.5,
      big: 2 ** 60,
      yes: true,
      no: false,
      bigint: 2n ** 62n,
      beyond: 2n ** 64n,
      bytes: Buffer.from('ab'),
      list: [1, 'x', true, null, 1.5],
      map: { a: 1, b: { c: ['d'] } },
      entries: new Map([['k', 1n]]),
      nothing: null,
      missing: undefined,
      date: new Date(0),
      floats: new Float32Array([0.5, 2]),
      boxed: new String('boxed'),
    }).end();
    const span = (await take()).one('s');
    assert.deepStrictEqual(own(span), {
      text: 'plain',
      empty: '',
      wide: 'grüße €\u{1f600}',
      long,
      longWide: '€'.repeat(300),
      lone: 'a\ufffdb',
      whole: 7,
      negative: -1,
      real: 1.5,
      big: 2 ** 60,
      yes: true,
      no: false,
      bigint: 2n ** 62n,
      beyond: '18446744073709551616',
      bytes: Buffer.from('ab'),
      list: [1, 'x', true, null, 1.5],
      map: { a: 1, b: { c: ['d'] } },
      entries: { k: 1 },
      date: '1970-01-01T00:00:00.000Z',
      floats: [0.5, 2],
      boxed: 'boxed',
    });
    assert.strictEqual(span.dropped, 0);
  });

  test('texts of every length arrive as they are', async () => {
    const texts = [];
    for (let n = 0; n < 200; n++)
      texts.push(
        'abcdefghij'.repeat(20).slice(0, n),
        'aé€\u{1f600}'.repeat(60).slice(0, n * 5 - (n % 5)),
      );
    for (const [i, text] of texts.entries()) startSpan('s', { i, text }).end();
    const spans = await take();
    assert.strictEqual(spans.length, texts.length);
    for (const span of spans)
      assert.strictEqual(
        span.attributes.text,
        texts[span.attributes.i].toWellFormed?.() ?? span.attributes.text,
      );
  });
});

describe('values that are dropped or replaced', { timeout: 60000 }, () => {
  beforeEach(() => restart());
  after(() => telemetry.shutdown(LIMIT));

  test('what is no value is dropped and counted', async () => {
    const span = startSpan('s', {
      good: 1,
      fn() {},
      symbol: Symbol('x'),
      date: new Date(NaN),
      instance: new (class A {})(),
      list: [() => 1],
    });
    span
      .setAttribute(Symbol('key'), 1)
      .setAttribute(7, 1)
      .setAttribute('', 1)
      .setAttribute('last', 2);
    span.end();
    const recorded = (await take()).one('s');
    assert.deepStrictEqual(own(recorded), { good: 1, last: 2 });
    assert.strictEqual(recorded.dropped, 8);
  });

  test('the last value of a key wins; after the end nothing is kept', async () => {
    const span = startSpan('s', { a: 1 });
    span.setAttributes({ a: 2, b: 1 }).setAttribute('b', 3);
    assert.strictEqual(span.isRecording(), true);
    span.end();
    assert.strictEqual(span.isRecording(), false);
    span
      .setAttribute('late', 1)
      .addEvent('late')
      .setStatus('error')
      .updateName('late')
      .recordException(new Error('late'))
      .addLink(REMOTE);
    span.end();
    const recorded = (await take()).one('s');
    assert.deepStrictEqual(own(recorded), { a: 2, b: 3 });
    assert.deepStrictEqual([recorded.events, recorded.links, recorded.status.code], [[], [], 0]);
  });
});

describe('names, times and what happens to a span', { timeout: 60000 }, () => {
  beforeEach(() => restart());
  after(() => telemetry.shutdown(LIMIT));

  test('names, kinds, times', async () => {
    startSpan('words', null, { kind: 'Client' }).end();
    startSpan('number', null, { kind: telemetry.SpanKind.CONSUMER }).end();
    startSpan('none', null, { kind: 'nonsense' }).end();
    startSpan('', null).end();
    startSpan('old').updateName('new').end();
    startSpan('timed', null, { startTime: 1.7e12 + 0.25 }).end(1700000001000000000n);
    startSpan('dated', null, { startTime: new Date(1.7e12) }).end([1700000000, 5]);
    const before = performance.now();
    startSpan('reading', null, { startTime: before }).end(performance.now());
    const spans = await take();
    assert.deepStrictEqual(
      ['words', 'number', 'none', 'unnamed', 'new'].map((name) => spans.one(name).kind),
      [3, 5, 1, 1, 1],
    );
    const timed = spans.one('timed');
    assert.deepStrictEqual([timed.start, timed.end], [1700000000000250000n, 1700000001000000000n]);
    assert.deepStrictEqual(
      [spans.one('dated').start, spans.one('dated').end],
      [1700000000000000000n, 1700000000000000005n],
    );
    const reading = spans.one('reading');
    assert.ok(
      reading.end >= reading.start &&
        Math.abs(Number(reading.start / 1000000n) - (performance.timeOrigin + before)) < 5,
    );
  });

  test('clocks agree with the wall clock, and children lie inside', async () => {
    const before = BigInt(Date.now() - 5) * 1000000n;
    withSpan('outer', () => withSpan('inner', () => {}));
    const after = BigInt(Date.now() + 5) * 1000000n;
    const spans = await take();
    const [outer, inner] = [spans.one('outer'), spans.one('inner')];
    assert.ok(
      before <= outer.start &&
        outer.start <= inner.start &&
        inner.start <= inner.end &&
        inner.end <= outer.end &&
        outer.end <= after,
    );
  });
});

describe('events, links, status and exceptions', { timeout: 60000 }, () => {
  beforeEach(() => restart());
  after(() => telemetry.shutdown(LIMIT));

  test('events, links, status', async () => {
    const other = startSpan('other');
    const span = startSpan('s', null, {
      links: [REMOTE, { context: other, attributes: { why: 'x' } }, 7],
    });
    span
      .addEvent('plain')
      .addEvent('full', { a: 1, list: [1], bad() {} }, 1700000000000000000n)
      .addEvent('at', 1.7e12);
    span
      .addLink({ context: { ...REMOTE, traceState: 'k=v' } })
      .addLinks([other])
      .addLink(null)
      .addLink({});
    span.setStatus({ code: 2, message: 'why' });
    span.end();
    other.setStatus('ok').setStatus('error', 'ignored').end();
    const spans = await take();
    const recorded = spans.one('s');
    assert.deepStrictEqual(
      recorded.events.map((event) => [event.name, event.attributes]),
      [
        ['plain', {}],
        ['full', { a: 1, list: [1] }],
        ['at', {}],
      ],
    );
    assert.deepStrictEqual(
      recorded.events.slice(1).map((event) => event.time),
      [1700000000000000000n, 1700000000000000000n],
    );
    assert.ok(recorded.events[0].time >= recorded.start && recorded.events[0].time <= recorded.end);
    assert.deepStrictEqual(
      recorded.links.map((link) => link.spanId),
      [REMOTE.spanId, other.spanId, REMOTE.spanId, other.spanId],
    );
    assert.strictEqual(recorded.links[0].traceId, REMOTE.traceId);
    assert.deepStrictEqual(
      recorded.links.map((link) => link.flags & 0x300),
      [0x300, 0x100, 0x300, 0x100],
    );
    assert.deepStrictEqual(
      [recorded.links[1].attributes, recorded.links[2].traceState],
      [{ why: 'x' }, 'k=v'],
    );
    assert.deepStrictEqual(recorded.status, { code: 2, message: 'why' });
    assert.strictEqual(spans.one('other').status.code, 1);
    assert.deepStrictEqual([recorded.dropped, recorded.droppedLinks], [1, 3]);
  });

  test('exceptions', async () => {
    class ShopError extends Error {}
    const cause = new TypeError('inner');
    const span = startSpan('s');
    span.recordException(new ShopError('outer', { cause }), { own: 1 });
    span
      .recordException('text')
      .recordException({ name: 'Odd', message: 'm' }, null, 1700000000000000000n);
    span.end();
    const recorded = (await take()).one('s');
    const [first, second, third] = recorded.events;
    assert.strictEqual(first.name, 'exception');
    assert.deepStrictEqual(
      [
        first.attributes['exception.type'],
        first.attributes['exception.message'],
        first.attributes.own,
      ],
      ['ShopError', 'outer', 1],
    );
    assert.match(
      first.attributes['exception.stacktrace'],
      /outer\n +at [^]*\nCaused by: TypeError: inner\n +at /,
    );
    assert.deepStrictEqual(
      [second.attributes['exception.type'], second.attributes['exception.message']],
      ['string', 'text'],
    );
    assert.deepStrictEqual(
      [third.attributes['exception.type'], third.time],
      ['Odd', 1700000000000000000n],
    );
    assert.strictEqual(recorded.status.code, 0);
  });
});

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

test('off: one span for all, without ids', async () => {
  await telemetry.shutdown(LIMIT);
  const span = startSpan('s', { a: 1 });
  assert.strictEqual(span, startSpan('t'));
  assert.strictEqual(span.isRecording(), false);
  assert.strictEqual(
    withSpan('w', (inner) => (assert.strictEqual(inner, span), 3)),
    3,
  );
  assert.deepStrictEqual([telemetry.getCurrentTraceId(), telemetry.getCurrentSpanId()], ['', '']);
  assert.strictEqual(telemetry.getCurrentSpan(), span);
  assert.strictEqual(startSpan('s', null, { parent: REMOTE }).traceId, REMOTE.traceId);
});
