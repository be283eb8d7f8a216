'use strict';
// The metrics shard of this environment: the control word that changes when telemetry starts or
// ends, the arrays over the memory of the core, and the metrics that write to each place, so that a
// reused place has no other writer.

const { native } = require('./loader.js');
const one = require('./one.js');

const CHUNK = 8192; // doubles
const SWEEP_AFTER = 64;

/**
 * The target of a metric while metrics are off (OFF), or without a series (POISON): marked as
 * removed, never written.
 */
const OFF = removedSeries();
const POISON = removedSeries();
const NO_BOUNDS = new Float64Array(0);

function removedSeries() {
  const ints = new Int32Array(4);
  ints[1] = 1;
  return { doubles: new Float64Array(ints.buffer), ints };
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
let removals = 0;
let chunks = [];
let owners = new Map(); // place -> WeakRefs of metrics

/** Returns the epoch of the running SDK, 0 without one. */
function currentEpoch() {
  const now = control[0];
  if (now === seen) return epoch;
  seen = now;
  const running = opened === null ? 0 : native.sdkEpoch();
  if (running !== epoch) {
    epoch = running;
    chunks = [];
    owners = new Map();
  }
  return epoch;
}

function chunkAt(index) {
  if (chunks[index] === undefined) {
    const memory = native.shardsChunk(index, epoch);
    if (memory === null || memory === undefined) return undefined;
    chunks[index] = { doubles: new Float64Array(memory), ints: new Int32Array(memory) };
    sweep();
  }
  return chunks[index];
}

/** Frees the places of removed series, before the memory grows again. */
function sweep() {
  for (
    let places = native.shardsSweep(epoch);
    places && places.length > 0;
    places = native.shardsSweep(epoch)
  ) {
    for (const place of places) {
      for (const reference of owners.get(place) || []) poison(reference.deref());
      owners.delete(place);
    }
  }
}

/** Counts a removal; every 64 removals, the places are freed. */
function noteRemoval() {
  removals = (removals + 1) % SWEEP_AFTER;
  if (removals === 0 && currentEpoch() !== 0) sweep();
}

/** Points a metric at a place: doubles from _at, the two words of the first one from _int. */
function point(metric, chunk, at) {
  metric._doubles = chunk.doubles;
  metric._at = at;
  metric._ints = chunk.ints;
  metric._int = 2 * at;
}

function poison(metric) {
  if (metric !== undefined) point(metric, POISON, 0);
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

/** Binds the metric to the place of a series. Returns false on failure. */
function bind(metric, series) {
  const place = native.shardsBind(series);
  if (!(place >= 0)) return false;
  const chunk = chunkAt(Math.floor(place / CHUNK));
  if (chunk === undefined) return false;
  own(place, metric);
  point(metric, chunk, place % CHUNK);
  return true;
}

module.exports = one('shards', {
  NO_BOUNDS,
  OFF,
  POISON,
  bind,
  control,
  currentEpoch,
  noteRemoval,
  point,
  poison,
});
