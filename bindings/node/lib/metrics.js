'use strict';
// Counter, Gauge and Histogram. A counter or histogram writes into memory that the core reads,
// without a call, lock or allocation; a gauge is one call. A recording never throws, and does
// nothing while telemetry is off. The form of the memory is that of djp/shard.h.

const { bucketOf } = require('./buckets.js');
const { impl } = require('./loader.js');
const shards = require('./shards.js');
const runtime = require('./runtime.js');
const runtimeMetrics = require('./runtime_metrics.js');
const base = require('./metric.js');
const { currentWords, wordsOf } = require('./exemplar.js');

const { control } = shards;
const { Metric, alive, drop, find, isObject, isOff, numberOf, rebind } = base;
const CALLBACK_MS = 2000; // time limit of gauge callbacks per exposition
const EXEMPLAR_TRIES = 64; // recordings that look for a sampled span until the next exposition
const SET = 0;
const ADD = 1;
const NOW = 2;
const QUARTER = 0x3fffffff;
const STOP = shards.REMOVED | shards.ENDED | shards.REQUEST;

// ---- exemplars ---------------------------------------------------------------------------------

/** Reads { traceId, spanId } or { trace_id, span_id }. */
function givenWords(exemplar) {
  return wordsOf(
    String(exemplar.traceId || exemplar.trace_id),
    String(exemplar.spanId || exemplar.span_id),
  );
}

/** Passes an exemplar to the core, which requested one by a flag, if a sampled span is current. */
function offerExemplar(metric, value) {
  const words = currentWords();
  if (words !== undefined) impl.shardsExemplar(metric._series, value, words);
  if (++metric._tries < EXEMPLAR_TRIES) return;
  metric._tries = 0;
  impl.shardsDecline(metric._series);
}

function giveExemplar(metric, value, exemplar) {
  try {
    const words = metric !== null && isObject(exemplar) ? givenWords(exemplar) : null;
    if (words !== null) impl.shardsExemplar(metric._series, value, words);
  } catch {
    // An invalid exemplar is dropped; the value is recorded.
  }
}

// ---- counters ----------------------------------------------------------------------------------

/**
 * Returns 1 if it was added, 0 if the series was removed. An invalid amount is counted as dropped.
 */
function add(metric, amount) {
  const array = metric._doubles;
  const at = metric._at + 1;
  const sum = array[at] + amount;
  if (amount >= 0 && sum < Infinity && (metric._ints[metric._int + 1] & STOP) === 0) {
    array[at] = sum;
    return 1;
  }
  return addSlowly(metric, amount);
}

/** As add(metric, 1), but integers are faster. The core carries into the high half. */
function addOne(metric) {
  const ints = metric._ints;
  const at = metric._int;
  const ones = (ints[at] + 1) | 0;
  if ((ints[at + 1] & STOP) === 0 && (ones & QUARTER) !== 0) {
    ints[at] = ones;
    return 1;
  }
  return addSlowly(metric, 1);
}

function addSlowly(metric, amount) {
  if (metric._seen !== control[0]) {
    rebind(metric);
    return add(metric, amount);
  }
  if (isOff(metric)) return 1;
  if (metric._series !== 0 && amount >= 0 && amount < Infinity) {
    if (!alive(metric)) return 0;
    if (metric._row === shards.CALLS) return impl.shardsRecord(metric._series, amount, 0) ? 1 : 0;
    if (amount === 1) return carry(metric, metric._at);
  }
  drop(metric);
  return 1;
}

/** Adds 1 to the count at this word of the row. */
function carry(metric, at) {
  impl.shardsCarry(metric._row.first + at);
  return 1;
}

/** A sum that only increases. */
class Counter extends Metric {
  /**
   * new Counter({ name, help, labelNames, ... }) or new Counter(name, help, labelNames, { ... }).
   */
  constructor(...given) {
    super(...prepare(base.COUNTER, given));
    begin(this);
  }

