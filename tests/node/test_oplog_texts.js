'use strict';
// Hot strings: texts that repeat get a symbol, others leave no reference.

const assert = require('node:assert');
const path = require('node:path');
const { test } = require('node:test');
const { Reader } = require('./oplog_decoder.js');

const LIB = path.join(__dirname, '../../bindings/node/lib');
const TRACES = 1;
const METRICS = 2;
const ALWAYS_ON = 4;

/**
 * Replies of the core about roots at a threshold of 56 bits, 2^56 for never: the threshold, and the
 * decision words for sampled and other roots.
 */
function headOf(threshold) {
  const halves = (value) => [Number(BigInt.asIntN(32, value)), Number(value >> 32n)];
  const yes = [(7 << 16) | (1 << 10) | (2 << 8), ...halves(threshold), 0, 0];
  const no = [1 << 8, ...halves(1n << 56n), 0, 0];
  return [...halves(threshold), ...yes, ...no];
}

/**
 * Returns the library with separate memory: {control, reader, calls, startSpan, ...}. onDrain
 * simulates a core that drains.
 */
function load(
  units,
  {
    active = TRACES | METRICS | ALWAYS_ON,
    position = 0,
    head = headOf(0n),
    onDrain = () => false,
  } = {},
) {
  const memory = new ArrayBuffer(256 + units * 8);
  const control = new Int32Array(memory, 0, 64);
  const calls = { wake: 0, drain: 0 };
  control[0] = control[16] = position;
  control[32] = active;
  control[35] = -1;
  control[36] = 1;
  const native = {
    logOpen: () => memory,
    logWake: () => calls.wake++,
    logDrain: (count) => (calls.drain++, onDrain(count)),
    logRandom: (words) => require('node:crypto').randomFillSync(words),
    logHead: (words) => (words.set(head), head[1] === 0 ? '' : 'ot=th:8'),
    logContext: () => null,
  };
  for (const file of Object.keys(require.cache))
    if (file.startsWith(LIB)) delete require.cache[file];
  const loader = require.resolve(path.join(LIB, 'loader.js'));
  require.cache[loader] = {
    id: loader,
    filename: loader,
    loaded: true,
    exports: {
      native,
      impl: { ...require(path.join(LIB, 'noop.js')), ...native },
      reason: '',
      name: 'native',
      version: '',
    },
  };
  const all = {
    ...require(path.join(LIB, 'start.js')),
    ...require(path.join(LIB, 'tracer.js')),
    ...require(path.join(LIB, 'http_server.js')),
  };
  return { ...all, control, calls, reader: new Reader(memory), memory };
}

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
