'use strict';
// What counters, gauges and histograms share: the definition as the user declared it, its binding
// to the SDK that runs now, and the way from label values to the metric of one label set. Nothing
// here throws into a recording, and nothing grows without bound.

const { impl } = require('./loader.js');
const runtime = require('./runtime.js');
const shards = require('./shards.js');
const { METRIC } = require('./oplog_form.js');

const { control } = shards;
const { COUNTER, GAUGE, HISTOGRAM } = METRIC;
const NOWHERE = []; // label values of a metric that no series belongs to
const KEPT = 2000; // label sets that labels() remembers while telemetry is off
const TEXT_MAX = 1024; // longer texts are cut by the core and make no key of their own
const ITEMS_MAX = 200;
const PROBE = 15; // of so many look-ups in a full family one asks the core

class Definition {
  constructor(fields) {
    Object.assign(this, fields);
  }
}

const isDefinition = (value) => value instanceof Definition;

const declared = new Set(); // WeakRefs of the declared metrics
let prune = 64;

// ---- definitions -------------------------------------------------------------------------------

/** The core adds the unit. */
function joinName(parts) {
  return parts.filter((part) => typeof part === 'string' && part !== '').join('_');
}

/**
 * The items of anything that can be iterated; throws for the rest, and for more than any metric
 * takes.
 */
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
 * new Metric({ name, help, labelNames, ... }) or new Metric(name, help, labelNames, { ... }).
 * Throws for what has no name.
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
  'It records nothing. Give a string as name, an array of strings as label names and numbers as buckets.';

/**
 * A definition from whatever the user gave; what no registry would take is said once and records
 * nothing.
 */
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
 * The number of the definition's family in the running SDK; 0 while metrics are off or when it was
 * refused.
 */
function familyOf(definition) {
  const now = control[0];
  if (definition.seen === now) return definition.family;
  definition.seen = now;
  definition.family = 0;
  if (shards.currentEpoch() === 0 || !definition.usable) return 0;
  try {
    const { type, name, help, unit, labelNames, buckets } = definition;
    const number = impl.familyNew(type, name, help, unit, labelNames, buckets) || 0;
    definition.family = Math.abs(number);
    if (number < 0) runtime.warnOnce(`The metric '${name.slice(0, 100)}' ${SHARED}`);
  } catch (error) {
    runtime.warnOnce(error && error.message);
  }
  return definition.family;
}

// ---- the metric --------------------------------------------------------------------------------

/** A declared metric (values null), or that of one label set. */
class Metric {
  /** @hideconstructor */
  constructor(definition, values) {
    this._seen = -1; // control[0] when it was bound
    this._doubles = shards.OFF.doubles;
    this._at = 0;
    this._ints = shards.OFF.ints;
    this._int = 0;
    this._bounds = shards.NO_BOUNDS;
    // Maps from label value to label value to metric; null where there is nothing to look up
    this._look = null;
    this._depth = values === null ? definition.labelNames.length : 0;
    this._n0 = definition.labelNames[0];
    this._n1 = definition.labelNames[1];
    this._n2 = definition.labelNames[2];
    this._series = 0;
    this._definition = definition;
    this._values = values;
    this._trie = this._depth > 0 ? new Map() : null; // as _look, kept while metrics are off
    this._leaves = 0;
    this._made = 0; // of the leaves: label sets, not spellings of the same
    this._overflow = null;
    this._misses = 0;
    this._tries = 0; // for an exemplar
    this._callback = null;
  }

  /** The full name, as declared. */
  get name() {
    return this._definition.name;
  }

  /** The declared label names. */
  get labelNames() {
    return this._definition.labelNames.slice();
  }

  /**
   * The metric of one label set: by values in the declared order, or by an object of label name and
   * value.
   */
  labels(...given) {
    try {
      return labelled(this, given);
    } catch {
      return nowhere(this, 'got a value without a text form');
    }
  }

  /** Forgets a label set: it is no longer shown, and what was made of it before records nothing. */
  remove(...given) {
    try {
      remove(this, given);
    } catch {
      // A value without a text form names no series.
    }
  }

  /** Forgets all label sets. A metric without labels starts again from zero. */
  clear() {
    const family = this._values === null ? familyOf(this._definition) : 0;
    if (this._values !== null) return;
    if (family !== 0) {
      impl.familyClear(family);
      impl.shardsFold();
    }
    discardAll(this);
    if (this._depth === 0) rebind(this);
  }

