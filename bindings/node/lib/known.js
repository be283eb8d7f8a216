'use strict';
// Spans of this environment whose context was handed out as a plain object: it may come back as somebody's parent, also as a copy, and the
// child must then join the local trace of its parent. Numbers only, in a fixed place per id, so that nothing is kept alive by it; a context
// whose place was taken by a later one begins a local trace of its own.

const PLACES = 1024;
const WORDS = 8;

const table = new Int32Array(PLACES * WORDS);

function placeOf(s0, s1) {
  return ((s0 ^ (s1 >>> 7)) & (PLACES - 1)) * WORDS;
}

/** Notes a span whose context leaves as an object. */
function note(span) {
  const at = placeOf(span.s0, span.s1);
  table[at] = span.t0;
  table[at + 1] = span.t1;
  table[at + 2] = span.t2;
  table[at + 3] = span.t3;
  table[at + 4] = span.s0;
  table[at + 5] = span.s1;
  table[at + 6] = span.local;
  table[at + 7] = span.generation;
}

/** The place of a noted span with these ids; -1 when there is none. */
function find(trace, id) {
  const at = placeOf(id[0], id[1]);
  for (let i = 0; i < 4; i++) {
    if (table[at + i] !== trace[i]) return -1;
  }
  return table[at + 4] === id[0] && table[at + 5] === id[1] ? at : -1;
}

const localAt = (at) => table[at + 6];
const generationAt = (at) => table[at + 7];

module.exports = require('./one.js')('known', { find, generationAt, localAt, note });
