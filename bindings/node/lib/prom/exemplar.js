'use strict';
// An example of a recording.

const RUNES_MAX = 128;

class Exemplar {
  constructor(labelSet = {}, value = null) {
    this.labelSet = labelSet;
    this.value = value;
  }

  /** Throws for labels that are too long for OpenMetrics. */
  validateExemplarLabelSet(labelSet) {
    let runes = 0;
    for (const [name, value] of Object.entries(labelSet)) runes += `${name}${value}`.length;
    if (runes > RUNES_MAX)
      throw new RangeError('Label set size must be smaller than 128 UTF-8 chars');
  }
}

module.exports = Exemplar;
