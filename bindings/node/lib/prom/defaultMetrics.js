'use strict';
// Metrics of the process and of Node, read when a page is made.

const fs = require('node:fs');
const perf = require('node:perf_hooks');
const v8 = require('node:v8');
const Counter = require('./counter.js');
const Gauge = require('./gauge.js');
const Histogram = require('./histogram.js');
const { isObject } = require('./util.js');

const GC_BUCKETS = [0.001, 0.01, 0.1, 1, 2, 5];
const GC_KINDS = { 1: 'minor', 4: 'major', 8: 'incremental', 16: 'weakcb' };

/** Declares one metric after another with the prefix, labels and registry of a call. */
class Declaration {
  constructor(register, { prefix = '', labels = {}, ...more }) {
    Object.assign(this, more, { prefix, labels });
    this.labelNames = Object.keys(labels);
    this.registers = register ? [register] : undefined;
  }

  options(name, help, more) {
    const { labelNames, registers, prefix } = this;
    return { name: prefix + name, help, labelNames, registers, ...more };
  }

  gauge(name, help, read, more) {
    const { labels } = this;
    return new Gauge(
      this.options(name, help, {
        collect() {
          const value = read();
          if (value !== undefined) this.set(labels, value);
        },
        ...more,
      }),
    );
  }

  /** A gauge with a further label. read() returns values by its text. */
  grouped(name, help, label, read) {
    const { labels, labelNames } = this;
    return new Gauge(
      this.options(name, help, {
        labelNames: [label, ...labelNames],
        collect() {
          this.reset();
          for (const [text, value] of Object.entries(read()))
            this.set({ ...labels, [label]: text }, value);
        },
      }),
    );
  }

  counter(name, help, read) {
    const { labels } = this;
    let before = 0;
    return new Counter(
      this.options(name, help, {
        collect() {
          const now = read();
          this.inc(labels, now - before);
          before = now;
        },
      }),
    );
  }
}

const perSecond = 1e6;

function processCpuTotal(register, config = {}) {
  const d = new Declaration(register, config);
  const user = () => process.cpuUsage().user / perSecond;
  const system = () => process.cpuUsage().system / perSecond;
  d.counter('process_cpu_user_seconds_total', 'Total user CPU time spent in seconds.', user);
  d.counter('process_cpu_system_seconds_total', 'Total system CPU time spent in seconds.', system);
  d.counter(
    'process_cpu_seconds_total',
    'Total user and system CPU time spent in seconds.',
    () => user() + system(),
  );
}

function processStartTime(register, config = {}) {
  const start = Math.round(Date.now() / 1000 - process.uptime());
  const help = 'Start time of the process since unix epoch in seconds.';
  const d = new Declaration(register, config);
  d.gauge('process_start_time_seconds', help, () => start, { aggregator: 'omit' });
}

/** Reads fields of /proc/self/status in bytes; undefined where there is none. */
function status(field) {
  try {
    const found = fs.readFileSync('/proc/self/status', 'utf8').match(`${field}:\\s+(\\d+) kB`);
    return found === null ? undefined : Number(found[1]) * 1024;
  } catch {
    return undefined;
  }
}

function osMemoryHeap(register, config = {}) {
  const d = new Declaration(register, config);
  const rss = () => process.memoryUsage.rss();
  d.gauge('process_resident_memory_bytes', 'Resident memory size in bytes.', rss);
  if (process.platform !== 'linux') return;
  const read = (field) => () => status(field);
  d.gauge('process_virtual_memory_bytes', 'Virtual memory size in bytes.', read('VmSize'));
  d.gauge('process_heap_bytes', 'Process heap size in bytes.', read('VmData'));
}

function processOpenFileDescriptors(register, config = {}) {
  if (process.platform !== 'linux') return;
  const read = () => fs.readdirSync('/proc/self/fd').length - 1;
  const d = new Declaration(register, config);
  d.gauge('process_open_fds', 'Number of open file descriptors.', read);
}

function processMaxFileDescriptors(register, config = {}) {
  let limit;
  try {
    limit = fs.readFileSync('/proc/self/limits', 'utf8').match(/^Max open files\s+(\d+)/m);
  } catch {
    return;
  }
  if (limit === null) return;
  const d = new Declaration(register, config);
  d.gauge('process_max_fds', 'Maximum number of open file descriptors.', () => Number(limit[1]));
}

function eventLoopLag(register, config = {}) {
  const d = new Declaration(register, config);
  const resolution = config.eventLoopMonitoringPrecision;
  const delays = perf.monitorEventLoopDelay(resolution ? { resolution } : undefined);
  delays.enable();
  const name = 'nodejs_eventloop_lag';
  const lag = d.gauge(
    `${name}_seconds`,
    'Lag of event loop in seconds.',
    () => {
      const start = performance.now();
      setImmediate(() => lag.set(d.labels, (performance.now() - start) / 1000));
      return undefined;
    },
    { aggregator: 'average' },
  );
  const add = (suffix, help, aggregator, read) =>
    d.gauge(`${name}_${suffix}_seconds`, help, () => read() / 1e9, { aggregator });
  add('min', 'The minimum recorded event loop delay.', 'min', () => delays.min);
  add('max', 'The maximum recorded event loop delay.', 'max', () => delays.max);
  add('mean', 'The mean of the recorded event loop delays.', 'average', () => delays.mean || 0);
  const deviation = 'The standard deviation of the recorded event loop delays.';
  add('stddev', deviation, 'average', () => delays.stddev || 0);
  for (const part of [50, 90, 99]) {
    const help = `The ${part}th percentile of the recorded event loop delays.`;
    add(`p${part}`, help, 'average', () => delays.percentile(part));
  }
}

