'use strict';
// The ids of a span as words that the core takes for an exemplar.

const words = new Int32Array(8);

/** The words of these ids, valid until the next call; null when they are none. */
function wordsOf(traceId, spanId) {
  if (!/^[0-9a-f]{32}$/.test(traceId) || !/^[0-9a-f]{16}$/.test(spanId)) return null;
  for (let i = 0; i < 4; i++) words[i] = parseInt(traceId.slice(8 * i, 8 * i + 8), 16);
  for (let i = 0; i < 2; i++) words[4 + i] = parseInt(spanId.slice(8 * i, 8 * i + 8), 16);
  words[6] = 1;
  return words;
}

/** The words of the current span when it is sampled, else undefined. */
function currentWords() {
  const ids = require('./current.js').currentIds();
  return (
    (ids !== null && (ids.traceFlags & 1) !== 0 && wordsOf(ids.traceId, ids.spanId)) || undefined
  );
}

module.exports = require('./one.js')('exemplar', { currentWords, wordsOf });
