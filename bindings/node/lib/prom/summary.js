'use strict';
// Quantiles, sum and number of observations of this thread.

const util = require('node:util');
const { Metric } = require('./metric.js');
const TimeWindowQuantiles = require('./timeWindowQuantiles.js');
const { getLabels, isObject, timer } = require('./util.js');
const { validateLabel } = require('./validation.js');

const PERCENTILES = [0.01, 0.05, 0.5, 0.9, 0.95, 0.99, 0.999];
const COMPRESS_COUNT = 1000;
const NO_LABELS = Object.freeze({});

function observe(metric, labels, value) {
  validateLabel(metric.labelNames, labels);
  if (!Number.isFinite(value))
    throw new TypeError(`Value is not a valid number: ${util.format(value)}`);
  const entry = metric._series.find(labels);
  entry.td.push(value);
  entry.count++;
  if (entry.count % metric.compressCount === 0) entry.td.compress();
  entry.sum += value;
}

class Summary extends Metric {
  constructor(config) {
    super(config, { percentiles: PERCENTILES, compressCount: COMPRESS_COUNT });
    this.type = 'summary';
  }

  _prepare() {
    if (this.labelNames.includes('quantile'))
      throw new Error('quantile is a reserved label keyword');
  }

  _begin(entry) {
    entry.td = new TimeWindowQuantiles(this.maxAgeSeconds, this.ageBuckets);
    entry.count = 0;
    entry.sum = 0;
  }

  _shape({ labels, td, count, sum }) {
    return { labels, td, count, sum };
  }

  _values() {
    const values = [];
    for (const entry of this._series.entries) {
      const { labels, td, sum, count } = entry;
      if (this.pruneAgedBuckets && td.size() === 0) {
        this._series.remove(labels);
        continue;
      }
      for (const quantile of this.percentiles)
        values.push({ labels: { quantile, ...labels }, value: td.percentile(quantile) || 0 });
      values.push({ metricName: `${this.name}_sum`, labels, value: sum });
      values.push({ metricName: `${this.name}_count`, labels, value: count });
    }
    return values;
  }

  /** observe(value), observe(labels, value) */
  observe(labels, value) {
    if (isObject(labels)) observe(this, labels, value);
    else observe(this, NO_LABELS, labels === undefined ? value : labels);
  }

  /** Removes the observations of all label sets. */
  reset() {
    if (this._series.entries.size === 0) super.reset();
    for (const entry of this._series.entries) this._begin(entry);
  }

  /** Returns a function that observes the seconds since now and returns them. */
  startTimer(labels) {
    return timer(labels, (all, seconds) => this.observe(all, seconds));
  }

  /** The summary of a label set. */
  labels(...args) {
    const labels = getLabels(this.labelNames, args);
    validateLabel(this.labelNames, labels);
    return {
      observe: (value) => observe(this, labels, value),
      startTimer: (startLabels) => this.startTimer({ ...labels, ...startLabels }),
    };
  }
}

module.exports = Summary;
