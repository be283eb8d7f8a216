'use strict';
// The base of counters, gauges and histograms: the definition by the user, its binding to the
// running SDK, and the look-up of a series by label values. No recording throws, and all memory is
// bounded.

const { impl } = require('./loader.js');
const runtime = require('./runtime.js');
const shards = require('./shards.js');
const { METRIC } = require('./oplog_form.js');

const { control } = shards;
const { COUNTER, GAUGE, HISTOGRAM } = METRIC;
const NOWHERE = []; // label values of a metric without a series
const KEPT = 2000; // cached label sets while telemetry is off
const TEXT_MAX = 1024; // the core cuts longer texts; they are not cached
const ITEMS_MAX = 200;
const PROBE = 15; // mask: in a full family, one look-up of 16 calls the core

class Definition {
  constructor(fields) {
    Object.assign(this, fields);
  }
}

const isDefinition = (value) => value instanceof Definition;

const declared = new Set(); // WeakRefs of declared metrics
let prune = 64;

// ---- definitions -------------------------------------------------------------------------------

/** Joins the parts of a name; the core adds the unit. */
function joinName(parts) {
  return parts.filter((part) => typeof part === 'string' && part !== '').join('_');
}

/** Returns the items of an iterable; throws for other values and above the limit of items. */
function listOf(value) {
  const list = [];
  for (const item of value) {
    if (list.push(item) > ITEMS_MAX) throw new RangeError('too many items');
  }
  return list;
}

function labelNamesOf(value) {
  if (value === undefined || value === null) return [];
  return typeof value === 'string' ? [value] : listOf(value);
}

/**
 * Reads the arguments of new Metric({ name, help, labelNames, ... }) or new Metric(name, help,
 * labelNames, { ... }). Throws without a name.
 */
function readArguments(given) {
  const [first, help, labelNames, more] = given;
  if (typeof first !== 'object' || first === null)
    return { ...more, name: first, help, labelNames };
  return first;
}

function readDefinition(type, given) {
  const options = readArguments(given);
  const unit = typeof options.unit === 'string' ? options.unit : '';
  const definition = new Definition({
    type,
    name: joinName([options.namespace, options.subsystem, options.name]),
    help: typeof options.help === 'string' ? options.help : '',
    unit,
    labelNames: labelNamesOf(options.labelNames),
    buckets:
      type === HISTOGRAM && options.buckets !== undefined && options.buckets !== null
        ? listOf(options.buckets)
        : null,
    exponential: options.exponential,
    // prom-client adds up the workers by default
    aggregator: options.aggregator ?? 'sum',
    usable: typeof options.name === 'string',
    collect: typeof options.collect === 'function' ? options.collect : null,
    seen: -1,
    family: 0,
    bounds: shards.NO_BOUNDS,
  });
  if (definition.labelNames.some((name) => typeof name !== 'string')) definition.usable = false;
  return definition;
}

const REFUSED =
  'It records nothing. Give a string as name, an array of strings as label names and numbers ' +
  'as buckets.';

/** Returns a definition from any arguments. An invalid one logs one warning and records nothing. */
function define(type, given) {
  let definition = null;
  try {
    definition = readDefinition(type, given);
  } catch {
    definition = readDefinition(type, ['']);
    definition.usable = false;
  }
  if (!definition.usable)
    runtime.warnOnce(
      `The metric '${definition.name.slice(0, 100)}' was declared wrongly. ${REFUSED}`,
    );
  return Object.seal(definition);
}

const SHARED =
  'is a documented one that was declared before with other buckets. Those are used. ' +
  'Declare it before the first request, or give the same buckets.';

/**
 * Returns the number of the family in the running SDK; 0 while metrics are off or if it was
 * rejected.
 */
function familyOf(definition) {
  const now = control[0];
  if (definition.seen === now) return definition.family;
  definition.seen = now;
  definition.family = 0;
  if (shards.currentEpoch() === 0 || !definition.usable) return 0;
  try {
    const { type, name, help, unit, labelNames, buckets, aggregator, exponential } = definition;
    const given = [type, name, help, unit, labelNames, buckets, aggregator, exponential];
    const number = impl.familyNew(...given) || 0;
    definition.family = Math.abs(number);
    if (number < 0) runtime.warnOnce(`The metric '${name.slice(0, 100)}' ${SHARED}`);
  } catch (error) {
    runtime.warnOnce(error && error.message);
  }
  return definition.family;
}

// ---- the metric --------------------------------------------------------------------------------

