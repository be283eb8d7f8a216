'use strict';
// What all metrics have in common: their configuration, registries and label sets.

const Registry = require('./registry.js');
const { Series, control, settle } = require('./series.js');
const { getLabels, isObject } = require('./util.js');
const { validateLabel, validateLabelName, validateMetricName } = require('./validation.js');

const AGGREGATORS = new Set(['sum', 'first', 'omit', 'average', 'min', 'max']);

function check(metric) {
  if (!metric.help) throw new Error('Missing mandatory help parameter');
  if (!metric.name) throw new Error('Missing mandatory name parameter');
  if (!validateMetricName(metric.name)) throw new Error('Invalid metric name');
  if (!validateLabelName(metric.labelNames)) throw new Error('Invalid label name');
  if (metric.collect && typeof metric.collect !== 'function')
    throw new Error('Optional "collect" parameter must be a function');
}

class Metric {
  constructor(config, defaults = {}) {
    if (!isObject(config)) throw new TypeError('constructor expected a config object');
    const own = {
      labelNames: [],
      registers: [Registry.globalRegistry],
      aggregator: 'sum',
      enableExemplars: false,
    };
    Object.assign(this, own, defaults, config);
    if (!this.registers) this.registers = own.registers;
    check(this);
    this.labelNames = [...this.labelNames];
    this.sortedLabelNames = [...this.labelNames].sort();
    hide(this, '_series', new Series(this.labelNames, (entry) => this._begin(entry)));
    this._prepare();
    this.reset();
    for (const register of this.registers) {
      if (this.enableExemplars && register.contentType === Registry.PROMETHEUS_CONTENT_TYPE)
        throw new TypeError('Exemplars are supported only on OpenMetrics registries');
      register.registerMetric(this);
    }
    if (this.registers.includes(Registry.globalRegistry)) this._join();
  }

  /** Reads further configuration. */
  _prepare() {}

  /** The class of the core that records these numbers, or null. */
  _coreClass() {
    return null;
  }

  /** Records the metric of the global registry in the core. */
  _join() {
    const Core = this._coreClass();
    // The core has families of the process itself.
    if (Core === null || !AGGREGATORS.has(this.aggregator) || this.name.startsWith('process_'))
      return;
    const { name, help, labelNames, aggregator, upperBounds } = this;
    // Before each exposition that JavaScript makes.
    const collect = () => {
      this._settle();
      return this.collect?.();
    };
    const options = { name, help: `${help}`, labelNames, aggregator, buckets: upperBounds };
    this._series.join(new Core({ ...options, collect }));
    this._settle();
  }

  /** Whether the page of the core has all series of this metric. */
  _isInCore() {
    return this._series.core !== null && !this._series.isPartial;
  }

  /** Brings all series up to date in the core. */
  _settle() {
    for (const entry of this._series.entries)
      if (entry.seen !== control[0]) settle(entry, this._push);
  }

  get hashMap() {
    return this._series.asHashMap((entry) => this._shape(entry));
  }

  _shape(entry) {
    const { value, labels, exemplar } = entry;
    return exemplar === undefined ? { value, labels } : { value, labels, exemplar };
  }

  /** The metric with its values, after its collect(). */
  async get() {
    if (this.collect) {
      const result = this.collect();
      if (result instanceof Promise) await result;
    }
    const { help, name, type, aggregator } = this;
    return { help, name, type, values: this._values(), aggregator };
  }

  _values() {
    return [...this._series.entries].map((entry) => this._shape(entry));
  }

  /** Removes the values of all label sets. A metric without labels starts again at 0. */
  reset() {
    this._series.clear();
    if (this.labelNames.length === 0) this._series.find({});
  }

  /** Removes the values of a label set. */
  remove(...args) {
    const labels = getLabels(this.labelNames, args) || {};
    validateLabel(this.labelNames, labels);
    this._series.remove(labels);
  }
}

function hide(object, name, value) {
  Object.defineProperty(object, name, { value, writable: true, enumerable: false });
}

module.exports = { Metric, hide };
