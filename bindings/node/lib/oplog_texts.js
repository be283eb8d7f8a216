'use strict';
// Hot strings: texts of values that repeat (methods, routes, names of systems) and therefore get a
// symbol. A text is hot after several repetitions in a row at its hash place. Other texts leave a
// mark and no reference, because a text may be a slice of a large one.

const PLACES = 256;
// repetitions in a row before a text gets a symbol, so that ids get none
const TIMES = 3;

const texts = new Array(PLACES).fill('');
const numbers = new Int32Array(PLACES); // symbols of `texts`
const marks = new Int32Array(PLACES); // hash of the last other text; low bits: its count

/** Returns the place of a non-empty text of n characters. */
function placeOf(text, n) {
  return (n * 37 + text.charCodeAt(n >> 1)) & (PLACES - 1);
}

/** Counts a text without a symbol; returns whether it is hot now. */
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

/** Stores an internalized text at its place. */
function remember(text, symbol, place) {
  texts[place] = text;
  numbers[place] = symbol;
}

/**
 * Returns the internalized copy of a text: compared by address with literals, and never a slice of
 * a larger text.
 */
function internal(text) {
  for (const key in { [text]: 0 }) return key;
  return text;
}

/** Returns the first `most` characters; a surrogate pair counts as one. */
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
