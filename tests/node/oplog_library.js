'use strict';
// The library on an operation log in memory that no core reads.

const path = require('node:path');
const { Reader } = require('./oplog_decoder.js');

const LIB = path.join(__dirname, '../../bindings/node/lib');
const TRACES = 1;
const METRICS = 2;
const ALWAYS_ON = 4;
const HEAD_ONLY = 16;

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

module.exports = { ALWAYS_ON, HEAD_ONLY, METRICS, TRACES, headOf, load };
