'use strict';
// Ids as words and as hexadecimal text, and words of random ids.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { hexWord, random, randomWords, wordsOf } = require('../../bindings/node/lib/ids.js');

test('words and text go both ways', () => {
  for (const text of ['00000001', '7fffffff', '80000000', 'ffffffff', '0a0b0c0d'])
    assert.equal(hexWord(wordsOf(text, 1)[0]), text);
  const id = '4bf92f3577b34da6a3ce929d0e0e4736';
  assert.equal(wordsOf(id, 4).map(hexWord).join(''), id);
  assert.deepEqual(wordsOf(id.toUpperCase(), 4), wordsOf(id, 4));
});

test('text of another length, other digits and zeros are no id', () => {
  for (const text of [
    '',
    '0',
    '1234567',
    '123456789',
    'g2345678',
    ' 2345678',
    '0x345678',
    '00000000',
  ])
    assert.equal(wordsOf(text, 1), null, text);
  for (const given of [undefined, null, 12345678, {}, ['12345678']])
    assert.equal(wordsOf(given, 1), null);
  assert.equal(wordsOf('0000000000000000', 2), null);
  assert.deepEqual(wordsOf('0000000000000001', 2), [0, 1]);
});

test('random words are used once', () => {
  const seen = new Set();
  for (let i = 0; i < 5000; i++) {
    const at = randomWords(6);
    assert.ok(at >= 0 && at + 6 <= random.length);
    seen.add([...random.subarray(at, at + 6)].join());
  }
  assert.equal(seen.size, 5000);
});
