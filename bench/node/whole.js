'use strict';
// Contenders over a whole process: import, shutdown without a collector, and the spans that arrive
// when a process ends. A process of a scenario only records and ends; run.js reads the sink.

const { Worker } = require('node:worker_threads');

const { OTEL_3, otel, otelModule, ours, requireOurs } = require('./peers');
const { SCALE } = require('./measure');
const specification = require('./specification');

const GONE = 'http://127.0.0.1:9/v1/traces';

function timed(load) {
  const begin = performance.now();
  load();
  return { value: (performance.now() - begin) * 1e6 };
}

const import_ours = () =>
  timed(() => {
    requireOurs();
    requireOurs('djp-telemetry/express');
  });

const import_otel = () =>
  timed(() => {
    for (const name of [
      'api',
      'exporter-trace-otlp-proto',
      'exporter-metrics-otlp-proto',
      'sdk-metrics',
      'context-async-hooks',
    ])
      otelModule(name);
    otelModule(OTEL_3 ? 'sdk-trace' : 'sdk-trace-node');
    require('prom-client');
  });

/** Nanoseconds of a default shutdown when the collector refuses connections. */
async function gone(record, shutdown) {
  record();
  const begin = performance.now();
  const answer = await shutdown().catch((error) => `rejected: ${error.message}`);
  return { value: (performance.now() - begin) * 1e6, answer: String(answer) };
}

const gone_ours = () => {
  const djp = ours({ endpoint: GONE });
  return gone(
    () => djp.startSpan('lost').end(),
    async () => djp.shutdown(),
  );
};

const gone_otel = () => {
  const { provider, tracer } = otel({ url: GONE });
  return gone(
    () => tracer.startSpan('lost').end(),
    () => provider.shutdown(),
  );
};

// ---- what arrives ------------------------------------------------------------------------------

const SETUP = {
  ours: () => {
    const djp = ours();
    return { start: djp.startSpan, shutdown: () => djp.shutdown(10_000) };
  },
  otel: () => {
    const { tracer, provider } = otel();
    return { start: (name) => tracer.startSpan(name), shutdown: () => provider.shutdown() };
  },
};

const record = (start, count) => {
  for (let i = 0; i < count; i++) start('operation').end();
};

/**
 * Every scenario records and ends its process; `sigterm` waits for the signal that run.js sends
 * after "ready".
 */
const SCENARIOS = {
  async burst({ start, shutdown }) {
    record(start, 10_000);
    await shutdown();
  },
  end({ start }) {
    record(start, 100);
  },
  exit({ start }) {
    record(start, 100);
    process.exit(0);
  },
  uncaught({ start }) {
    record(start, 100);
    throw new Error('on purpose');
  },
  sigterm({ start }) {
    record(start, 100);
    setInterval(() => {}, 1000);
    process.stdout.write('ready\n');
  },
};

function terminate(side) {
  const source = `const { SETUP, record } = require(${JSON.stringify(__filename)});
    record(SETUP[${JSON.stringify(side)}]().start, 100);
    require('node:worker_threads').parentPort.postMessage('recorded');
    setInterval(() => {}, 1000);`;
  if (side === 'ours') requireOurs();
  const worker = new Worker(source, { eval: true });
  worker.on('message', () => worker.terminate());
  worker.on('exit', () => setTimeout(() => {}, 500));
}

/** run.js runs it as `node whole.js SCENARIO SIDE`. */
function scenario(name, side) {
  if (name === 'terminate') terminate(side);
  else SCENARIOS[name](SETUP[side]());
}

async function specified(side) {
  const [load, lost, rate, memory] = await specification.run(
    side,
    process.env.BENCH_SINK + '/v1/traces',
    15 * SCALE,
  );
  return { value: load, lost, rate, memory };
}

const contenders = {
  import_ours,
  import_otel,
  gone_ours,
  gone_otel,
  specification_ours: () => specified('ours'),
  specification_otel: () => specified('otel'),
};

module.exports = { contenders, record, SETUP, SCENARIOS: [...Object.keys(SCENARIOS), 'terminate'] };

if (require.main === module) {
  try {
    scenario(process.argv[2], process.argv[3]);
  } catch (error) {
    if (!error.notThere) throw error;
    console.log('not there yet');
    process.exit(9);
  }
}
