'use strict';
// Metrics of Node itself: event loop, heap, garbage collection. They are read on a slow timer and
// stored in the core, because the thread of the core that responds to scrapes cannot read them.

const {
  PerformanceObserver,
  constants,
  monitorEventLoopDelay,
  performance,
} = require('perf_hooks');
const v8 = require('v8');
const { isMainThread } = require('worker_threads');

const { impl } = require('./loader.js');
const one = require('./one.js');
const runtime = require('./runtime.js');

const TICK_MS = 5000;
const RESOLUTION_MS = 10;
const TYPES_MAX = 100; // types of handles and of resources
const KINDS = new Map([
  [constants.NODE_PERFORMANCE_GC_MAJOR, 'major'],
  [constants.NODE_PERFORMANCE_GC_MINOR, 'minor'],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, 'incremental'],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, 'weakcb'],
]);

const none = [];
let running = null;

/** What is in use while the metrics are on. */
class Reading {
  constructor(epoch) {
    this.epoch = epoch;
    // Both windows end now. `shown` began at the scrape before, `next` at the last reading, so that
    // after a scrape it takes the place of the other and no delay is lost or shown twice.
    this.shown = delays();
    this.next = delays();
    this.since = performance.eventLoopUtilization();
    this.last = this.since;
    this.handles = new Set();
    this.resources = new Set();
    this.observer = new PerformanceObserver(recordCollections);
    this.observer.observe({ entryTypes: ['gc'] });
    this.timer = null;
    this.due = 0;
    this.arm();
  }

  arm() {
    this.due = performance.now() + TICK_MS;
    this.timer = setTimeout(() => this.tick(), TICK_MS);
    this.timer.unref();
  }

  tick() {
    record('nodejs_eventloop_lag_seconds', Math.max(0, performance.now() - this.due) / 1000);
    refresh();
    if (running === this) this.arm();
  }

  stop() {
    clearTimeout(this.timer);
    this.observer.disconnect();
    this.shown.disable();
    this.next.disable();
  }
}

function delays() {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  return histogram;
}

function record(name, value, label) {
  impl.runtimeRecord(name, label === undefined ? none : [label], value);
}

function recordCollections(list) {
  for (const { detail, duration } of list.getEntries()) {
    const kind = KINDS.get(detail && detail.kind);
    if (kind !== undefined) record('nodejs_gc_duration_seconds', duration / 1000, kind);
  }
}

function recordVersion() {
  const [major, minor, patch] = process.versions.node.split('.');
  impl.runtimeRecord('nodejs_version_info', [process.version, major, minor, patch], 1);
}

/** Node measures the time between two ticks of its sampling timer; the delay is the rest. */
function seconds(nanoseconds) {
  return Math.max(0, nanoseconds / 1e9 - RESOLUTION_MS / 1000) || 0;
}

function recordDelays(histogram) {
  const isEmpty = histogram.count === 0;
  const each = (part, value) => record(`nodejs_eventloop_lag_${part}_seconds`, isEmpty ? 0 : value);
  each('min', seconds(histogram.min));
  each('max', seconds(histogram.max));
  each('mean', seconds(histogram.mean));
  each('stddev', histogram.stddev / 1e9);
  for (const percent of [50, 90, 99]) each(`p${percent}`, seconds(histogram.percentile(percent)));
}

function recordHeap() {
  const heap = v8.getHeapStatistics();
  record('nodejs_heap_size_total_bytes', heap.total_heap_size);
  record('nodejs_heap_size_used_bytes', heap.used_heap_size);
  record('nodejs_external_memory_bytes', heap.external_memory);
  for (const space of v8.getHeapSpaceStatistics()) {
    const name = space.space_name.replace(/_space$/, '');
    record('nodejs_heap_space_size_total_bytes', space.space_size, name);
    record('nodejs_heap_space_size_used_bytes', space.space_used_size, name);
    record('nodejs_heap_space_size_available_bytes', space.space_available_size, name);
  }
}

/** Counts types; one that has disappeared is 0 from then on. */
function recordTypes(name, types, known) {
  const counts = new Map();
  for (const type of types) {
    if (known.size < TYPES_MAX) known.add(type);
    counts.set(type, (counts.get(type) || 0) + 1);
  }
  for (const type of known) record(name, counts.get(type) || 0, type);
  record(`${name}_total`, types.length);
}

function recordActive(reading) {
  if (typeof process._getActiveHandles === 'function') {
    const types = process._getActiveHandles().map((handle) => handle.constructor.name);
    recordTypes('nodejs_active_handles', types, reading.handles);
  }
  if (typeof process._getActiveRequests === 'function')
    record('nodejs_active_requests_total', process._getActiveRequests().length);
  recordTypes('nodejs_active_resources', process.getActiveResourcesInfo(), reading.resources);
}

/** Reads everything now, for a scrape that this thread responds to. Never throws. */
function refresh() {
  const reading = running;
  if (reading === null) return;
  try {
    if (impl.sdkEpoch() !== reading.epoch) {
      change();
      return;
    }
    if (impl.runtimeWasRead()) {
      [reading.shown, reading.next] = [reading.next, reading.shown];
      reading.since = reading.last;
    }
    reading.next.reset();
    reading.last = performance.eventLoopUtilization();
    recordDelays(reading.shown);
    const { utilization } = performance.eventLoopUtilization(reading.last, reading.since);
    record('nodejs_eventloop_utilization_ratio', utilization);
    recordHeap();
    recordActive(reading);
  } catch (error) {
    stop();
    runtime.warnOnce(`The runtime metrics have ended: ${error && error.message}`);
  }
}

function stop() {
  if (running !== null) running.stop();
  running = null;
}

/** Starts or ends the readings with telemetry. Worker threads have none: see docs/metrics.md. */
function change() {
  stop();
  const { epoch, metrics, runtime_metrics: isWanted } = runtime.settings();
  if (!isWanted || !metrics || !isMainThread || !(epoch > 0) || impl.sdkEpoch() !== epoch) return;
  running = new Reading(epoch);
  recordVersion();
  record('nodejs_eventloop_lag_seconds', 0);
  refresh();
}

if (!one.has('runtime_metrics')) runtime.onChange(change);

module.exports = one('runtime_metrics', { refresh });
