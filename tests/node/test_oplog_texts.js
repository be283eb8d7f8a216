'use strict';
// Hot strings: texts that repeat get a symbol, others leave no reference.

const assert = require('node:assert');
const { test } = require('node:test');
const { load } = require('./oplog_library.js');

const of = (operations, op) => operations.filter((one) => one.op === op);

/** Returns the log of one attribute `k`, per value: [operations, values]. */
function written({ startSpan, reader }, values) {
  const found = [];
  values.forEach((value, i) => {
    startSpan('s').setAttribute('k', value).end();
    if (i % 100 === 99) found.push(...reader.read());
  });
  found.push(...reader.read());
  const texts = found.filter((one) => one.key === 'k');
  return { found, ops: texts.map((one) => one.op), values: texts.map((one) => one.value) };
}

test('a text that comes again and again gets a symbol', () => {
  const log = load(1 << 16);
  for (const value of ['GET', 'professional', 'caf\u00e9 \ud83d\ude00', 'x'.repeat(48)]) {
    const given = Array(10).fill(value);
    const { found, ops, values } = written(log, given);
    assert.deepStrictEqual(values, given);
    assert.strictEqual(of(found, 'DEFINE').filter((one) => one.text === value).length, 1);
    assert.deepStrictEqual([ops[0], ops[9]], ['TEXT', 'SYMBOL']);
  }
  // A name that is also a value has one symbol.
  const both = written(log, Array(10).fill('s'));
  assert.strictEqual(of(both.found, 'DEFINE').filter((one) => one.text === 's').length, 0);
  assert.strictEqual(both.ops[9], 'SYMBOL');
});

test('texts that differ get none, and equal ones are told apart from alike ones', () => {
  const log = load(1 << 16);
  const distinct = Array.from({ length: 5000 }, (_, i) => `order-${(i * 7919) % 100000}`);
  const seen = written(log, distinct);
  assert.deepStrictEqual(seen.values, distinct);
  assert.strictEqual(seen.ops.filter((op) => op === 'SYMBOL').length, 0);
  // The same length, and the same characters at the ends and in the middle: one place and one mark.
  const alike = Array.from({ length: 300 }, (_, i) => `a${i % 3}bcd`);
  assert.deepStrictEqual(written(log, alike).values, alike);
});

test('values leave symbols for names', () => {
  const log = load(1 << 16);
  const many = Array.from({ length: 20000 }, (_, i) => `value ${i >> 3}`);
  const { found, values } = written(log, many);
  assert.deepStrictEqual(values, many);
  assert.ok(of(found, 'DEFINE').length <= 1024 + 2, `${of(found, 'DEFINE').length} symbols`);
  log.startSpan('a name after all of them').end();
  const [start] = of(log.reader.read(), 'START');
  assert.strictEqual(start.name, 'a name after all of them');
  assert.ok((start.flags & 2) === 0, 'the name has a symbol');
});

test('a text with a symbol is cut as any other', () => {
  const log = load(1 << 16);
  written(log, Array(10).fill('professional'));
  log.control[35] = 4; // a limit, and the attachment that sets it
  log.control[36]++;
  log.control[33]++;
  assert.deepStrictEqual(written(log, ['professional', 'free']).values, ['prof', 'free']);
});
