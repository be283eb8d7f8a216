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
