'use strict';
// Which slots of an operation log are taken back when all are in use.

/**
 * Returns the slots of the oldest eighth of the spans, which were most likely never ended.
 * `generations` has the number of the start of each span, of which `last` was the latest.
 */
function oldestSlots(generations, last) {
  const ages = Uint32Array.from(generations, (start) => (last - start) >>> 0);
  const least = ages.slice().sort()[ages.length - (ages.length >> 3)];
  const slots = [];
  for (let slot = 0; slot < ages.length; slot++) if (ages[slot] >= least) slots.push(slot);
  return slots;
}

module.exports = oldestSlots;
