'use strict';
// The replacement of the addon: the same functions, with the results of an addon that is off.

const assert = require('node:assert/strict');
const { test } = require('node:test');

const loader = require('../../bindings/node/lib/loader.js');
const noop = require('../../bindings/node/lib/noop.js');

test('the no-op has every function of the addon, and no other', () => {
  const functions = (object) =>
    Object.keys(object).filter((name) => typeof object[name] === 'function');
  const cold = functions(loader.native).filter((name) => !/^(log|shard|test)/.test(name));
  assert.deepEqual(
    functions(noop)
      .filter((name) => !/^(log|shard)/.test(name))
      .sort(),
    cold.sort(),
  );
});

test('the no-op answers as the addon does while telemetry is off', async () => {
  const stay =
    /^(sdkKeywords|sdkStart|sdkResolve|extract|trace|baggage|normalisePath|log|shard|test)/;
  for (const name of Object.keys(noop)) {
    if (typeof noop[name] !== 'function' || stay.test(name)) continue;
    assert.deepEqual(
      await noop[name](1, 'x', '', '', [], null),
      await loader.native[name](1, 'x', '', '', [], null),
      name,
    );
  }
});
