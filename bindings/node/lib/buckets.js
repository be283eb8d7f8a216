'use strict';
// Buckets of a histogram.

/** Returns the number of bounds below value: the index of its bucket. The last one is +Inf. */
function bucketOf(bounds, value) {
  let low = 0;
  let high = bounds.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (bounds[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

module.exports = { bucketOf };