  /** As clear(). */
  reset() {
    this.clear();
  }

  /**
   * The current value over all threads of the process; the sum for a histogram; 0 while metrics are
   * off.
   */
  get value() {
    fresh(this);
    if (this._series === 0) return 0;
    impl.shardsFold();
    return impl.seriesValue(this._series);
  }
}

const isOff = (metric) => metric._doubles === shards.OFF.doubles;

/** Looks the metric's series up again when telemetry began or ended meanwhile. */
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
  shards.point(metric, family === 0 ? shards.OFF : shards.POISON, 0);
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
  if (type === GAUGE || shards.bind(metric, series)) metric._series = series;
}

function boundsOf(definition, series) {
  if (definition.bounds.length === 0)
    definition.bounds = Float64Array.from(impl.shardsBounds(series) || []);
  return definition.bounds;
}

// ---- label sets --------------------------------------------------------------------------------

/** The text that the core would see; throws where there is none. */
function textOf(value) {
  const text = typeof value === 'string' ? value : String(value);
  return text.length > TEXT_MAX ? text.slice(0, TEXT_MAX) : text;
}

/**
 * A key that keeps no other string alive, as a part of a longer one would, and that is found by its
 * address.
 */
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
  // ever new spellings of the same label sets
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

/** Takes a leaf away, and branches that lead nowhere then. */
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

/** A metric that records nothing, for calls that name no series. */
function nowhere(metric, why) {
  const name = metric._definition.name.slice(0, 100);
  const advice = 'The recording is dropped. Give one value for each of its label names.';
  if (metric._definition.usable)
    runtime.warnOnce(`labels() of the metric '${name}' ${why}. ${advice}`);
  return child(metric, NOWHERE);
}

/**
 * The metric of label values that the trie does not have. While the family is full, most look-ups
 * end at the overflow series without asking the core, and nothing is kept.
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
 * The values of a label object in declared order, or null when it has other names than the declared
 * ones.
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

/** Whether its series has not been removed, as far as this is known without a call. */
function alive(metric) {
  return (
    metric._definition.type === GAUGE ||
    metric._seen !== control[0] ||
    metric._ints[metric._int + 1] === 0
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
  if (family !== 0) {
    impl.familyRemove(family, texts);
    impl.shardsFold();
    shards.noteRemoval();
  }
  if (metric._depth === 0) return;
  metric._overflow = null;
  discard(metric, values);
  discard(metric, texts);
}

// ---- for the recording calls -------------------------------------------------------------------

/** The metric of a label object, or null when metrics are off. Never throws. */
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

/** A label object for a metric that has nothing to look up: {} stands for the metric itself. */
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
    // A proxy that refuses to tell its keys names no series.
  }
  return nowhere(metric, 'got other labels than it was declared with');
}

/** The metric found through labels turned out to be removed: its successor, or null. */
function successor(metric, labels) {
  try {
    const values = valuesOf(metric, labels);
    return values === null ? null : again(metric, values, walk(metric._trie, values));
  } catch {
    return null;
  }
}

/**
 * Counts a recording that could not be kept, and says why where a metric with labels was used
 * without them.
 */
function drop(metric) {
  const definition = metric._definition;
  if (isOff(metric)) return;
  if (metric._values === null && metric._depth > 0) {
    runtime.warnOnce(
      `The metric '${definition.name.slice(0, 100)}' has labels and was used without them. Its recordings are ` +
        'dropped until labels() gives one value for each of its label names.',
    );
  }
  impl.shardsDropped();
}

/** Any number as such, everything else NaN. */
function numberOf(value) {
  return typeof value === 'number' ? value : typeof value === 'bigint' ? Number(value) : Number.NaN;
}

// ---- all declared metrics ----------------------------------------------------------------------

/** Binds a new metric, so that it is shown from its declaration on. */
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

/** Telemetry began or ended: what was declared and named before is shown at zero. */
function bindAll() {
  for (const reference of declared) {
    const metric = reference.deref();
    if (metric === undefined || metric._seen === control[0]) continue;
    fresh(metric);
    if (metric._look !== null) freshLeaves(metric._look);
  }
}

/** Calls visit with every declared metric that still lives. */
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
