'use strict';
// Text of objects without a counterpart in OTLP: their string form or their fields, and one warning
// for each key whose value was dropped.

const assert = require('node:assert/strict');
const { after, beforeEach, test } = require('node:test');
const { LIMIT, kept, own, restart, telemetry } = require('./support.js');
const { run } = require('./programs.js');
const { textOf } = require('../../bindings/node/lib/value_text.js');

beforeEach(() => restart({ logLevel: 'error' }));
after(() => telemetry.shutdown(LIMIT));

test('objects of classes are what they say of themselves, or their fields', async () => {
  class Decimal {
    toString() {
      return '1.50';
    }
  }
  class Money extends Decimal {}
  class Order {
    constructor() {
      this.n = 1;
      this.name = 'a';
      this.lines = [1, 2];
    }
    get secret() {
      throw new Error('getters are not called');
    }
  }
  class Named {
    [Symbol.toPrimitive]() {
      return 'by primitive';
    }
  }
  const span = await kept({
    decimal: new Decimal(),
    money: new Money(),
    order: new Order(),
    named: new Named(),
    error: new RangeError('x'),
    pattern: /a/g,
    query: new URLSearchParams('a=1'),
    list: [new Decimal()],
  });
  const { order, list, ...rest } = Object.fromEntries(
    Object.entries(own(span)).filter(([key]) => !key.startsWith('set ')),
  );
  assert.match(order, /^Order\(n=1, name='a', lines=/);
  assert.deepEqual(list, ['1.50']);
  assert.deepEqual(rest, {
    decimal: '1.50',
    money: '1.50',
    named: 'by primitive',
    error: 'RangeError: x',
    pattern: '/a/g',
    query: 'a=1',
  });
});

test('fields are shown of small objects of one class, without calling getters', () => {
  const text = (object) => textOf(object, Object.getPrototypeOf(object));
  class Point {
    constructor(fields) {
      Object.assign(this, fields);
    }
  }
  class Below extends Point {}
  assert.equal(text(new Point({ x: 1, name: 'a' })), "Point(x=1, name='a')");
  assert.equal(text(new Point({ deep: { a: { b: 1 } } })), 'Point(deep={ a: [Object] })');
  const hidden = Object.defineProperty(new Point({}), 'secret', {
    enumerable: true,
    get: () => assert.fail('called'),
  });
  assert.equal(text(hidden), 'Point(secret=[Getter])');
  for (const none of [new Point({}), new Below({ x: 1 }), { x: 1 }]) assert.equal(text(none), null);
  const many = Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`f${i}`, i]));
  assert.equal(text(new Point(many)), null);
  delete many.f32;
  assert.match(text(new Point(many)), /^Point\(f0=0, .*, f31=31\)$/);
});

test('what cannot be kept is named once by its key, and only counted from then on', async () => {
  const done = await run(`t.init({ enabled: true, exporter: 'memory', sampleRatio: 1 });
    for (let i = 0; i < 3; i++)
      t.startSpan('s', { callback() {}, good: 1 }).setAttribute('token', Symbol('secret')).end();
    for (let i = 0; i < 2000; i++) t.startSpan('s', { ['many ' + i]: () => {} }).end();
    console.log(t.telemetryStatus().spans.dropped_attributes);`);
  const lines = done.stderr
    .trim()
    .split('\n')
    .filter((line) => line.includes('left out'));
  assert.equal(
    lines.filter((line) => line.includes('"callback"') && line.includes('a function')).length,
    1,
  );
  assert.equal(
    lines.filter((line) => line.includes('"token"') && line.includes('a symbol')).length,
    1,
  );
  assert.ok(lines.length <= 256 && !done.stderr.includes('secret'));
  assert.equal(done.stdout, '2006\n');
});
