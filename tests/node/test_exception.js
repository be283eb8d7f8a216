'use strict';
// Spans and log lines of an error that contains others.

const assert = require('node:assert/strict');
const { after, beforeEach, describe, test } = require('node:test');
const { LIMIT, restart, take, telemetry } = require('./support.js');
const { createLogger } = require('../../bindings/node/lib/logging');

const { withSpan } = telemetry;

/** Returns the event and the status of a span in which this was thrown. */
async function thrown(error) {
  assert.throws(
    () =>
      withSpan('s', () => {
        throw error;
      }),
    (got) => got === error,
  );
  const span = (await take()).one('s');
  const { 'exception.message': message, 'exception.stacktrace': stack } = span.events[0].attributes;
  return { message, stack, status: span.status.message };
}

describe('errors with others in them', { timeout: 60000 }, () => {
  beforeEach(() => restart());
  after(() => telemetry.shutdown(LIMIT));

  test('the parts of an AggregateError', async () => {
    const parts = [
      new Error('connect ECONNREFUSED ::1:1'),
      new TypeError('second'),
      'a text',
      null,
    ];
    const silent = await thrown(new AggregateError(parts));
    assert.equal(silent.message, 'connect ECONNREFUSED ::1:1; second; a text; null');
    assert.equal(silent.status, `AggregateError: ${silent.message}`);
    assert.match(
      silent.stack,
      /^AggregateError[^]*\[errors 0\]: Error: connect[^]*\[errors 1\]: TypeError: second/,
    );
    const named = await thrown(new AggregateError(parts, 'no address answered'));
    assert.deepEqual(
      [named.message, named.status],
      ['no address answered', 'AggregateError: no address answered'],
    );
    assert.match(named.stack, /ECONNREFUSED[^]*second[^]*a text/);
  });

  test('the type is the name of the error, else that of its class', async () => {
    class Own extends Error {}
    class Named extends Error {
      name = 'ByItself';
    }
    const own = Object.assign(new Error('x'), { name: 'Given' });
    const given = [
      [new Own('x'), 'Own'],
      [new Named('x'), 'ByItself'],
      [own, 'Given'],
      [new TypeError('x'), 'TypeError'],
      [new Error('x'), 'Error'],
      [Object.assign(new Own('x'), { name: '' }), 'Own'],
      [Object.assign(new Own('x'), { name: 7 }), 'Own'],
      [{ name: 'Plain', message: 'x' }, 'Plain'],
      [{ message: 'x' }, 'object'],
      ['text', 'string'],
      [undefined, 'undefined'],
    ];
    for (const [error, type] of given) {
      const span = telemetry.startSpan('s');
      span.recordException(error);
      span.end();
      const event = (await take()).one('s').events[0];
      if (event !== undefined || error !== undefined)
        assert.equal(event.attributes['exception.type'], type);
    }
  });

  test('chains of causes, whatever they are made of', async () => {
    const deep = new Error('outer', { cause: new Error('middle', { cause: 'a text as reason' }) });
    assert.match(
      (await thrown(deep)).stack,
      /Error: outer[^]*Caused by: Error: middle[^]*Caused by: a text as reason$/,
    );
    const plain = new Error('outer', { cause: { name: 'Odd', message: 'no stack' } });
    assert.match((await thrown(plain)).stack, /Caused by: Odd: no stack$/);
    const mixed = new Error('outer', {
      cause: new AggregateError([new Error('part', { cause: new Error('root') })]),
    });
    assert.match(
      (await thrown(mixed)).stack,
      /Caused by: AggregateError[^]*errors 0\]: Error: part[^]*Caused by: Error: root/,
    );
  });
});

describe('errors that are odd, cancelled or logged', { timeout: 60000 }, () => {
  beforeEach(() => restart());
  after(() => telemetry.shutdown(LIMIT));

  test('circles, endless chains and traps end', async () => {
    const circle = new AggregateError([], 'circle');
    circle.errors.push(circle);
    circle.cause = circle;
    assert.equal((await thrown(circle)).stack.split('AggregateError: circle').length, 2);
    let endless = new Error('first');
    for (let i = 0; i < 1000; i++) endless = new Error(`level ${i}`, { cause: endless });
    assert.ok((await thrown(endless)).stack.length < 40000);
    const trap = new AggregateError([], '');
    Object.defineProperty(trap, 'errors', {
      get() {
        throw new Error('trap');
      },
    });
    assert.equal((await thrown(trap)).status, 'AggregateError');
    const wide = new AggregateError(Array.from({ length: 5000 }, (_, i) => new Error(`part ${i}`)));
    assert.ok((await thrown(wide)).message.includes('part 3'));
  });

  test('a time of its own changes nothing but the time', async () => {
    for (const error of [
      new RangeError('why'),
      'a text',
      { name: 'Odd', message: '' },
      new Error(''),
    ]) {
      const span = telemetry.startSpan('s');
      span
        .recordException(error, { k: 1 })
        .recordException(error, { k: 1 }, 1700000000000000000n)
        .end();
      const [plain, timed] = (await take()).one('s').events;
      assert.deepEqual(timed.attributes, plain.attributes);
      assert.deepEqual([timed.name, timed.time], [plain.name, 1700000000000000000n]);
    }
  });

  test('a cancellation is none, a time-out that ended as one is', async () => {
    const cases = [
      [new DOMException('x', 'AbortError'), 0],
      [
        Object.assign(new Error('x'), {
          name: 'AbortError',
          cause: new DOMException('late', 'TimeoutError'),
        }),
        2,
      ],
      [Object.assign(new Error('canceled'), { name: 'CanceledError', code: 'ERR_CANCELED' }), 0],
      [new DOMException('late', 'TimeoutError'), 2],
    ];
    for (const [error, code] of cases) {
      await assert.rejects(withSpan('s', () => Promise.reject(error)));
      assert.equal((await take()).one('s').status.code, code, `${error.name} ${error.code}`);
    }
  });

  test('log lines tell the parts and causes, too', () => {
    let text = '';
    const destination = { write: (line) => (text += line) };
    const log = createLogger({ destination });
    log.error(
      'failed',
      new AggregateError([new Error('connect ECONNREFUSED ::1:1', { cause: new Error('root') })]),
    );
    const { err } = JSON.parse(text.trim().split('\n').pop());
    assert.equal(err.message, 'connect ECONNREFUSED ::1:1');
    assert.deepEqual(
      [err.errors[0].message, err.errors[0].cause.message],
      ['connect ECONNREFUSED ::1:1', 'root'],
    );
  });
});