/** A declared metric (values null), or the metric of one label set. */
class Metric {
  /** @hideconstructor */
  constructor(definition, values) {
    this._seen = -1; // control[0] at the binding
    this._row = shards.OFF;
    this._doubles = shards.OFF.doubles;
    this._at = 0; // of the first word, in doubles
    this._ints = shards.OFF.ints;
    this._int = 0; // of the word with the mark, in ints
    this._bounds = shards.NO_BOUNDS;
    // Nested maps from label values to metrics; null without labels or while metrics are off
    this._look = null;
    this._depth = values === null ? definition.labelNames.length : 0;
    this._n0 = definition.labelNames[0];
    this._n1 = definition.labelNames[1];
    this._n2 = definition.labelNames[2];
    this._series = 0;
    this._definition = definition;
    this._values = values;
    this._trie = this._depth > 0 ? new Map() : null; // as _look, also while metrics are off
    this._leaves = 0;
    this._made = 0; // of these, distinct label sets
    this._overflow = null;
    this._misses = 0;
    this._tries = 0; // recordings that offered an exemplar
    this._callback = null;
  }

  /** The full name as declared. */
  get name() {
    return this._definition.name;
  }

  /** The declared label names. */
  get labelNames() {
    return this._definition.labelNames.slice();
  }

  /**
   * Returns the metric of one label set: values in the declared order, or an object by label name.
   */
  labels(...given) {
    try {
      return labelled(this, given);
    } catch {
      return nowhere(this, 'got a value without a text form');
    }
  }

  /** Removes the series of a label set. Metrics that labels() returned for it record nothing. */
  remove(...given) {
    try {
      remove(this, given);
    } catch {
      // A value without a text form names no series.
    }
  }

  /** Removes all series. A metric without labels starts again at 0. */
  clear() {
    const family = this._values === null ? familyOf(this._definition) : 0;
    if (this._values !== null) return;
    if (family !== 0) impl.familyClear(family);
    discardAll(this);
    if (this._depth === 0) rebind(this);
  }

  /** The same as clear(). */
  reset() {
    this.clear();
  }

  /** The current value over all threads; the sum of a histogram; 0 while metrics are off. */
  get value() {
    fresh(this);
    return this._series === 0 ? 0 : impl.seriesValue(this._series);
  }
}

const isOff = (metric) => metric._row === shards.OFF;

/** Binds the metric again if the SDK has started or ended since. */
function fresh(metric) {
  if (metric._seen !== control[0]) rebind(metric);
}

function rebind(metric) {
  const definition = metric._definition;
  metric._seen = control[0];
  metric._series = 0;
  metric._look = null;
  metric._bounds = shards.NO_BOUNDS;
  const family = familyOf(definition);
  shards.setTarget(metric, family === 0 ? shards.OFF : shards.POISON);
  if (family === 0) return;
  if (metric._values === NOWHERE || metric._depth > 0) {
    metric._look = metric._trie;
    metric._overflow = null;
    return;
  }
  bindSeries(metric, impl.seriesOf(family, metric._values === null ? [] : metric._values));
}

function bindSeries(metric, series) {
  const { type } = metric._definition;
  if (series === 0) return;
  if (type === HISTOGRAM) metric._bounds = boundsOf(metric._definition, series);
  if (type !== GAUGE) shards.bind(metric, series, type === HISTOGRAM ? 1 : 0);
  metric._series = series;
}

function boundsOf(definition, series) {
  if (definition.bounds.length === 0)
    definition.bounds = Float64Array.from(impl.shardsBounds(series) || []);
  return definition.bounds;
}

// ---- label sets --------------------------------------------------------------------------------

/** Returns the text that the core uses; throws if there is none. */
function textOf(value) {
  const text = typeof value === 'string' ? value : String(value);
  return text.length > TEXT_MAX ? text.slice(0, TEXT_MAX) : text;
}

/** Returns an internalized key: it keeps no longer string alive and is compared by address. */
function keyOf(value) {
  return typeof value === 'string' ? Object.keys({ [value]: 0 })[0] : value;
}

const isKey = (value) =>
  typeof value === 'string'
    ? value.length <= TEXT_MAX
    : typeof value !== 'object' && typeof value !== 'function';

function walk(trie, values) {
  let node = trie;
  for (let i = 0; i < values.length; i++) {
    node = node.get(values[i]);
    if (node === undefined) return undefined;
  }
  return node;
}

