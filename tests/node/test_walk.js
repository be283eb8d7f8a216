'use strict';
// Limits of a redacted copy at their edges, in log lines and in redaction calls; and the effect of
// a name on its value.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { createLogger, deepRedact, redactObject } = require('../../bindings/node/lib/logging');

const NODES = 10_000;
const DEPTH = 100;
const TEXT = 1 << 20;

/** Returns the copy of a value in one line. */
function logged(metadata, message = 'm') {
  const texts = [];
  const log = createLogger({
    service: 's',
    environment: 'e',
    destination: { write: (text) => texts.push(text) > 0 },
  });
  log.info(message, metadata);
  return JSON.parse(texts[0]);
}

for (const [count, cut] of [
  [NODES - 2, false],
  [NODES - 1, false],
  [NODES, true],
]) {
  test(`a list of ${count} in a line is ${cut ? 'cut and says so' : 'whole'}`, () => {
    const { list } = logged({ list: Array(count).fill(1) });
    assert.equal(list.includes('[Truncated]'), cut);
    assert.equal(list.length, count);
  });
  test(`an object of ${count} fields in a line is ${cut ? 'cut and says so' : 'whole'}`, () => {
    const { inner } = logged({
      inner: Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${i}`, 1])),
    });
    assert.equal(inner['[Truncated]'] === true, cut);
    assert.equal(Object.keys(inner).length, count);
  });
}

for (const [depth, cut] of [
  [DEPTH - 1, false],
  [DEPTH, true],
]) {
  test(`${depth} levels in a line are ${cut ? 'cut and say so' : 'whole'}`, () => {
    let value = 'end';
    for (let i = 0; i < depth; i++) value = { a: value };
    const text = JSON.stringify(logged({ value }));
    assert.equal(text.includes('"[Truncated]"'), cut);
    assert.equal(text.includes('"end"'), !cut);
  });
}

for (const [length, cut] of [
  [TEXT - 1, false],
  [TEXT, false],
  [TEXT + 1, true],
]) {
  test(`a text of ${length} characters is ${cut ? 'cut and says so' : 'whole'}`, () => {
    const { value, message } = logged({ value: 'v'.repeat(length) }, 'm'.repeat(length));
    assert.equal(value, cut ? 'v'.repeat(TEXT) + '[Truncated]' : 'v'.repeat(length));
    assert.equal(message, cut ? 'm'.repeat(TEXT) + '[Truncated]' : 'm'.repeat(length));
  });
}

test('the bounds hold for each line anew', () => {
  const texts = [];
  const log = createLogger({
    service: 's',
    destination: { write: (text) => texts.push(text) > 0 },
  });
  for (let i = 0; i < 3; i++) log.info('m', { list: Array(NODES - 2).fill(1) });
  assert.ok(texts.every((text) => !text.includes('[Truncated]')));
});

test('a value that is not there stays so under every name', () => {
  const names = ['password', 'token', 'amount', 'userId', 'plain'];
  for (const value of [null, true, false]) {
    const line = logged(Object.fromEntries(names.map((name) => [name, value])));
    for (const name of ['password', 'token', 'amount', 'user_id', 'plain'])
      assert.equal(line[name], value, name);
  }
  const all = Object.fromEntries(names.map((name) => [name, undefined]));
  assert.ok(!Object.keys(logged(all)).some((name) => names.includes(name)));
  assert.deepEqual(redactObject(all), all);
  assert.deepEqual(redactObject({ password: undefined, pwd: null }), {
    password: undefined,
    pwd: null,
  });
});

test('an object says by toJSON what it is, and its secrets go all the same', () => {
  const own = { toJSON: () => ({ password: 'x', note: 'a@example.com' }) };
  class Made {
    toJSON() {
      return { password: 'x' };
    }
  }
  assert.deepEqual(logged({ own, made: new Made() }).own, {
    password: '[REDACTED]',
    note: '[REDACTED_EMAIL]',
  });
  assert.deepEqual(logged({ made: new Made() }).made, { password: '[REDACTED]' });
  assert.deepEqual(deepRedact({ own }), {
    own: { password: '[REDACTED]', note: '[REDACTED_EMAIL]' },
  });
  const line = logged(own);
  assert.equal(line.password, '[REDACTED]');
  assert.equal(line.toJSON, undefined);
});
