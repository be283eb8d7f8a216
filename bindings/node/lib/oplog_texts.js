'use strict';
// Texts of values that come again and again (methods, routes, names of systems), so that a symbol
// can stand for them. A text is taken for such a one when it came several times in a row to its
// place; what was only seen leaves a mark there and no reference, because it may be a slice of a
// large text.

const PLACES = 256;
// in a row, before a text gets a symbol: ids and other texts that do not return should take none
const TIMES = 3;

const texts = new Array(PLACES).fill('');
const numbers = new Int32Array(PLACES); // symbols of `texts`
const marks = new Int32Array(PLACES); // of the last text without a symbol, and in the lowest bits how often it came

/** The place of a text of n characters, which is not empty. */
function placeOf(text, n) {
  return (n * 37 + text.charCodeAt(n >> 1)) & (PLACES - 1);
}

/** Notes that a text without a symbol came; whether it came so often that it should have one. */
function isHot(text, n, place) {
  const ends = text.charCodeAt(0) * 31 + text.charCodeAt(n - 1);
  const mark = ((ends * 61 + n) * 127 + text.charCodeAt(n >> 1)) << 2;
  const before = marks[place];
  if ((before & ~3) !== mark) {
    marks[place] = mark | 1;
    return false;
  }
  if ((before & 3) < TIMES) {
    marks[place] = before + 1;
    return false;
  }
  marks[place] = 0;
  return true;
}

/** Puts a text that is the engine's own copy to its place. */
function remember(text, symbol, place) {
  texts[place] = text;
  numbers[place] = symbol;
}

/**
 * The engine's one copy of a text: compared by address with the literals of the program, and never
 * a slice of a larger one.
 */
function internal(text) {
  for (const key in { [text]: 0 }) return key;
  return text;
}

/** The first `most` characters, counting a pair of surrogates as one. */
function cut(text, most) {
  let i = 0;
  for (let left = most; left > 0 && i < text.length; left--) {
    const c = text.charCodeAt(i++);
    if (c >= 0xd800 && c < 0xdc00 && i < text.length && (text.charCodeAt(i) & 0xfc00) === 0xdc00)
      i++;
  }
  return i < text.length ? text.slice(0, i) : text;
}

module.exports = require('./one.js')('oplog_texts', {
  cut,
  internal,
  isHot,
  numbers,
  placeOf,
  remember,
  texts,
});
