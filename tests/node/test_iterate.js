'use strict';
// Spans of generators: current in the body only, and ended however the generator ends.

const assert = require('node:assert/strict');
const { after, beforeEach, describe, test } = require('node:test');
const { LIMIT, restart, take, telemetry } = require('./support.js');

const { getCurrentSpan, startSpan, traced, withSpan } = telemetry;

describe('generators', { timeout: 60000 }, () => {
  beforeEach(() => restart());
  after(() => telemetry.shutdown(LIMIT));

  const numbers = (name) =>
    traced(name, function* (count) {
      for (let i = 0; i < count; i++) {
        startSpan(`${name} ${i}`).end();
        yield i;
      }
      return 'end';
    });

  test('two that are read in turn: each is current in its own body only', async () => {
    withSpan('outer', (outer) => {
      const a = numbers('a')(3);
      const b = numbers('b')(2);
      const read = [];
      for (let x = a.next(), y = b.next(); !x.done || !y.done; x = a.next(), y = b.next()) {
        read.push([x.value, y.value]);
        assert.equal(getCurrentSpan(), outer);
      }
      assert.deepEqual(read.slice(0, 2), [
        [0, 0],
        [1, 1],
      ]);
      assert.equal(getCurrentSpan(), outer);
    });
    assert.equal(getCurrentSpan().isRecording(), false);
    const spans = await take();
    for (const name of ['a', 'b']) {
      assert.equal(spans.one(`${name} 1`).parentId, spans.one(name).spanId);
      assert.equal(spans.one(name).parentId, spans.one('outer').spanId);
      assert.ok(spans.one(name).end >= spans.one(`${name} 1`).end);
    }
  });

  test('left, failed and returned ones end their spans', async () => {
    for (const value of numbers('left')(9)) if (value === 1) break;
    const failing = traced('failing', function* () {
      yield 1;
      throw new RangeError('inside');
    });
    assert.throws(() => [...failing()], RangeError);
    const told = numbers('told')(9);
    told.next();
    assert.throws(() => told.throw(new Error('from outside')), /from outside/);
    assert.deepEqual([...numbers('whole')(2)], [0, 1]);
    assert.equal(telemetry.telemetryStatus().spans.live, 0);
    const spans = await take();
    const codes = ['left', 'failing', 'told', 'whole'].map((name) => spans.one(name).status.code);
    assert.deepEqual(codes, [0, 2, 2, 0]);
  });

  test('asynchronous ones, by the function or by what it returns', async () => {
    const read = traced('stream', async function* () {
      await null;
      startSpan('part').end();
      yield 1;
      await new Promise((resolve) => setTimeout(resolve, 5));
      yield 2;
    });
    const got = [];
    for await (const value of read()) got.push(value);
    assert.deepEqual(got, [1, 2]);
    await assert.rejects(async () => {
      const failing = withSpan('failing', async function* () {
        yield 1;
        throw new Error('late');
      });
      for await (const value of failing) got.push(value);
    }, /late/);
    for await (const value of read()) if (value === 1) break;
    const spans = await take();
    const streams = spans.filter((span) => span.name === 'stream');
    assert.equal(streams.length, 2);
    assert.ok(streams[0].end - streams[0].start >= 4000000n);
    assert.equal(spans.filter((span) => span.name === 'part')[0].parentId, streams[0].spanId);
    assert.equal(spans.one('failing').status.code, 2);
  });

  test('a thenable ends its span when it is done', async () => {
    let done = 0n;
    await traced('query', () => ({
      then(resolve) {
        setTimeout(() => {
          done = BigInt(Date.now()) * 1000000n;
          resolve(1);
        }, 20);
      },
    }))();
    const span = (await take()).one('query');
    assert.ok(done > 0n && span.end - span.start >= 15000000n);
  });
});
