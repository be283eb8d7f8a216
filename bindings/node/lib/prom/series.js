'use strict';
// The label sets of one metric: nested maps from label values to entries. An entry has the numbers
// of this thread and, for metrics of the global registry, the metric of the core that records them.

const { control, currentEpoch } = require('../shards.js');
const { hashObject } = require('./util.js');
const { validateLabel } = require('./validation.js');

/** Brings what was recorded while telemetry was off into the core, once it is on. */
function settle(entry, push) {
  entry.seen = control[0];
  if (entry.child === null) return;
  if (entry.isOn) entry.sent = entry.value;
  entry.isOn = currentEpoch() !== 0;
  if (entry.isOn) push(entry);
}

class Series {
  /** core: the metric of the core, or null. begin(entry): sets its numbers to zero. */
  constructor(labelNames, begin) {
    this.names = labelNames;
    this.begin = begin;
    this.core = null;
    this.entries = new Set();
    this.root = new Map();
    this.single = null; // of a metric without labels, or of no labels
    this.isPartial = false; // some label sets lack a label: the core does not have these
  }

  /** The entry of a label object, made by the first call. Throws for labels not declared. */
  find(labels) {
    const { names } = this;
    let node = this.root;
    for (let i = 0; i < names.length && node !== undefined; i++) node = node.get(labels[names[i]]);
    let given = 0;
    for (const _ in labels) given++; // eslint-disable-line no-unused-vars
    if (node !== undefined && node !== this.root && node.given === given) return node;
    if (given === 0 && this.single !== null) return this.single;
    return this.miss(labels);
  }

  miss(labels) {
    validateLabel(this.names, labels);
    const entry = this.get(labels) || this.make(labels);
    if (this.names.length === 0) return (this.single = entry);
    this.insert(
      this.names.map((name) => labels[name]),
      entry,
    );
    return entry;
  }

  /** The entry of a label set, or undefined. Numbers are the same as their texts. */
  get(labels) {
    const hash = hashObject(labels, this.names);
    for (const entry of this.texts().get(hash) || []) return entry;
    return undefined;
  }

  /** Entries by the text of their labels. Made for a label set that is new in this spelling. */
  texts() {
    if (this.index === undefined) this.index = new Map();
    return this.index;
  }

  make(labels) {
    const copy = {};
    for (const name of this.names) if (labels[name] !== undefined) copy[name] = labels[name];
    const given = Object.keys(copy).length;
    const entry = {
      labels: copy,
      value: 0,
      given,
      child: null,
      seen: -1,
      isOn: false,
      sent: 0,
      hash: hashObject(copy, this.names),
    };
    this.begin(entry);
    this.entries.add(entry);
    this.texts().set(entry.hash, [entry]);
    if (given < this.names.length) this.isPartial = true;
    else if (this.core !== null) this.bind(entry);
    return entry;
  }

  bind(entry) {
    entry.child =
      this.names.length === 0
        ? this.core
        : this.core.labels(...this.names.map((name) => `${entry.labels[name]}`));
  }

  insert(values, entry) {
    let node = this.root;
    const last = values.length - 1;
    for (let i = 0; i < last; i++) {
      let next = node.get(values[i]);
      if (next === undefined) node.set(values[i], (next = new Map()));
      node = next;
    }
    node.set(values[last], entry);
  }

  /** Records in the core, too. */
  join(core) {
    this.core = core;
    for (const entry of this.entries) if (entry.given === this.names.length) this.bind(entry);
  }

  remove(labels) {
    const entry = this.get(labels);
    if (entry === undefined) return;
    this.entries.delete(entry);
    this.texts().delete(entry.hash);
    this.root = new Map();
    this.single = null;
    if (entry.child !== null && this.names.length > 0)
      this.core.remove(...this.names.map((name) => `${entry.labels[name]}`));
  }

  clear() {
    this.entries.clear();
    this.index = undefined;
    this.root = new Map();
    this.single = null;
    this.isPartial = false;
    if (this.core !== null) this.core.clear();
  }

  /** The entries by hash, as metrics of prom-client keep them. */
  asHashMap(shape) {
    return Object.fromEntries([...this.entries].map((entry) => [entry.hash, shape(entry)]));
  }
}

module.exports = { Series, control, currentEpoch, settle };
