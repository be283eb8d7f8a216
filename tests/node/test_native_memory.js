'use strict';
// Native functions free what they took for a call, with good and bad arguments. What leaks is no
// JavaScript: the memory of the process grows with it.

const assert = require('node:assert/strict');
const path = require('node:path');
const { test } = require('node:test');
const { run } = require('./programs.js');

// AddressSanitizer keeps freed memory for a while.
const SANITIZED = (process.env.LD_PRELOAD || '').includes('asan');
const LOADER = path.resolve(__dirname, '../../bindings/node/lib/loader.js');
const HEAD = `
const { native } = require(${JSON.stringify(LOADER)});
const long = 'v'.repeat(4000);
const state = Array.from({ length: 6 }, (_, i) => 'k' + i + '=' + 'v'.repeat(70)).join(',');
const parent = '00-' + '1'.repeat(32) + '-' + '2'.repeat(16) + '-01';
const words = new Int32Array(12);
`;
// How often a call is made: one text that leaks each time is 40 MB.
const CALLS = {
  'baggage that is parsed': [10000, `native.baggageParse(['a=' + long, 'b=2'])`],
  'baggage that is written': [10000, `native.baggageText('a=' + long)`],
  'baggage that is set': [10000, `native.baggageSet('a=' + long, 'b', long, 'p=' + long)`],
  'baggage that cannot be set': [10000, `native.baggageSet('a=' + long, 'b ' + long, long, long)`],
  'baggage that is removed': [10000, `native.baggageRemove('a=' + long + ',b=1', 'b' + long)`],
  'a context': [80000, `native.extract(parent, state)`],
  'a context in words': [80000, `native.extractInto(words, [parent], [state])`],
  'no context': [10000, `native.extractInto(words, parent + long, [state, long])`],
  'a traceparent': [10000, `native.traceparentWrite(long, long, 1)`],
  'a tracestate': [80000, `native.tracestateParse([state])`],
  'a changed tracestate': [80000, `native.tracestateSet(state, 'n', 'v'.repeat(200))`],
  'a tracestate that cannot be changed': [10000, `native.tracestateSet(state, long, long)`],
  'a member of a tracestate': [80000, `native.tracestateGet(state, 'k3' + long.slice(0, 600))`],
  'a path': [10000, `native.normalisePath('/' + long)`],
  'a path that is excluded': [10000, `native.excludesPath('/' + long)`],
  'a request': [10000, `native.recordHttpRequest('M' + long, '/' + long, 200, 1, 1, words)`],
};

for (const [name, [times, call]] of Object.entries(CALLS)) {
  test(`${name} leaves no memory behind`, { timeout: 120000, skip: SANITIZED }, async () => {
    const program = `${HEAD}
      const grow = (times) => {
        for (let i = 0; i < times; i++) {
          ${call};
          if (i % 2000 === 0) gc();
        }
        gc();
        return process.memoryUsage().rss;
      };
      grow(${times / 5});
      const before = grow(${times / 5});
      console.log(Math.round((grow(${times}) - before) / 1048576));`;
    const { stdout, stderr, code } = await run(program, { preload: ['--expose-gc'] });
    assert.equal(code, 0, stderr);
    assert.ok(Number(stdout) < 16, `${stdout.trim()} MiB`);
  });
}