function insert(metric, values, child) {
  // too many spellings of the same label sets
  if (metric._leaves > 2 * metric._made + 1000) discardAll(metric);
  let node = metric._trie;
  const last = values.length - 1;
  for (let i = 0; i < last; i++) {
    let next = node.get(values[i]);
    if (next === undefined) node.set(keyOf(values[i]), (next = new Map()));
    node = next;
  }
  if (!node.has(values[last])) metric._leaves++;
  node.set(keyOf(values[last]), child);
}

/** Removes a leaf, and the branches that become empty. */
function cut(node, values, at) {
  const next = node.get(values[at]);
  if (next === undefined) return 0;
  if (at < values.length - 1 && (cut(next, values, at + 1) === 0 || next.size > 0)) return 0;
  node.delete(values[at]);
  return 1;
}

function discard(metric, values) {
  if (walk(metric._trie, values) === undefined) return;
  cut(metric._trie, values, 0);
  metric._leaves--;
  if (metric._made > 0) metric._made--;
}

function discardAll(metric) {
  if (metric._trie !== null) metric._trie.clear();
  metric._leaves = 0;
  metric._made = 0;
  metric._overflow = null;
}

function child(metric, values) {
  return new metric.constructor(metric._definition, values);
}

/** Returns a metric that records nothing, for a call that names no series. */
function nowhere(metric, why) {
  const name = metric._definition.name.slice(0, 100);
  const advice = 'The recording is dropped. Give one value for each of its label names.';
  if (metric._definition.usable)
    runtime.warnOnce(`labels() of the metric '${name}' ${why}. ${advice}`);
  return child(metric, NOWHERE);
}

/**
 * Returns the metric of label values that are not cached. In a full family, most look-ups return
 * the overflow series without a call of the core, and nothing is cached.
 */
function miss(metric, values) {
  fresh(metric);
  const texts = values.map(textOf);
  let found = walk(metric._trie, texts);
  if (found === undefined) {
    if (metric._overflow !== null && (++metric._misses & PROBE) !== 0) return metric._overflow;
    found = child(metric, texts.map(keyOf));
    fresh(found);
    if (metric._look === null ? metric._leaves >= KEPT : found._series === 0) return found;
    metric._overflow = null;
    if (found._series !== 0 && impl.seriesIsOverflow(found._series))
      return (metric._overflow = found);
    metric._made++;
    insert(metric, texts, found);
  }
  if (values.every(isKey) && walk(metric._trie, values) === undefined)
    insert(metric, values, found);
  return found;
}

/**
 * Returns the values of a label object in declared order; null if its names differ from the
 * declared ones.
 */
function valuesOf(metric, labels) {
  const names = metric._definition.labelNames;
  const values = names.map((name) => labels[name]);
  if (values.includes(undefined) || Object.keys(labels).length !== names.length) return null;
  return values;
}

const isObject = (value) => typeof value === 'object' && value !== null;

function valuesGiven(metric, given) {
  return given.length === 1 && isObject(given[0]) && !Array.isArray(given[0])
    ? valuesOf(metric, given[0])
    : given;
}

function labelled(metric, given) {
  if (metric._seen !== control[0]) rebind(metric);
  if (metric._depth === 0) {
    if (!metric._definition.usable) return child(metric, NOWHERE);
    return nowhere(
      metric,
      metric._values === null ? 'was called, but it has no labels' : 'was called on a child',
    );
  }
  const values = valuesGiven(metric, given);
  if (values === null || values.length !== metric._depth || values.includes(undefined)) {
    return nowhere(metric, 'got other labels than it was declared with');
  }
  const found = walk(metric._trie, values);
  return found !== undefined && alive(found) ? found : again(metric, values, found);
}

/** Whether the series is not removed, without a call of the core. */
function alive(metric) {
  return (
    metric._definition.type === GAUGE ||
    metric._seen !== control[0] ||
    (metric._ints[metric._int + 1] & shards.REMOVED) === 0
  );
}

function again(metric, values, dead) {
  if (dead !== undefined) {
    discard(metric, values);
    discard(metric, dead._values);
  }
  return miss(metric, values);
}

function remove(metric, given) {
  if (metric._values !== null) return;
  const values = valuesGiven(metric, given);
  const family = familyOf(metric._definition);
  if (values === null || values.length !== metric._depth || values.includes(undefined)) return;
  const texts = values.map(textOf);
  if (family !== 0) impl.familyRemove(family, texts);
  if (metric._depth === 0) return;
  metric._overflow = null;
  discard(metric, values);
  discard(metric, texts);
}

