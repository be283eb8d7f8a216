'use strict';
// Sums that only increase.

const util = require('node:util');
const { Counter: Core } = require('../metrics.js');
const Exemplar = require('./exemplar.js');
const { Metric } = require('./metric.js');
const { control, settle } = require('./series.js');
const { getLabels, isObject, nowTimestamp } = require('./util.js');

const NO_LABELS = Object.freeze({});

const push = (entry) => {
  if (entry.value > entry.sent) entry.child.inc(entry.value - entry.sent);
};

function add(metric, labels, value) {
  if (value !== undefined && value !== null && value && !Number.isFinite(value))
    throw new TypeError(`Value is not a valid number: ${util.format(value)}`);
  if (value < 0) throw new Error('It is not possible to decrease a counter');
  const amount = value === undefined || value === null ? 1 : Number(value);
  if (amount !== amount) return null; // it would stay for ever
  const { single } = metric._series;
  const entry = labels === NO_LABELS && single !== null ? single : metric._series.find(labels);
  if (entry.seen !== control[0]) settle(entry, push);
  entry.value += amount;
  if (entry.isOn) {
    if (amount === 1) entry.child.inc();
    else entry.child.inc(amount);
  }
  return entry;
}

class Counter extends Metric {
  constructor(config) {
    super(config);
    this.type = 'counter';
    this.defaultLabels = {};
    this.defaultValue = 1;
    this.defaultExemplarLabelSet = {};
    if (config.enableExemplars) {
      this.enableExemplars = true;
      this.inc = this.incWithExemplar;
    }
  }

  _begin() {}

  /** A name without _total would be another one in the core. */
  _coreClass() {
    return this.name.endsWith('_total') && !this.enableExemplars ? Core : null;
  }

  _push(entry) {
    push(entry);
  }

  /** inc(), inc(value), inc(labels), inc(labels, value) */
  inc(labels, value) {
    if (isObject(labels)) add(this, labels, value);
    else add(this, NO_LABELS, labels);
  }

  incWithoutExemplar(labels, value) {
    const entry = isObject(labels) ? add(this, labels, value) : add(this, NO_LABELS, labels);
    return { labelHash: entry === null ? '' : entry.hash };
  }

  /** As inc, with the labels of an exemplar. */
  incWithExemplar({
    labels = this.defaultLabels,
    value = this.defaultValue,
    exemplarLabels = this.defaultExemplarLabelSet,
  } = {}) {
    const entry = add(this, labels || NO_LABELS, value);
    if (entry !== null && exemplarLabels !== this.defaultExemplarLabelSet)
      this.updateExemplar(exemplarLabels, value, entry.hash);
  }

  updateExemplar(exemplarLabels, value, hash) {
    if (exemplarLabels === this.defaultExemplarLabelSet) return;
    const [entry] = this._series.texts().get(hash);
    const exemplar = isObject(entry.exemplar) ? entry.exemplar : new Exemplar();
    exemplar.validateExemplarLabelSet(exemplarLabels);
    Object.assign(exemplar, { labelSet: exemplarLabels, value: value || 1 });
    exemplar.timestamp = nowTimestamp();
    entry.exemplar = exemplar;
  }

  /** The counter of a label set. */
  labels(...args) {
    const labels = getLabels(this.labelNames, args) || {};
    return { inc: this.inc.bind(this, labels) };
  }
}

module.exports = Counter;
