'use strict';
// Values of common types as attributes: recorded as in the shared vectors, of any realm; one
// warning for a dropped value.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const vm = require('node:vm');
const { after, beforeEach, describe, test } = require('node:test');
const { LIMIT, kept, own, restart, telemetry } = require('./support.js');
const { run } = require('./programs.js');
const vectors = JSON.parse(fs.readFileSync(path.join(__dirname, '../vectors/values.json'), 'utf8'));

describe('values', { timeout: 60000 }, () => {
  beforeEach(() => restart({ logLevel: 'error' }));
  after(() => telemetry.shutdown(LIMIT));

  test('as the shared vectors say', async () => {
    const cases = vectors.filter((item) => item.node !== undefined);
    assert.ok(cases.length >= 10);
    for (const item of cases) {
      const span = await kept({ v: vm.runInThisContext(`(${item.node})`) });
      const expected = item.kept === false ? {} : { v: item.value, 'set v': item.value };
      assert.deepEqual(own(span), expected, item.is);
      assert.equal(span.dropped, item.kept === false ? 2 : 0, item.is);
    }
  });

  test('values of another realm are what they are there', async () => {
    const foreign = vm.runInNewContext(`({
      bytes: new Uint8Array([104, 105]), clamped: new Uint8ClampedArray([1]),
        view: new DataView(new ArrayBuffer(2)),
      buffer: new ArrayBuffer(1), numbers: new Float64Array([0.5]), set: new Set(['a']),
        map: new Map([['k', 1]]),
      date: new Date(0), list: [1], object: { a: 1 } })`);
    const span = await kept({ ...foreign });
    const bytes = (...values) => Buffer.from(values);
    assert.deepEqual(
      Object.fromEntries(Object.entries(own(span)).filter(([key]) => !key.startsWith('set '))),
      {
        bytes: bytes(104, 105),
        clamped: bytes(1),
        view: bytes(0, 0),
        buffer: bytes(0),
        numbers: [0.5],
        set: ['a'],
        map: { k: 1 },
        date: '1970-01-01T00:00:00.000Z',
        list: [1],
        object: { a: 1 },
      },
    );
  });

  test('hostile objects cost no more than themselves', async () => {
    const trap = () => {
      throw new Error('trap');
    };
    class Bad {
      toString() {
        trap();
      }
    }
    class Odd {
      toString() {
        return {};
      }
    }
    const circle = new Set();
    circle.add(circle);
    const span = await kept({
      bad: new Bad(),
      odd: new Odd(),
      circle,
      request: new (require('http').IncomingMessage)(),
      good: 1,
    });
    assert.deepEqual(
      [own(span).good, own(span).bad, own(span).odd, own(span).request],
      [1, undefined, undefined, undefined],
    );
    assert.ok(span.dropped >= 6);
  });
});

test('readings of performance.now() hold after a sleep or a step of the clock', async () => {
  const done = await run(`Object.defineProperty(performance, 'timeOrigin', {
      value: performance.timeOrigin - 3600e3 });
    t.init({ enabled: true, exporter: 'file', filePath: 'spans.jsonl', sampleRatio: 1 });
    const begin = performance.now();
    const span = t.startSpan('s', null, { startTime: begin });
    setTimeout(() => {
      span.addEvent('event', performance.now());
      span.recordException(new Error('x'), performance.now());
      span.end(performance.now());
      t.startSpan('past', null, { startTime: begin }).end(begin + 10);
      t.startSpan('pair', null, { startTime: [0, 1e6] }).end();
      t.startSpan('future').end(performance.now() + 1e6);
    }, 50);`);
  assert.equal(done.code, 0, done.stderr);
  const text = fs.readFileSync(path.join(done.folder, 'spans.jsonl'), 'utf8');
  const spans = text
    .split('\n')
    .filter(Boolean)
    .flatMap((line) => JSON.parse(line).resourceSpans);
  const found = Object.fromEntries(
    spans
      .flatMap((r) => r.scopeSpans)
      .flatMap((s) => s.spans)
      .map((span) => [span.name, span]),
  );
  const tookMs = ({ startTimeUnixNano, endTimeUnixNano }) =>
    Number(BigInt(endTimeUnixNano) - BigInt(startTimeUnixNano)) / 1e6;
  const now = Date.now();
  for (const { startTimeUnixNano } of Object.values(found)) {
    assert.ok(Math.abs(Number(BigInt(startTimeUnixNano) / 1000000n) - now) < 60000);
  }
  assert.ok(tookMs(found.s) >= 45 && tookMs(found.s) < 30000, tookMs(found.s));
  assert.ok(Math.abs(tookMs(found.past) - 10) < 0.01, tookMs(found.past));
  assert.ok(tookMs(found.future) < 30000);
  for (const event of found.s.events) {
    assert.ok(BigInt(event.timeUnixNano) > BigInt(found.s.startTimeUnixNano));
    assert.ok(BigInt(event.timeUnixNano) <= BigInt(found.s.endTimeUnixNano));
  }
});
