'use strict';
// Ids as words and as hexadecimal text, and random words for new ids. A word is a 32-bit number;
// the first has the first digits.

const { native } = require('./loader.js');

const RANDOM_WORDS = 1024;
const PAIRS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

function hexWord(word) {
  return (
    PAIRS[word >>> 24] + PAIRS[(word >>> 16) & 255] + PAIRS[(word >>> 8) & 255] + PAIRS[word & 255]
  );
}

const HEX = /^[0-9a-fA-F]+$/;

/** Returns the words of hexadecimal text of 8 digits each; null for other text and for zeros. */
function wordsOf(text, count) {
  if (typeof text !== 'string' || text.length !== count * 8 || !HEX.test(text)) return null;
  const words = [];
  let bits = 0;
  for (let i = 0; i < count; i++) {
    words.push(parseInt(text.slice(i * 8, i * 8 + 8), 16) | 0);
    bits |= words[i];
  }
  return bits === 0 ? null : words;
}

const random = new Int32Array(RANDOM_WORDS);
let randomAt = RANDOM_WORDS;

/** Returns the index of `count` unused words in `random`. */
function randomWords(count) {
  if (randomAt + count > RANDOM_WORDS) {
    if (native !== null) native.logRandom(random);
    randomAt = 0;
  }
  const first = randomAt;
  randomAt += count;
  return first;
}

module.exports = require('./one.js')('ids', { hexWord, random, randomWords, wordsOf });
