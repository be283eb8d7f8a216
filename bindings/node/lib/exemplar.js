'use strict';
// Ids of a span as the words of an exemplar.

const words = new Int32Array(8);

/** Returns the words of these ids, valid until the next call; null for invalid ids. */
function wordsOf(traceId, spanId) {
  if (!/^[0-9a-f]{32}$/.test(traceId) || !/^[0-9a-f]{16}$/.test(spanId)) return null;
  for (let i = 0; i < 4; i++) words[i] = parseInt(traceId.slice(8 * i, 8 * i + 8), 16);
  for (let i = 0; i < 2; i++) words[4 + i] = parseInt(spanId.slice(8 * i, 8 * i + 8), 16);
  words[6] = 1;
  return words;
}

/** Returns the words of the current span if it is sampled, else undefined. */
function currentWords() {
  const ids = require('./current.js').currentIds();
  return (
    (ids !== null && (ids.traceFlags & 1) !== 0 && wordsOf(ids.traceId, ids.spanId)) || undefined
  );
}

module.exports = require('./one.js')('exemplar', { currentWords, wordsOf });
