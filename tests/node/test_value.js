'use strict';
// Values between JavaScript and the addon: text of any length and form, lists of texts, and objects
// whose reading throws.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { native } = require('../../bindings/node/lib/loader.js');

const trap = () => {
  throw new Error('trap');
};

test('text of every length and form comes back as it was', () => {
  for (const size of [0, 1, 63, 64, 255, 256, 1023, 1024, 1025, 5000]) {
    for (const letter of ['a', 'é', '€', '😀']) {
      const value = letter.repeat(size);
      const [entry] = native.baggageParse(native.baggageSet('', 'k', value, ''));
      // A field holds 8192 bytes of encoded text; an entry that does not fit is left out.
      const fits = encodeURIComponent(value).length + 2 <= 8192;
      assert.equal(entry?.value, fits ? value : undefined, `${letter} ${size}`);
    }
  }
});

test('a lone surrogate becomes the replacement character', () => {
  const [entry] = native.baggageParse(native.baggageSet('', 'k', 'a\ud800b', ''));
  assert.equal(entry.value, 'a\ufffdb');
});

test('a NUL does not end a text', () => {
  const [entry] = native.baggageParse(native.baggageSet('', 'k', 'a\0b', ''));
  assert.equal(entry.value, 'a\0b');
});

test('a list counts its texts and leaves the rest out', () => {
  const keys = (given) => native.baggageParse(given).map(({ key }) => key);
  assert.deepEqual(keys(['a=1', 7, null, 'b=2', {}, undefined, Symbol('s'), 'c=3']), [
    'a',
    'b',
    'c',
  ]);
  const many = Array.from({ length: 100 }, (_, i) => `k${i}=1`);
  assert.equal(keys(many).length, 32);
  assert.deepEqual(keys(new Array(5)), []);
  assert.deepEqual(keys({ 0: 'a=1', length: 1 }), []);
});

test('what throws while it is read counts as not given, and no exception stays', () => {
  const list = ['a=1', 'b=2'];
  Object.defineProperty(list, 0, { get: trap });
  assert.deepEqual(
    native.baggageParse(list).map(({ key }) => key),
    ['b'],
  );
  for (const given of [new Proxy([], { get: trap }), new Proxy({}, { get: trap }), trap])
    assert.deepEqual(native.baggageParse(given), []);
  assert.equal(native.normalisePath(new Proxy({}, { get: trap })), native.normalisePath(''));
});
