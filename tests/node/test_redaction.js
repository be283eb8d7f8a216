'use strict';
// Redaction of text and objects: rules, paths and services; no input throws. test_rules.js tests
// the default rules.

const test = require('node:test');
const assert = require('node:assert/strict');
const {
  DEFAULT_REDACTION_RULES,
  RedactionService,
  deepRedact,
  redactObject,
  redactString,
} = require('../../bindings/node/lib/logging');

test('a text of 130 kB keeps everything but the secret', () => {
  const half = 'lorem ipsum '.repeat(5500);
  assert.equal(redactString(`${half}a@example.com ${half}`), `${half}[REDACTED_EMAIL] ${half}`);
});

test('what is no text comes back as it is', () => {
  for (const value of [null, undefined, 42, NaN, true, 10n])
    assert.ok(Object.is(redactString(value), value));
  for (const value of [null, undefined, 42, true]) assert.ok(Object.is(deepRedact(value), value));
});

test('numbers are never searched', () => {
  assert.deepEqual(deepRedact({ at: 5551234567, id: 4532123456789010 }), {
    at: 5551234567,
    id: 4532123456789010,
  });
});

test('paths: a name at every depth, a dotted path at one place, stars', () => {
  const value = {
    email: 'x',
    user: { email: 'x', note: 'n' },
    items: [
      { sku: 1, note: 'n' },
      { sku: 2, note: 'n' },
    ],
    note: 'n',
  };
  assert.deepEqual(redactObject(value, ['EMAIL', 'user.note', 'items[*].sku', 'items[1].note']), {
    email: '[REDACTED]',
    user: { email: '[REDACTED]', note: '[REDACTED]' },
    items: [
      { sku: '[REDACTED]', note: 'n' },
      { sku: '[REDACTED]', note: '[REDACTED]' },
    ],
    note: 'n',
  });
  assert.deepEqual(value.user, { email: 'x', note: 'n' }, 'the argument is unchanged');
});

test('circular, shared, dates, patterns', () => {
  const shared = { a: 1 };
  const when = new Date(0);
  const value = { one: shared, two: shared, when, pattern: /x/g };
  value.self = value;
  const copy = deepRedact(value);
  assert.equal(copy.self, '[Circular]');
  assert.deepEqual([copy.one, copy.two], [{ a: 1 }, { a: 1 }]);
  assert.ok(copy.when instanceof Date && copy.pattern instanceof RegExp);
});

test('names that reach prototypes are dropped', () => {
  const copy = deepRedact(
    JSON.parse('{"__proto__":{"polluted":1},"constructor":{"a":1},"prototype":2,"kept":3}'),
  );
  assert.deepEqual(Object.keys(copy), ['kept']);
  assert.equal({}.polluted, undefined);
  assert.equal(copy.polluted, undefined);
});

test('a thousand fields, fifty levels', () => {
  const wide = Object.fromEntries(
    Array.from({ length: 1000 }, (_, i) => [`field${i}`, `u${i}@example.com`]),
  );
  assert.ok(Object.values(deepRedact(wide)).every((text) => text === '[REDACTED_EMAIL]'));
  let deep = { password: 'x', mail: 'a@example.com' };
  for (let i = 0; i < 50; i++) deep = { next: deep };
  let copy = deepRedact(deep);
  for (let i = 0; i < 50; i++) copy = copy.next;
  assert.deepEqual(copy, { password: '[REDACTED]', mail: '[REDACTED_EMAIL]' });
});

test('deeper than any stack, and wider than any memory', () => {
  let deep = {};
  for (let i = 0; i < 100_000; i++) deep = { deep };
  assert.doesNotThrow(() => deepRedact(deep));
  let shared = { a: 1 };
  for (let i = 0; i < 60; i++) shared = { l: shared, r: shared };
  const service = new RedactionService();
  assert.doesNotThrow(() => service.redactObject(shared));
});

test('getters, proxies and toJSON that throw', () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const copy = deepRedact({
    get bad() {
      throw new Error('no');
    },
    proxy,
    trap: new Proxy(
      {},
      {
        ownKeys() {
          throw new Error('no');
        },
      },
    ),
    json: {
      toJSON() {
        throw new Error('no');
      },
    },
    good: 1,
  });
  assert.equal(copy.good, 1);
  assert.equal(typeof copy.bad, 'string');
  assert.equal(typeof copy.proxy, 'string');
});

test('text in names goes, too', () => {
  assert.deepEqual(deepRedact({ 'bob@example.com': 1 }), { '[REDACTED_EMAIL]': 1 });
});

test('own rules run after the default ones, in order', () => {
  const service = new RedactionService([{ name: 'first', pattern: /ABC/, replacement: 'DEF' }]);
  service.addRule({ name: 'second', pattern: /DEF/g, replacement: '[X]' });
  assert.equal(service.redactString('ABC ABC a@example.com'), '[X] [X] [REDACTED_EMAIL]');
  assert.deepEqual(
    service
      .getRules()
      .slice(-2)
      .map((rule) => rule.name),
    ['first', 'second'],
  );
  assert.equal(service.getRules().length, DEFAULT_REDACTION_RULES.length + 2);
  service.getRules().pop();
  assert.equal(service.getRules().length, DEFAULT_REDACTION_RULES.length + 2);
  assert.throws(() => service.addRule({ name: 'bad', pattern: 'text' }), TypeError);
  assert.ok(
    new RedactionService({ paths: ['nick'] }).redactObject({ nick: 'n' }).nick === '[REDACTED]',
  );
});

test('a rule that is added after use applies from then on, to text, to values and to names', () => {
  const service = new RedactionService();
  const value = { note: 'ABC', list: ['ABC', { deep: 'ABC DEF' }] };
  assert.equal(service.redactString('ABC'), 'ABC');
  assert.deepEqual(service.redactObject(value), value);
  service.addRule({ name: 'first', pattern: /ABC/, replacement: '[1]' });
  assert.equal(service.redactString('ABC DEF'), '[1] DEF');
  assert.deepEqual(service.redactObject(value), {
    note: '[1]',
    list: ['[1]', { deep: '[1] DEF' }],
  });
  service.addRule({ name: 'second', pattern: /DEF/, replacement: '[2]' });
  assert.equal(service.redactString('ABC DEF'), '[1] [2]');
  assert.deepEqual(service.redactObject(value), {
    note: '[1]',
    list: ['[1]', { deep: '[1] [2]' }],
  });
  assert.throws(() => service.addRule(null), TypeError);
  assert.equal(service.redactString('ABC DEF a@example.com'), '[1] [2] [REDACTED_EMAIL]');
});

test('a service does not follow what is done to the lists that it was given', () => {
  const paths = ['nick'];
  const rules = [{ name: 'x', pattern: /ABC/, replacement: '-' }];
  const service = new RedactionService({ paths, rules });
  paths[0] = 'other';
  rules.length = 0;
  assert.deepEqual(service.redactObject({ nick: 'n', other: 'ABC' }), {
    nick: '[REDACTED]',
    other: '-',
  });
});

test('given rules replace the default ones; none means none', () => {
  assert.equal(
    redactString('ABC a@example.com', [{ name: 'x', pattern: /ABC/g, replacement: '-' }]),
    '- a@example.com',
  );
  assert.equal(redactString('a@example.com', []), 'a@example.com');
});

test('a rule that throws costs the text, not the caller', () => {
  const pattern = /x/g;
  pattern[Symbol.replace] = () => {
    throw new Error('no');
  };
  assert.equal(
    redactString('my secret x', [{ name: 'bad', pattern, replacement: '' }]),
    '[REDACTION_FAILED]',
  );
});
