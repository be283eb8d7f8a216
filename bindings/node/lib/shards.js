'use strict';
// The metrics shard of this environment: the control word that changes when telemetry starts or
// ends, the arrays over the memory of the core, and the metrics that write to each place, so that a
// reused place has no other writer.

const { native } = require('./loader.js');
const one = require('./one.js');

const ROW = 2048; // words
// High halves of the marks of djp/shard.h
const REMOVED = 1 << 31;
const ENDED = 1 << 30;
const REQUEST = 1 << 29;

/**
 * The target of a metric while metrics are off (OFF), without a series (POISON), or with one but
 * without a stripe (CALLS): marked, never written.
 */
const OFF = target(REMOVED);
const POISON = target(REMOVED);
const CALLS = target(ENDED);
const NO_BOUNDS = new Float64Array(0);

function target(mark) {
  const ints = new Int32Array(4);
  ints[1] = mark;
  return { doubles: new Float64Array(ints.buffer), ints, first: 0 };
}

function openControl() {
  try {
    if (native !== null && !one.has('shards')) return new Int32Array(native.shardsOpen());
  } catch {
    // This runtime forbids views of native memory: metrics are off.
  }
  return null;
}

const opened = openControl();
/** control[0] changes at each start or end of an SDK of the process. */
const control = opened === null ? new Int32Array(1) : opened;

let seen = -1;
let epoch = 0;
let rows = [];
let owners = new Map(); // place -> WeakRefs of metrics

/** Returns the epoch of the running SDK, 0 without one. */
function currentEpoch() {
  const now = control[0];
  if (now === seen) return epoch;
  seen = now;
  const running = opened === null ? 0 : native.sdkEpoch();
  if (running !== epoch) {
    epoch = running;
    rows = [];
    owners = new Map();
  }
  return epoch;
}

function rowAt(index) {
  if (rows[index] === undefined) {
    const memory = native.shardsRow(index, epoch);
    if (memory === null || memory === undefined) return undefined;
    rows[index] = {
      doubles: new Float64Array(memory),
      ints: new Int32Array(memory),
      first: index * ROW,
    };
  }
  return rows[index];
}

/** Points a metric at a place of a row; mark is the offset of the word with the mark. */
function point(metric, row, at, mark) {
  metric._row = row;
  metric._doubles = row.doubles;
  metric._at = at;
  metric._ints = row.ints;
  metric._int = 2 * (at + mark);
}

/** Points a metric at OFF, POISON or CALLS. */
function setTarget(metric, to) {
  point(metric, to, 0, 0);
}

function disown(place) {
  for (const reference of owners.get(place) || []) {
    const metric = reference.deref();
    if (metric !== undefined) setTarget(metric, POISON);
  }
  owners.delete(place);
}

function own(place, metric) {
  const list = owners.get(place);
  if (list === undefined) {
    owners.set(place, [new WeakRef(metric)]);
    return;
  }
  if (list.length >= 8 && (list.length & (list.length - 1)) === 0) {
    const alive = list.filter((reference) => reference.deref() !== undefined);
    owners.set(place, alive);
    alive.push(new WeakRef(metric));
    return;
  }
  list.push(new WeakRef(metric));
}

/** Binds the metric to the place of a series; mark as for point. */
function bind(metric, series, mark) {
  const bound = native.shardsBind(series);
  const place = bound < 0 ? -1 - bound : bound;
  const row = place >= 0 ? rowAt(Math.floor(place / ROW)) : undefined;
  if (bound < 0) disown(place);
  if (row === undefined) {
    setTarget(metric, CALLS);
    return;
  }
  own(place, metric);
  point(metric, row, place % ROW, mark);
}

module.exports = one('shards', {
  CALLS,
  ENDED,
  NO_BOUNDS,
  OFF,
  POISON,
  REMOVED,
  REQUEST,
  setTarget,
  bind,
  control,
  currentEpoch,
});
