'use strict';
// Every function of the addon with every kind of argument.

const assert = require('node:assert/strict');
const { test } = require('node:test');

const telemetry = require('../../bindings/node/lib/index.js');
const { native } = require('../../bindings/node/lib/loader.js');
const { MEMORY, eachAlone } = require('./alone.js');

eachAlone();

test('the addon takes any argument of any function', () => {
  const trap = () => {
    throw new Error('trap');
  };
  const array = new Proxy([1, 2], { get: trap });
  const odd = [
    undefined,
    null,
    1,
    -1,
    Number.NaN,
    2 ** 60,
    'x',
    '\ud800',
    'y'.repeat(70000),
    {},
    [],
    [{}],
    [null],
  ];
  odd.push(
    array,
    new Proxy({}, { get: trap, ownKeys: trap }),
    trap,
    Symbol('s'),
    10n,
    new Int32Array(8),
    new Uint8Array(16),
  );
  for (const active of [false, true]) {
    if (active) telemetry.init(MEMORY);
    for (const [name, call] of Object.entries(native)) {
      if (typeof call !== 'function' || /^sdk(Start|Stop|Resolve)|^log/.test(name)) continue;
      for (const value of odd) {
        try {
          call(value, value, value, value, value, value);
        } catch (error) {
          assert.equal(name, 'familyNew', `${name}: ${error}`);
          assert.match(error.message, /^The metric '.*' was refused.* It records nothing\./s);
        }
      }
    }
  }
});
