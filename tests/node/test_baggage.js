'use strict';
// Baggage in headers and in the addon.

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { native } = require('../../bindings/node/lib/loader.js');
const { extract, inject } = require('../../bindings/node/lib/propagation.js');

test('baggage goes through', () => {
  const { baggage } = extract({ baggage: ['a=1, b=gr%C3%BC%C3%9Fe;p=1', 'c=3'] });
  const entries = native.baggageParse(baggage);
  assert.deepEqual(
    entries.map(({ key, value, properties }) => [key, value, properties]),
    [
      ['a', '1', ''],
      ['b', 'grüße', 'p=1'],
      ['c', '3', ''],
    ],
  );
  assert.equal(
    native.baggageRemove(native.baggageSet(baggage, 'd', 'x y', ''), 'b'),
    'a=1,c=3,d=x%20y',
  );
  assert.deepEqual(extract(inject({}, null, baggage)), { context: null, baggage });
});

for (const [key, value] of [
  ['', 'v'],
  ['a b', 'v'],
  ['k', 1],
  [null, 'v'],
  ['k'.repeat(9000), 'v'],
]) {
  test(`baggage that cannot be changes nothing: ${String(key).slice(0, 10)}`, () =>
    assert.equal(native.baggageSet('old=1', key, value), 'old=1'));
}