function countBy(items, nameOf) {
  const counts = {};
  for (const item of items) counts[nameOf(item)] = (counts[nameOf(item)] || 0) + 1;
  return counts;
}

const className = (item) => item?.constructor?.name || 'unknown';

function active(register, config, { name, what, label, list, nameOf }) {
  const d = new Declaration(register, config);
  d.grouped(name, what, label, () => countBy(list(), nameOf));
  d.gauge(
    `${name}_total`,
    `Total number of ${name.slice(7).replace(/_/g, ' ')}.`,
    () => list().length,
  );
}

function processResources(register, config = {}) {
  active(register, config, {
    name: 'nodejs_active_resources',
    what:
      'Number of active resources that are currently keeping the event loop alive, grouped by ' +
      'async resource type.',
    label: 'type',
    list: () => process.getActiveResourcesInfo(),
    nameOf: (name) => name,
  });
}

function processHandles(register, config = {}) {
  active(register, config, {
    name: 'nodejs_active_handles',
    what:
      'Number of active libuv handles grouped by handle type. ' +
      'Every handle type is C++ class name.',
    label: 'type',
    list: () => process._getActiveHandles?.() || [],
    nameOf: className,
  });
}

function processRequests(register, config = {}) {
  active(register, config, {
    name: 'nodejs_active_requests',
    what:
      'Number of active libuv requests grouped by request type. Every request type is C++ class ' +
      'name.',
    label: 'type',
    list: () => process._getActiveRequests?.() || [],
    nameOf: className,
  });
}

function heapSizeAndUsed(register, config = {}) {
  const d = new Declaration(register, config);
  const read = (field) => () => process.memoryUsage()[field];
  d.gauge(
    'nodejs_heap_size_total_bytes',
    'Process heap size from Node.js in bytes.',
    read('heapTotal'),
  );
  d.gauge(
    'nodejs_heap_size_used_bytes',
    'Process heap size used from Node.js in bytes.',
    read('heapUsed'),
  );
  d.gauge(
    'nodejs_external_memory_bytes',
    'Node.js external memory size in bytes.',
    read('external'),
  );
}

function heapSpacesSizeAndUsed(register, config = {}) {
  const d = new Declaration(register, config);
  const parts = { total: 'space_size', used: 'space_used_size', available: 'space_available_size' };
  for (const [part, field] of Object.entries(parts)) {
    const help = `Process heap space size ${part} from Node.js in bytes.`;
    d.grouped(`nodejs_heap_space_size_${part}_bytes`, help, 'space', () =>
      Object.fromEntries(
        v8
          .getHeapSpaceStatistics()
          .map((space) => [space.space_name.replace(/_space$/, ''), space[field]]),
      ),
    );
  }
}

function version(register, config = {}) {
  const d = new Declaration(register, config);
  const [major, minor, patch] = process.version.slice(1).split('.').map(Number);
  const labels = { version: process.version, major, minor, patch, ...d.labels };
  new Gauge(
    d.options('nodejs_version_info', 'Node.js version info.', {
      labelNames: ['version', 'major', 'minor', 'patch', ...d.labelNames],
      aggregator: 'first',
      collect() {
        this.set(labels, 1);
      },
    }),
  );
}

function gc(register, config = {}) {
  const d = new Declaration(register, config);
  const histogram = new Histogram(
    d.options(
      'nodejs_gc_duration_seconds',
      'Garbage collection duration by kind, one of major, minor, incremental or weakcb.',
      {
        labelNames: ['kind', ...d.labelNames],
        buckets: config.gcDurationBuckets || GC_BUCKETS,
      },
    ),
  );
  const observer = new perf.PerformanceObserver((list) => {
    for (const { detail, duration } of list.getEntries()) {
      const kind = GC_KINDS[detail?.kind];
      if (kind !== undefined) histogram.observe({ kind, ...d.labels }, duration / 1000);
    }
  });
  observer.observe({ entryTypes: ['gc'] });
}

const metrics = {
  processCpuTotal,
  processStartTime,
  osMemoryHeap,
  processOpenFileDescriptors,
  processMaxFileDescriptors,
  eventLoopLag,
  processResources,
  processHandles,
  processRequests,
  heapSizeAndUsed,
  heapSpacesSizeAndUsed,
  version,
  gc,
};

/** Declares the default metrics of prom-client. */
function collectDefaultMetrics(config) {
  if (config !== null && config !== undefined && !isObject(config))
    throw new TypeError('config must be null, undefined, or an object');
  const given = { eventLoopMonitoringPrecision: 10, ...config };
  for (const declare of Object.values(metrics)) declare(given.register, given);
}

module.exports = collectDefaultMetrics;
module.exports.metricsList = Object.keys(metrics);
