'use strict';
// Contenders of the metric rows: inc() and observe() as in an application, and the text of 10,000
// series. Label values are constant in one form and change with each call in the other. The sums
// are read back to check that every call counted.

const { best } = require('./measure');
const { otelMeters, ours } = require('./peers');

const METHODS = ['GET', 'POST'];
const ROUTES = [
  '/orders/{order_id}',
  '/orders',
  '/users/{user_id}',
  '/users',
  '/items/{item_id}',
  '/items',
  '/carts',
  '/health',
];
const LABELS = ['method', 'route', 'status'];
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30];
const TIMES = [0.003, 0.3, 0.02, 1.7];

const incs = (counter, n) => {
  for (let i = 0; i < n; i++) counter.inc();
};

const labelled = (counter, n) => {
  for (let i = 0; i < n; i++)
    counter.inc({ method: 'GET', route: '/orders/{order_id}', status: '200' });
};

const varied = (counter, n) => {
  for (let i = 0; i < n; i++)
    counter.inc({ method: METHODS[i & 1], route: ROUTES[i & 7], status: '200' });
};

const children = (counter, n) => {
  for (let i = 0; i < n; i++) counter.labels('GET', '/orders/{order_id}', '200').inc();
};

const observes = (histogram, n) => {
  for (let i = 0; i < n; i++)
    histogram.observe({ method: 'GET', route: '/orders/{order_id}', status: '200' }, 0.3);
};

const variedObserves = (histogram, n) => {
  for (let i = 0; i < n; i++)
    histogram.observe(
      { method: METHODS[i & 1], route: ROUTES[i & 7], status: '200' },
      TIMES[i & 3],
    );
};

/** Sum of all samples of this name in a Prometheus text. */
function total(text, name) {
  let sum = 0;
  for (const line of text.split('\n')) {
    if (line.startsWith(name) && (line[name.length] === '{' || line[name.length] === ' ')) {
      sum += Number(line.slice(line.indexOf(' ', line.lastIndexOf('}') + 1) + 1).split(' ')[0]);
    }
  }
  return sum;
}

const LIBRARIES = {
  ours() {
    const djp = ours({ backend: 'prom', exporter: 'none', cardinalityLimit: 20_000 });
    return { ...pick(djp), text: async () => String(await djp.metricsText()) };
  },
  client() {
    ours({ backend: 'prom', exporter: 'none', cardinalityLimit: 20_000 });
    return library(require('../../bindings/node/lib/prom'));
  },
  prom: () => library(require('prom-client')),
  io: () => library(require('@prometheus-io/client')),
};

const pick = ({ Counter, Histogram }) => ({ Counter, Histogram });
const library = (client) => ({ ...pick(client), text: () => client.register.metrics() });

/** Times chunks of `loop` and checks with the text of the library that every call was counted. */
async function counted(who, make, loop, name) {
  const client = LIBRARIES[who]();
  const metric = make(client);
  const { value, done } = await best((n) => loop(metric, n), { count: 1000 });
  const sum = total(await client.text(), name);
  if (sum !== done) throw new Error(`${who}: ${done} calls, ${sum} counted`);
  return { value };
}

const COUNTER = { name: 'bench_total', help: 'x' };
const HISTOGRAM = { name: 'bench_seconds', help: 'x', labelNames: LABELS, buckets: BUCKETS };
const plainCounter = ({ Counter }) => new Counter(COUNTER);
const labelledCounter = ({ Counter }) => new Counter({ ...COUNTER, labelNames: LABELS });
const histogram = ({ Histogram }) => new Histogram(HISTOGRAM);

async function text(who) {
  const client = LIBRARIES[who]();
  const counter = labelledCounter(client);
  for (let n = 0; n < 10_000; n++)
    counter.inc({ method: 'GET', route: `/r/${n}`, status: '200' }, n + 1);
  const lines = (await client.text()).match(/^bench_total\{/gm).length;
  if (lines !== 10_000) throw new Error(`${who}: ${lines} series`);
  return best(
    async () => {
      await client.text();
    },
    { count: 1, seconds: 3 },
  );
}

const contenders = {};
for (const who of Object.keys(LIBRARIES)) {
  contenders[`inc_${who}`] = () => counted(who, plainCounter, incs, 'bench_total');
  contenders[`labelled_${who}`] = () => counted(who, labelledCounter, labelled, 'bench_total');
  contenders[`varied_${who}`] = () => counted(who, labelledCounter, varied, 'bench_total');
  contenders[`children_${who}`] = () => counted(who, labelledCounter, children, 'bench_total');
  contenders[`observe_${who}`] = () => counted(who, histogram, observes, 'bench_seconds_count');
  contenders[`observe_varied_${who}`] = () =>
    counted(who, histogram, variedObserves, 'bench_seconds_count');
  contenders[`text_${who}`] = () => text(who);
}

// OpenTelemetry's instruments, with a periodic OTLP reader; its last export has the sum.
async function otelCounted(make, loop, value) {
  const provider = otelMeters();
  const instrument = make(provider.getMeter('bench'));
  const timed = await best((n) => loop(instrument, n), { count: 1000 });
  const reader = provider._sharedState.metricCollectors[0];
  const { resourceMetrics } = await reader.collect();
  const points = resourceMetrics.scopeMetrics
    .flatMap((scope) => scope.metrics)
    .flatMap((metric) => metric.dataPoints);
  const sum = points.reduce((all, point) => all + value(point), 0);
  if (sum !== timed.done) throw new Error(`OpenTelemetry: ${timed.done} calls, ${sum} counted`);
  return { value: timed.value };
}

const add = (loop) => () =>
  otelCounted(
    (meter) => meter.createCounter('bench'),
    loop,
    (point) => point.value,
  );
const record = (loop) => () =>
  otelCounted(
    (meter) => meter.createHistogram('bench', { advice: { explicitBucketBoundaries: BUCKETS } }),
    loop,
    (point) => point.value.count,
  );

contenders.inc_otel = add((counter, n) => {
  for (let i = 0; i < n; i++) counter.add(1);
});

contenders.labelled_otel = add((counter, n) => {
  for (let i = 0; i < n; i++)
    counter.add(1, { method: 'GET', route: '/orders/{order_id}', status: '200' });
});

contenders.varied_otel = add((counter, n) => {
  for (let i = 0; i < n; i++)
    counter.add(1, { method: METHODS[i & 1], route: ROUTES[i & 7], status: '200' });
});

contenders.observe_otel = record((instrument, n) => {
  for (let i = 0; i < n; i++)
    instrument.record(0.3, { method: 'GET', route: '/orders/{order_id}', status: '200' });
});

contenders.observe_varied_otel = record((instrument, n) => {
  for (let i = 0; i < n; i++)
    instrument.record(TIMES[i & 3], {
      method: METHODS[i & 1],
      route: ROUTES[i & 7],
      status: '200',
    });
});

module.exports = { contenders };