  /**
   * Adds an amount: inc(), inc(amount), inc(labels), inc(labels, amount), each with an exemplar {
   * traceId, spanId } at the end. The amount is finite and not negative; 1 by default.
   */
  inc(first, second, exemplar) {
    if (first === undefined && second === undefined) {
      if (addOne(this) === 0) lost(this, null, add, 1);
    } else if (typeof first === 'number' && second === undefined) {
      if (add(this, first) === 0) lost(this, null, add, first);
    } else if (typeof first === 'object' && first !== null && exemplar === undefined) {
      const child = find(this, first);
      if (child === null) return;
      const amount = second === undefined ? 1 : numberOf(second);
      if ((amount === 1 ? addOne(child) : add(child, amount)) === 0) lost(this, first, add, amount);
    } else {
      incWith(this, first, second, exemplar);
    }
  }
}

/**
 * Handles inc(amount, exemplar), inc(undefined, amount), inc(labels, amount, exemplar) and invalid
 * types.
 */
function incWith(metric, first, second, exemplar) {
  const withLabels = isObject(first);
  const amount = numberOf(
    withLabels || first === undefined || first === null
      ? second === undefined
        ? 1
        : second
      : first,
  );
  const given = isObject(second) ? second : exemplar;
  const child = withLabels ? find(metric, first) : metric;
  if (child !== null && add(child, amount) === 0)
    lost(metric, withLabels ? first : null, add, amount);
  if (amount >= 0) giveExemplar(child, amount, given);
}

/**
 * Records after a removal: a metric without labels and a look-up by labels create a new series; a
 * metric that labels() returned records nothing.
 */
function lost(metric, labels, record, value) {
  let next = null;
  if (labels !== null && metric._depth > 0) next = base.successor(metric, labels);
  else if (metric._values === null) rebind((next = metric));
  if (next === null || record(next, value) === 0) drop(metric);
}

// ---- gauges ------------------------------------------------------------------------------------

function gauge(metric, call, value) {
  if (metric._seen !== control[0]) rebind(metric);
  if (metric._series === 0) drop(metric);
  else if (impl.shardsGauge(metric._series, call, value) === false) return 0;
  return 1;
}

const gaugeSet = (metric, value) => gauge(metric, SET, value);
const gaugeAdd = (metric, value) => gauge(metric, ADD, value);
const gaugeNow = (metric) => gauge(metric, NOW, 0);

function gaugeCall(metric, labels, record, value) {
  const child = labels === null ? metric : find(metric, labels);
  if (child !== null && record(child, value) === 0) lost(metric, labels, record, value);
}

/** Adds sign * amount. Rejects NaN, which would make all later values NaN. */
function gaugeBy(metric, sign, first, second) {
  const labels = isObject(first) ? first : null;
  const given = labels !== null || first === undefined || first === null ? second : first;
  const amount = given === undefined ? 1 : numberOf(given);
  if (amount === amount) gaugeCall(metric, labels, gaugeAdd, sign * amount);
  else refused(metric);
}

/** Counts a value that is not a number, unless telemetry is off. */
function refused(metric) {
  if (metric._seen !== control[0]) rebind(metric);
  drop(metric);
}

/** A value that increases and decreases. */
class Gauge extends Metric {
  /** new Gauge({ name, help, labelNames, ... }) or new Gauge(name, help, labelNames, { ... }). */
  constructor(...given) {
    super(...prepare(base.GAUGE, given));
    begin(this);
  }

  /** inc(), inc(amount), inc(labels), inc(labels, amount) */
  inc(first, second) {
    gaugeBy(this, 1, first, second);
  }

  /** dec(), dec(amount), dec(labels), dec(labels, amount) */
  dec(first, second) {
    gaugeBy(this, -1, first, second);
  }

  /** set(value), set(labels, value). NaN and infinities are valid; other types are not. */
  set(first, second) {
    const labels = isObject(first) ? first : null;
    const given = labels !== null ? second : first;
    if (typeof given === 'number' || typeof given === 'bigint')
      gaugeCall(this, labels, gaugeSet, Number(given));
    else refused(this);
  }

  /** Sets the Unix time in seconds. */
  setToCurrentTime(labels) {
    gaugeCall(this, isObject(labels) ? labels : null, gaugeNow, 0);
  }

  /** Returns a function that sets the gauge to the seconds since now and returns them. */
  startTimer(labels) {
    return timer(labels, (all, seconds) =>
      all === null ? this.set(seconds) : this.set(all, seconds),
    );
  }

