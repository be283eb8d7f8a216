'use strict';
// Spans whose context was returned as a plain object. The object, or a copy, can come back as a
// parent; the child then joins the local trace of its parent. Stores numbers only, in a
// set-associative table by span id, so it keeps no object alive. A context whose place was reused
// starts a new local trace.

const SETS = 1024; // selected by the span id
const WAYS = 4; // places per set; the oldest is replaced
const WORDS = 8;

const table = new Int32Array(SETS * WAYS * WORDS);
const next = new Uint8Array(SETS); // the place of each set to replace next

const setOf = (s0, s1) => (s0 ^ (s1 >>> 7)) & (SETS - 1);

const isOf = (at, span) => table[at + 4] === span.s0 && table[at + 5] === span.s1;

/** Stores a span whose context is returned as an object. */
function note(span) {
  const set = setOf(span.s0, span.s1);
  let way = 0;
  while (way < WAYS && !isOf((set * WAYS + way) * WORDS, span)) way++;
  if (way === WAYS) {
    way = next[set];
    next[set] = (way + 1) % WAYS;
  }
  const at = (set * WAYS + way) * WORDS;
  table[at] = span.t0;
  table[at + 1] = span.t1;
  table[at + 2] = span.t2;
  table[at + 3] = span.t3;
  table[at + 4] = span.s0;
  table[at + 5] = span.s1;
  table[at + 6] = span.local;
  table[at + 7] = span.generation;
}

function isAt(at, trace, id) {
  for (let i = 0; i < 4; i++) {
    if (table[at + i] !== trace[i]) return false;
  }
  return table[at + 4] === id[0] && table[at + 5] === id[1];
}

/** Returns the place of a stored span with these ids; -1 if there is none. */
function find(trace, id) {
  const first = setOf(id[0], id[1]) * WAYS;
  for (let way = 0; way < WAYS; way++) {
    const at = (first + way) * WORDS;
    if (isAt(at, trace, id)) return at;
  }
  return -1;
}

const localAt = (at) => table[at + 6];
const generationAt = (at) => table[at + 7];

module.exports = require('./one.js')('shared_context', { find, generationAt, localAt, note });
