'use strict';
// Observations counted in buckets.

const util = require('node:util');
const { bucketOf } = require('../buckets.js');
const { Histogram: Core } = require('../metrics.js');
const Exemplar = require('./exemplar.js');
const { Metric } = require('./metric.js');
const { control, settle } = require('./series.js');
const { getLabels, isObject, nowTimestamp, timer } = require('./util.js');
const { validateLabel } = require('./validation.js');

const DEFAULT_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const EARLY_MAX = 1000; // observations before telemetry starts that the core gets
const NO_LABELS = Object.freeze({});

const push = (entry) => {
  for (const value of entry.early) entry.child.observe(value);
  entry.early = [];
};

function observe(metric, labels, value) {
  if (!Number.isFinite(value)) {
    validateLabel(metric.labelNames, labels);
    throw new TypeError(`Value is not a valid number: ${util.format(value)}`);
  }
  const entry = metric._series.find(labels);
  if (entry.seen !== control[0]) settle(entry, push);
  entry.sum += value;
  entry.count++;
  entry.buckets[bucketOf(metric.upperBounds, value)]++;
  if (entry.isOn) entry.child.observe(value);
  else if (entry.child !== null && entry.early.length < EARLY_MAX) entry.early.push(value);
  return entry;
}

class Histogram extends Metric {
  constructor(config) {
    super(config, { buckets: DEFAULT_BUCKETS });
    this.type = 'histogram';
    this.defaultLabels = {};
    this.defaultExemplarLabelSet = {};
    if (this.enableExemplars) this.observe = this.observeWithExemplar;
  }

  _prepare() {
    if (this.labelNames.includes('le')) throw new Error('le is a reserved label keyword');
    this.upperBounds = Object.freeze([...this.buckets]);
    const zeros = Object.fromEntries(this.upperBounds.map((bound) => [bound, 0]));
    this.bucketValues = Object.freeze(zeros);
  }

  _begin(entry) {
    entry.sum = 0;
    entry.count = 0;
    entry.buckets = new Array(this.upperBounds.length + 1).fill(0);
    entry.early = [];
    entry.exemplars = [];
  }

  _coreClass() {
    const rising = this.upperBounds.every((bound, i, all) => i === 0 || all[i - 1] < bound);
    return rising && !this.enableExemplars ? Core : null;
  }

  _push(entry) {
    push(entry);
  }

  _shape(entry) {
    const { labels, sum, count } = entry;
    const bucketValues = {};
    this.upperBounds.forEach((bound, i) => (bucketValues[bound] = entry.buckets[i]));
    return { labels, bucketValues, sum, count };
  }

  _shared() {
    return [...this._series.entries].flatMap((entry) => {
      const sharedLabels = entry.labels;
      const metricName = `${this.name}_bucket`;
      let total = 0;
      const values = [...this.upperBounds, '+Inf'].map((le, i) => {
        total += entry.buckets[i];
        const exemplar = this.enableExemplars ? entry.exemplars[i] || null : null;
        return { value: total, metricName, exemplar, labels: { le }, sharedLabels };
      });
      const { sum, count } = entry;
      values.push(
        { value: sum, metricName: `${this.name}_sum`, labels: {}, sharedLabels },
        { value: count, metricName: `${this.name}_count`, labels: {}, sharedLabels },
      );
      return values;
    });
  }

  _values() {
    return this._shared().map(({ sharedLabels, labels, ...value }) => ({
      ...value,
      labels: { ...labels, ...sharedLabels },
    }));
  }

  /** As get(), with the labels of a series apart from those of its values. */
  async getForPromString() {
    return { ...(await this.get()), values: this._shared() };
  }

  /** observe(value), observe(labels, value) */
  observe(labels, value) {
    if (isObject(labels)) observe(this, labels, value);
    else observe(this, NO_LABELS, labels === undefined ? value : labels);
  }

  observeWithoutExemplar(labels, value) {
    Histogram.prototype.observe.call(this, labels, value);
  }

  /** As observe, with the labels of an exemplar. */
  observeWithExemplar({
    labels = this.defaultLabels,
    value,
    exemplarLabels = this.defaultExemplarLabelSet,
  } = {}) {
    observe(this, labels || NO_LABELS, value);
    this.updateExemplar(labels, value, exemplarLabels);
  }

  updateExemplar(labels, value, exemplarLabels) {
    if (Object.keys(exemplarLabels).length === 0) return;
    const { exemplars } = this._series.find(labels);
    const exemplar = new Exemplar();
    exemplar.validateExemplarLabelSet(exemplarLabels);
    Object.assign(exemplar, { labelSet: exemplarLabels, value, timestamp: nowTimestamp() });
    exemplars[bucketOf(this.upperBounds, value)] = exemplar;
  }

  /** Shows a label set before its first observation. */
  zero(labels) {
    this._series.remove(labels);
    this._series.find(labels);
  }

  /** Returns a function that observes the seconds since now and returns them. */
  startTimer(labels, exemplarLabels) {
    return timer(labels, (all, value, more) => {
      if (!this.enableExemplars) this.observe(all, value);
      else this.observe({ labels: all, value, exemplarLabels: { ...exemplarLabels, ...more } });
    });
  }

  /** The histogram of a label set. */
  labels(...args) {
    const labels = getLabels(this.labelNames, args);
    validateLabel(this.labelNames, labels);
    return {
      observe: (value) => void observe(this, labels, value),
      startTimer: (startLabels) => this.startTimer({ ...labels, ...startLabels }),
    };
  }
}

module.exports = Histogram;
