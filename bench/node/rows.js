'use strict';
// The rows of the Node benchmark: contenders and bars. Runs nothing.
//
// A row: group (the argument of `node run.js GROUP`), text, `ours` and `peers` as names of
// contenders. `bar` of a peer is the smallest ratio of its value to ours; `bare` is measured and
// subtracted from all; `limit` is a bar on our value; `unit` is ns, bytes, ns/request or share;
// `median` uses the median of the rounds instead of their minimum; `flags` are those of node.

const OTEL = 'OpenTelemetry JS';
const BATCH = `${OTEL} + batch processor`;
const PROM = 'prom-client';
const IO = '@prometheus-io/client';
const HTTP = `${OTEL} http + express, OTLP`;
const BUNDLE = 'express-prom-bundle';
const HEAP_FLAGS = ['--expose-gc', '--min-semi-space-size=128', '--max-semi-space-size=128'];

const peer = (name, label, bar = null) => ({ name, label, bar });
const clients = (name, bars = {}) => [
  peer(`${name}_prom`, PROM, bars.prom),
  peer(`${name}_io`, IO, bars.io),
  peer(`${name}_otel`, OTEL, bars.otel),
];

const SPANS = [
  {
    group: 'span',
    what: 'span, 5 attributes, sampled, calling path',
    ours: 'span_ours',
    peers: [peer('span_otel', BATCH, 7)],
  },
  {
    group: 'span',
    what: 'span, 5 attributes, head decision no',
    ours: 'span_unsampled_ours',
    peers: [peer('span_unsampled_otel', `${OTEL} unsampled`, 25)],
  },
  {
    group: 'span',
    what: 'span, 5 attributes, ratio 0: ids, no record',
    ours: 'span_zero_ours',
    peers: [peer('span_unsampled_otel', `${OTEL} unsampled`, 25)],
  },
  {
    group: 'span',
    what: 'span, 5 attributes, telemetry off',
    ours: 'span_off_ours',
    peers: [peer('span_off_otel', `${OTEL} API without SDK`)],
  },
  {
    group: 'current',
    what: 'span as current, 5 attributes, sync',
    ours: 'current_ours',
    bare: 'current_bare',
    peers: [peer('current_otel', `${OTEL} startActiveSpan`)],
  },
  {
    group: 'current',
    what: 'span as current, 5 attributes, async',
    ours: 'current_async_ours',
    bare: 'current_async_bare',
    peers: [peer('current_async_otel', `${OTEL} startActiveSpan`)],
  },
  {
    group: 'cpu',
    what: 'main-thread CPU per span, exported, 50,000/s',
    ours: 'cpu_ours',
    bare: 'cpu_bare',
    median: true,
    peers: [peer('cpu_otel', BATCH, 15)],
  },
  {
    group: 'cpu',
    what: 'the same at 500,000/s',
    ours: 'cpu_ours_500k',
    bare: 'cpu_bare_500k',
    median: true,
    peers: [],
  },
];

const METRICS = [
  { group: 'metrics', what: 'Counter.inc()', ours: 'inc_ours', peers: clients('inc', { prom: 1 }) },
  {
    group: 'metrics',
    what: 'inc({3 labels})',
    ours: 'labelled_ours',
    peers: clients('labelled', { io: 4 }),
  },
  { group: 'metrics', what: 'prom: inc()', ours: 'inc_client', peers: clients('inc').slice(0, 1) },
  {
    group: 'metrics',
    what: 'prom: inc({3 labels})',
    ours: 'labelled_client',
    peers: clients('labelled').slice(0, 1),
  },
  {
    group: 'metrics',
    what: 'prom: observe({3 labels})',
    ours: 'observe_client',
    peers: clients('observe').slice(0, 1),
  },
  {
    group: 'metrics',
    what: 'inc({3 labels}), values change',
    ours: 'varied_ours',
    peers: clients('varied', { io: 4 }),
  },
  {
    group: 'metrics',
    what: 'labels(a, b, c).inc()',
    ours: 'children_ours',
    peers: clients('children').slice(0, 2),
  },
  {
    group: 'metrics',
    what: 'observe({3 labels}), 15 buckets',
    ours: 'observe_ours',
    peers: clients('observe'),
  },
  {
    group: 'metrics',
    what: 'observe({3 labels}), values change',
    ours: 'observe_varied_ours',
    peers: clients('observe_varied'),
  },
  {
    group: 'text',
    what: 'text of 10,000 series',
    ours: 'text_ours',
    peers: clients('text').slice(0, 2),
  },
];

const MEMORY = [
  {
    group: 'heap',
    what: 'heap per span, calling path',
    ours: 'heap_ours',
    unit: 'bytes',
    limit: 300,
    flags: HEAP_FLAGS,
    peers: [peer('heap_otel', BATCH)],
  },
  {
    group: 'stall',
    what: 'longest main-thread stall of a round',
    ours: 'stall_ours',
    limit: 50_000,
    peers: [peer('stall_otel', BATCH), peer('stall_bare', 'the loop without spans')],
  },
  {
    group: 'resident',
    what: 'resident memory added, 200,000 spans',
    ours: 'resident_ours',
    unit: 'MiB',
    peers: [peer('resident_otel', BATCH)],
  },
];

const requests = (major) => [
  {
    group: `express${major}`,
    what: `Express ${major} request, added, 100 %`,
    ours: `request${major}_ours`,
    bare: `request${major}_bare`,
    limit: 5_000,
    peers: [peer(`request${major}_otel`, HTTP, 20), peer(`request${major}_bundle`, BUNDLE)],
  },
  {
    group: `express${major}`,
    what: `Express ${major} request, added, 1 %`,
    ours: `request${major}_ours_1_percent`,
    bare: `request${major}_bare`,
    limit: 5_000,
    peers: [peer(`request${major}_otel_1_percent`, HTTP, 20)],
  },
  {
    group: `serve${major}`,
    what: `Express ${major} throughput over loopback`,
    ours: `serve${major}_ours`,
    unit: 'share',
    of: `serve${major}_bare`,
    median: true,
    limit: 0.85,
    peers: [
      peer(`serve${major}_otel`, HTTP),
      peer(`serve${major}_otel_1_percent`, `${HTTP}, 1 %`),
      peer(`serve${major}_bundle`, BUNDLE),
    ],
  },
];

const WHOLE = [
  {
    group: 'import',
    what: 'import',
    ours: 'import_ours',
    limit: 30_000_000,
    peers: [peer('import_otel', 'OTel SDK + exporters + prom-client')],
  },
  {
    group: 'gone',
    what: 'shutdown, collector gone',
    ours: 'gone_ours',
    limit: 1_000_000_000,
    peers: [peer('gone_otel', BATCH)],
  },
];

module.exports = {
  ROWS: [...SPANS, ...METRICS, ...MEMORY, ...requests(5), ...requests(4), ...WHOLE],
  DELIVERED: { burst: 10_000, end: 100, exit: 100, uncaught: 100, terminate: 100, sigterm: 100 },
};
