'use strict';
// Names of metrics and labels.

const util = require('node:util');

const METRIC = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

const validateMetricName = (name) => METRIC.test(name);
const validateLabelName = (names = []) => names.every((name) => LABEL.test(name));

/** Throws for a label that was not declared. */
function validateLabel(savedLabels, labels) {
  for (const label in labels) {
    if (!savedLabels.includes(label)) {
      throw new Error(
        `Added label "${label}" is not included in initial labelset: ${util.inspect(savedLabels)}`,
      );
    }
  }
}

module.exports = { validateLabel, validateLabelName, validateMetricName };
