'use strict';
// The benchmark of an SDK that the OpenTelemetry specification describes, for Node. `node
// specification.js ours
// otel ENDPOINT` prints the four numbers of bench/specification.py: share of a core at 10,000 spans
// a second, share lost, largest number of spans per second of process CPU, peak MiB.

const { paced, processCpu, turn } = require('./measure');
const { otel, ours } = require('./peers');

const RATE = 10_000;
const ATTRIBUTES = {};
for (let n = 0; n < 10; n++)
  ATTRIBUTES[`attribute.key.${String(n).padStart(6, '0')}`] =
    `attribute value ${String(n).padStart(4, '0')}`;

const SIDES = {
  ours(endpoint) {
    const djp = ours({ endpoint });
    return {
      one: () => djp.startSpan('span', ATTRIBUTES).end(),
      flush: () => djp.flush(30_000),
      delivered: () => djp.telemetryStatus().spans.exported,
    };
  },

  otel(endpoint) {
    let delivered = 0;
    const wrap = (exporter) => ({
      export: (spans, done) =>
        exporter.export(spans, (result) => {
          if (result.code === 0) delivered += spans.length;
          done(result);
        }),
      forceFlush: () => exporter.forceFlush(),
      shutdown: () => exporter.shutdown(),
    });
    const { provider, tracer } = otel({ url: endpoint, wrap });
    return {
      one: () => tracer.startSpan('span', { attributes: ATTRIBUTES }).end(),
      flush: () => provider.forceFlush(),
      delivered: () => delivered,
    };
  },
};

/** Spans per second of process CPU, in bursts that fit into the queue. */
async function fastest({ one, flush }, seconds = 2) {
  const begin = processCpu();
  const end = performance.now() + seconds * 1000;
  let count = 0;
  while (performance.now() < end) {
    for (let i = 0; i < 500; i++) one();
    count += 500;
    await flush();
    await turn();
  }
  return (count * 1e9) / (processCpu() - begin);
}

/** [share of a core, share lost, spans per second and core, peak MiB] */
async function run(side, endpoint, seconds) {
  const { one, flush, delivered } = SIDES[side](endpoint);
  const ticks = Math.round(seconds * 100);
  const begin = processCpu();
  const start = performance.now();
  await paced(ticks, () => {
    for (let i = 0; i < RATE / 100; i++) one();
  });
  await flush();
  const load = (processCpu() - begin) / 1e6 / (performance.now() - start);
  const sent = ticks * (RATE / 100);
  const lost = (sent - delivered()) / sent;
  const rate = await fastest({ one, flush });
  return [load, lost, rate, process.resourceUsage().maxRSS / 1024];
}

module.exports = { run };

if (require.main === module) {
  run(process.argv[2], process.argv[3], Number(process.env.BENCH_SECONDS || 15)).then((numbers) => {
    console.log(numbers.join(' '));
    process.exit(0);
  });
}