  /** callback() returns the value before each exposition of this thread. */
  setFunction(callback) {
    if (typeof callback === 'function') this._callback = callback;
    else
      runtime.warnOnce(
        `setFunction() of the gauge '${this.name.slice(0, 100)}' was given no function. The ` +
          `gauge keeps its value.`,
      );
    if (this._values !== null && typeof callback === 'function') base.watch(this);
  }
}

// ---- histograms --------------------------------------------------------------------------------

/** Returns 1 if it was observed, 0 if the series was removed. */
function observe(metric, value) {
  const ints = metric._ints;
  const at = metric._int;
  if ((ints[at + 1] & STOP) !== 0 || value !== value) {
    const done = observeMarked(metric, value);
    if (done !== 2) return done;
  }
  const bucket = at + 2 * bucketOf(metric._bounds, value);
  const count = (ints[bucket] + 1) | 0;
  if ((count & QUARTER) !== 0) ints[bucket] = count;
  else carry(metric, bucket >> 1);
  // an infinity would make the sum unusable
  if (value - value === 0) metric._doubles[metric._at] += value;
  return 1;
}

/** As observe; 2: the caller continues. */
function observeMarked(metric, value) {
  if (metric._seen !== control[0]) {
    rebind(metric);
    return observe(metric, value);
  }
  if (isOff(metric)) return 1;
  if (metric._series === 0 || value !== value) {
    drop(metric);
    return 1;
  }
  if (!alive(metric)) return 0;
  if (metric._row === shards.CALLS) return observeInCore(metric, value);
  if ((metric._ints[metric._int + 1] & shards.REQUEST) !== 0) offerExemplar(metric, value);
  return 2;
}

/** Without a stripe, or with exponential buckets, which the core alone records in. */
function observeInCore(metric, value) {
  if (!impl.shardsRecord(metric._series, value, 1)) return 0;
  const words = currentWords();
  if (words !== undefined) impl.shardsExemplar(metric._series, value, words);
  return 1;
}

/** Observations counted in buckets. */
class Histogram extends Metric {
  /**
   * new Histogram({ name, help, labelNames, buckets, ... }) or new Histogram(name, help,
   * labelNames, { buckets, ... }).
   */
  constructor(...given) {
    super(...prepare(base.HISTOGRAM, given));
    begin(this);
  }

  /**
   * Observes a value: observe(value), observe(labels, value), each with an exemplar { traceId,
   * spanId } at the end. Any number except NaN.
   */
  observe(first, second, exemplar) {
    if (typeof first === 'number' && second === undefined) {
      if (observe(this, first) === 0) lost(this, null, observe, first);
    } else if (
      typeof first === 'object' &&
      first !== null &&
      typeof second === 'number' &&
      exemplar === undefined
    ) {
      const child = find(this, first);
      if (child !== null && observe(child, second) === 0) lost(this, first, observe, second);
    } else {
      observeWith(this, first, second, exemplar);
    }
  }

  /**
   * Returns a function that observes the seconds since now and returns them. Both calls take
   * labels.
   */
  startTimer(labels) {
    return timer(labels, (all, seconds) =>
      all === null ? this.observe(seconds) : this.observe(all, seconds),
    );
  }

  /** Exposes a label set before its first observation. */
  zero(labels) {
    if (isObject(labels)) find(this, labels);
  }

  /** The number of observations over all threads. */
  get count() {
    base.fresh(this);
    return this._series === 0 ? 0 : impl.seriesCount(this._series);
  }
}

function observeWith(metric, first, second, exemplar) {
  const withLabels = isObject(first);
  const value = numberOf(withLabels || first === undefined || first === null ? second : first);
  const given = isObject(second) ? second : exemplar;
  const child = withLabels ? find(metric, first) : metric;
  if (child !== null && observe(child, value) === 0)
    lost(metric, withLabels ? first : null, observe, value);
  if (value === value) giveExemplar(child, value, given);
}

function timer(labels, done) {
  const start = performance.now();
  const before = isObject(labels) ? labels : null;
  return (after) => {
    const seconds = (performance.now() - start) / 1000;
    try {
      done(isObject(after) ? { ...before, ...after } : before, seconds);
    } catch {
      // Unreadable labels name no series.
    }
    return seconds;
  };
}

