'use strict';
// Values that increase and decrease.

const util = require('node:util');
const { Gauge: Core } = require('../metrics.js');
const { Metric } = require('./metric.js');
const { control, settle } = require('./series.js');
const { getLabels, hashObject, isObject, timer } = require('./util.js');
const { validateLabel } = require('./validation.js');

const NO_LABELS = Object.freeze({});

const push = (entry) => entry.child.set(entry.value);

function change(metric, labels, value, isDelta) {
  const { single } = metric._series;
  const entry = labels === NO_LABELS && single !== null ? single : metric._series.find(labels);
  if (entry.seen !== control[0]) settle(entry, push);
  entry.value = isDelta ? entry.value + value : value;
  if (!entry.isOn) return;
  if (isDelta) entry.child.inc(value);
  else entry.child.set(value);
}

function numeric(value, what) {
  if (typeof value !== 'number')
    throw new TypeError(`${what} is not a valid number: ${util.format(value)}`);
}

function step(metric, sign, first, second) {
  const withLabels = isObject(first);
  const given = withLabels ? second : first;
  const delta = given === undefined ? 1 : given;
  numeric(delta, 'Delta');
  change(metric, withLabels ? first : NO_LABELS, sign * delta, true);
}

class Gauge extends Metric {
  constructor(config) {
    super(config);
    this.type = 'gauge';
  }

  _begin() {}

  _coreClass() {
    return Core;
  }

  _push(entry) {
    push(entry);
  }

  /** set(value), set(labels, value) */
  set(labels, value) {
    const withLabels = isObject(labels);
    const given = withLabels ? value : labels;
    numeric(given, 'Value');
    change(this, withLabels ? labels : NO_LABELS, given, false);
  }

  /** inc(), inc(value), inc(labels), inc(labels, value) */
  inc(labels, value) {
    step(this, 1, labels, value);
  }

  /** dec(), dec(value), dec(labels), dec(labels, value) */
  dec(labels, value) {
    step(this, -1, labels, value);
  }

  /** Sets the Unix time in seconds. */
  setToCurrentTime(labels) {
    const now = Date.now() / 1000;
    if (labels === undefined) this.set(now);
    else this.set(labels, now);
  }

  /** Returns a function that sets the seconds since now and returns them. */
  startTimer(labels) {
    return timer(labels, (all, seconds) => this.set(all, seconds));
  }

  _getValue(labels) {
    const [entry] = this._series.texts().get(hashObject(labels || {}, this.labelNames)) || [];
    return entry === undefined ? 0 : entry.value;
  }

  /** The gauge of a label set. */
  labels(...args) {
    const labels = getLabels(this.labelNames, args);
    validateLabel(this.labelNames, labels);
    return {
      inc: this.inc.bind(this, labels),
      dec: this.dec.bind(this, labels),
      set: this.set.bind(this, labels),
      setToCurrentTime: this.setToCurrentTime.bind(this, labels),
      startTimer: this.startTimer.bind(this, labels),
    };
  }
}

module.exports = Gauge;