// ---- for the recording calls -------------------------------------------------------------------

/** Returns the metric of a label object; null while metrics are off. Never throws. */
function find(metric, labels) {
  const look = metric._look;
  if (look === null) return findNone(metric, labels);
  try {
    let given = 0;
    for (const _ in labels) given++; // eslint-disable-line no-unused-vars
    let node = look.get(labels[metric._n0]);
    if (node !== undefined && metric._depth > 1) {
      node = node.get(labels[metric._n1]);
      if (node !== undefined && metric._depth > 2) {
        node = node.get(labels[metric._n2]);
        if (node !== undefined && metric._depth > 3) node = findDeep(metric, node, labels);
      }
    }
    return node !== undefined && given === metric._depth ? node : findMissed(metric, labels);
  } catch {
    return nowhere(metric, 'got a value without a text form');
  }
}

function findDeep(metric, from, labels) {
  const names = metric._definition.labelNames;
  let node = from;
  for (let i = 3; i < names.length && node !== undefined; i++) node = node.get(labels[names[i]]);
  return node;
}

function findMissed(metric, labels) {
  const values = valuesOf(metric, labels);
  return values === null
    ? nowhere(metric, 'got other labels than it was declared with')
    : miss(metric, values);
}

/** Handles a label object for a metric without a look-up: {} is the metric itself. */
function findNone(metric, labels) {
  if (metric._seen !== control[0]) {
    rebind(metric);
    if (metric._look !== null) return find(metric, labels);
  }
  if (isOff(metric)) return null;
  try {
    if (metric._depth === 0 && !Array.isArray(labels) && Object.keys(labels).length === 0)
      return metric;
  } catch {
    // A proxy that throws for its keys names no series.
  }
  return nowhere(metric, 'got other labels than it was declared with');
}

/** Returns the new metric for the labels of a removed series, or null. */
function successor(metric, labels) {
  try {
    const values = valuesOf(metric, labels);
    return values === null ? null : again(metric, values, walk(metric._trie, values));
  } catch {
    return null;
  }
}

/** Counts a dropped recording. Warns if a metric with labels was used without them. */
function drop(metric) {
  const definition = metric._definition;
  if (isOff(metric)) return;
  if (metric._values === null && metric._depth > 0) {
    runtime.warnOnce(
      `The metric '${definition.name.slice(0, 100)}' has labels and was used without them. Its ` +
        `recordings are ` +
        'dropped until labels() gives one value for each of its label names.',
    );
  }
  impl.shardsDropped();
  // it was declared while there was no room, or while a stopped process held the lock
  if (metric._series === 0 && metric._depth === 0 && (++metric._misses & PROBE) === 0)
    metric._seen = -1;
}

/** Returns numbers unchanged, NaN for other values. */
function numberOf(value) {
  return typeof value === 'number' ? value : typeof value === 'bigint' ? Number(value) : Number.NaN;
}

// ---- all declared metrics ----------------------------------------------------------------------

/** Binds a new metric, so that it is exposed from its declaration on. */
function declare(metric) {
  watch(metric);
  fresh(metric);
}

/** Adds a metric to those that each() visits. */
function watch(metric) {
  if (declared.size >= prune) {
    for (const reference of declared)
      if (reference.deref() === undefined) declared.delete(reference);
    prune = Math.max(64, declared.size * 2);
  }
  declared.add(new WeakRef(metric));
}

function freshLeaves(node) {
  for (const next of node.values()) {
    if (next instanceof Map) freshLeaves(next);
    else fresh(next);
  }
}

/** Binds all metrics after a start or end of telemetry: declared series are exposed with 0. */
function bindAll() {
  for (const reference of declared) {
    const metric = reference.deref();
    if (metric === undefined || metric._seen === control[0]) continue;
    fresh(metric);
    if (metric._look !== null) freshLeaves(metric._look);
  }
}

/** Calls visit for each declared metric that is still alive. */
function each(visit) {
  for (const reference of declared) {
    const metric = reference.deref();
    if (metric !== undefined) visit(metric);
  }
}

runtime.onChange(bindAll);

module.exports = require('./one.js')('metric', {
  COUNTER,
  GAUGE,
  HISTOGRAM,
  Metric,
  alive,
  bindAll,
  declare,
  define,
  drop,
  each,
  find,
  fresh,
  isDefinition,
  isObject,
  isOff,
  numberOf,
  rebind,
  successor,
  watch,
});