// ---- declaration -------------------------------------------------------------------------------

/**
 * Returns the arguments of the base class: definition and values of a child, or a new definition.
 */
function prepare(type, given) {
  return base.isDefinition(given[0]) ? given : [base.define(type, given), null];
}

function begin(metric) {
  if (metric._values === null) base.declare(metric);
}

// ---- exposition --------------------------------------------------------------------------------

/** Calls the function of one gauge. The next exposition has the value of a promise. */
function runCallback(metric, waiting) {
  const { collect } = metric._definition;
  try {
    if (metric._callback !== null) {
      const value = metric._callback();
      if (typeof value === 'number' && value === value) gaugeCall(metric, null, gaugeSet, value);
    }
    const result = collect !== null && metric._values === null ? collect.call(metric) : undefined;
    if (result !== undefined && result !== null && typeof result.then === 'function')
      waiting.push(Promise.resolve(result).catch(() => tellCallback(metric)));
  } catch {
    tellCallback(metric);
  }
}

/** Warns once; the gauge keeps its value. */
function tellCallback(metric) {
  const name = metric._definition.name;
  runtime.warnOnce(
    `The function that gives the gauge '${name}' its value threw; the last value is shown. ` +
      `Mend it.`,
  );
}

/**
 * Waits for all promises, up to a time limit: a promise that never settles must not block the
 * exposition.
 */
function settled(waiting) {
  if (waiting.length === 0) return undefined;
  let timer;
  const deadline = new Promise((resolve) => {
    timer = setTimeout(() => {
      runtime.warnOnce(
        `A function that gives a gauge its value took over ${CALLBACK_MS} ms; the last value ` +
          `is shown.`,
      );
      resolve();
    }, CALLBACK_MS);
  });
  return Promise.race([Promise.all(waiting), deadline]).finally(() => clearTimeout(timer));
}

function prepareExposition() {
  const waiting = [];
  runtimeMetrics.refresh();
  base.bindAll();
  base.each((metric) => {
    if (metric._callback !== null || metric._definition.collect !== null)
      runCallback(metric, waiting);
  });
  return waiting;
}

function acceptOf(accept) {
  return typeof accept === 'string' ? accept : undefined;
}

/**
 * Returns the metrics of the process as text in the format that the Accept header selects (default:
 * Prometheus text 0.0.4; else text 1.0.0 or OpenMetrics); '' while metrics are off. Values of
 * promises appear in the next call.
 */
function metricsText(accept) {
  try {
    prepareExposition();
    const exposition = impl.expose(acceptOf(accept));
    return exposition === null || exposition === undefined ? '' : exposition.body;
  } catch {
    return '';
  }
}

/** Returns the content type of metricsText(accept). */
function metricsContentType(accept) {
  return impl.negotiate(acceptOf(accept), true);
}

/**
 * Returns { contentType, body } of the same metrics, made outside of the event loop, after all
 * callbacks or their time limit. Prometheus protobuf is a Buffer. Never rejects.
 */
async function exposeMetrics(accept) {
  const contentType = impl.negotiate(acceptOf(accept), false);
  try {
    await settled(prepareExposition());
    const exposition = await impl.exposeAsync(acceptOf(accept));
    return exposition === null || exposition === undefined ? { contentType, body: '' } : exposition;
  } catch {
    return { contentType, body: '' };
  }
}

/**
 * Opens a Prometheus endpoint at GET /metrics until shutdown(). Port 1 to 65535; all addresses by
 * default, so that other containers can scrape it. Call it after init(). Returns true if it
 * listens; false with one warning if it cannot, and without a warning while metrics are off. Never
 * throws.
 */
function startMetricsServer(port = 8001, host = '0.0.0.0') {
  if (!Number.isInteger(port) || port < 1 || port > 65535 || typeof host !== 'string') {
    runtime.warnOnce(
      'startMetricsServer() needs a port from 1 to 65535 and an address as a string; it does ' +
        'not listen.',
    );
    return false;
  }
  return impl.sdkListen(host, port);
}

module.exports = require('./one.js')('metrics', {
  Counter,
  Gauge,
  Histogram,
  exposeMetrics,
  metricsContentType,
  metricsText,
  startMetricsServer,
});
