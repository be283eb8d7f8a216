'use strict';
// This environment's metric cells: the control word that tells whether telemetry began or ended,
// the arrays over the core's memory, and which metrics write to which place, so that a place that
// is taken back has no writer left.

const { native } = require('./loader.js');
const one = require('./one.js');

const CHUNK = 8192; // doubles
const SWEEP_AFTER = 64;

/**
 * What a metric holds while metrics are off, and one without a series: the mark of a removed
 * series. Never written.
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
    // This runtime forbids views of native memory: metrics stay off here.
  }
  return null;
}

const opened = openControl();
/** control[0] changes whenever an SDK of the process begins or ends. */
const control = opened === null ? new Int32Array(1) : opened;

let seen = -1;
let epoch = 0;
let removals = 0;
let chunks = [];
let owners = new Map(); // place -> WeakRefs of metrics

/** The number of the running SDK, 0 without one. */
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

/** Memory grew: places of removed series come back before it grows again. */
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

/** A series was removed: now and then its place, and those of others, can be used again. */
function noteRemoval() {
  removals = (removals + 1) % SWEEP_AFTER;
  if (removals === 0 && currentEpoch() !== 0) sweep();
}

/** Points a metric at cells: doubles from _at, and the two words of the first one from _int. */
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

/** Gives the metric the cells of a series. False when they cannot be had. */
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
