'use strict';
// Upper bounds of histograms.

function positive(count, kind) {
  if (count < 1) throw new Error(`${kind} buckets needs a positive count`);
}

/** Bounds at equal distances. */
function linearBuckets(start, width, count) {
  positive(count, 'Linear');
  return Array.from({ length: count }, (_, i) => start + i * width);
}

/** Bounds that grow by a factor. */
function exponentialBuckets(start, factor, count) {
  if (start <= 0) throw new Error('Exponential buckets needs a positive start');
  positive(count, 'Exponential');
  if (factor <= 1) throw new Error('Exponential buckets needs a factor greater than 1');
  const bounds = [];
  for (let bound = start; bounds.length < count; bound *= factor) bounds.push(bound);
  return bounds;
}

module.exports = { exponentialBuckets, linearBuckets };
