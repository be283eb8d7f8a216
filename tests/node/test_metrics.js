'use strict';
// Counter, Gauge and Histogram: shapes of prom-client, semantics of Python, and no exception from a
// recording. test_metric.js tests declarations and labels.

const assert = require('node:assert/strict');

const runtime = require('../../bindings/node/lib/runtime.js');
const { withSpan } = require('../../bindings/node/lib/tracer.js');
const { getCurrentSpanId, getCurrentTraceId } = require('../../bindings/node/lib/current.js');
const metrics = require('../../bindings/node/lib/metrics.js');

const { dropped, on, said, samples } = require('./metrics_support.js');
const { hostile, proxy, revoked } = require('./hostile.js');

const { Counter, Gauge, Histogram, metricsText } = metrics;
const OPENMETRICS = 'application/openmetrics-text; version=1.0.0';

on('a counter', () => {
  const counter = new Counter({
    name: 'jobs_total',
    help: 'Jobs done',
    labelNames: ['kind', 'queue'],
  });
  counter.labels('a', 'b').inc();
  counter.labels({ queue: 'b', kind: 'a' }).inc(2.5);
  counter.inc({ kind: 'a', queue: 'b' });
  counter.inc({ queue: 'b', kind: 'a' }, 0.25);
  assert.equal(counter.labels('a', 'b').value, 4.75);
  assert.equal(counter.labels('a', 'b'), counter.labels('a', 'b'));
  assert.deepEqual(samples('jobs_total'), { 'jobs_total{kind="a",queue="b"}': 4.75 });
  assert.match(metricsText(), /# HELP jobs_total Jobs done\n# TYPE jobs_total counter\n/);
  const plain = new Counter('plain', 'As in Python');
  plain.inc();
  plain.inc(undefined, 2);
  plain.inc(3);
  plain.inc({}, 4);
  plain.inc(5n);
  assert.equal(plain.value, 15);
});

on('the status names the largest', () => {
  const many = new Counter('many', 'Many', ['a']);
  const few = new Gauge('few', 'Few', ['a']);
  for (let i = 0; i < 40; i += 1) many.labels(String(i)).inc();
  for (let i = 0; i < 30; i += 1) few.labels(String(i)).set(i);
  const { largest } = runtime.telemetryStatus().registry;
  assert.deepEqual(Object.entries(largest).slice(0, 2), [
    ['many', 40],
    ['few', 30],
  ]);
  assert.ok(Object.keys(largest).length <= 10);
});

on('a gauge', () => {
  const gauge = new Gauge('depth', 'Depth', ['queue']);
  gauge.set({ queue: 'q' }, 5);
  gauge.labels('q').inc();
  gauge.dec({ queue: 'q' }, 2.5);
  assert.equal(gauge.labels('q').value, 3.5);
  gauge.labels('q').set(Infinity);
  assert.deepEqual(samples('depth'), { 'depth{queue="q"}': Infinity });
  gauge.setToCurrentTime({ queue: 'q' });
  assert.ok(Math.abs(gauge.labels('q').value - Date.now() / 1000) < 60);
  const seconds = gauge.startTimer({ queue: 't' })();
  assert.equal(gauge.labels('t').value, seconds);
});

on('a histogram', () => {
  const histogram = new Histogram({
    name: 'wait_seconds',
    help: 'Waiting',
    labelNames: ['queue'],
    buckets: [0.1, 1, Infinity],
  });
  for (const value of [0.05, 0.1]) histogram.labels('q').observe(value);
  for (const value of [0.5, 7]) histogram.observe({ queue: 'q' }, value);
  assert.equal(histogram.labels('q').count, 4);
  assert.ok(Math.abs(histogram.labels('q').value - 7.65) < 1e-9);
  const found = samples('wait_seconds');
  assert.equal(found['wait_seconds_bucket{queue="q",le="0.1"}'], 2);
  assert.equal(found['wait_seconds_bucket{queue="q",le="1.0"}'], 3);
  assert.equal(found['wait_seconds_bucket{queue="q",le="+Inf"}'], 4);
  assert.equal(found['wait_seconds_count{queue="q"}'], 4);
  const taken = histogram.startTimer({ queue: 't' })();
  assert.ok(taken >= 0 && histogram.labels('t').count === 1);
  histogram.startTimer()({ queue: 'u' });
  assert.equal(histogram.labels('u').count, 1);
  histogram.zero({ queue: 'z' });
  assert.equal(samples('wait_seconds_count')['wait_seconds_count{queue="z"}'], 0);
});

on('every value falls into the bucket that the core would choose', () => {
  const { impl } = require('../../bindings/node/lib/loader.js');
  for (const count of [0, 1, 2, 3, 7, 16, 160]) {
    const buckets = Array.from({ length: count }, (_, i) => i * 0.1 - 1);
    const ours = new Histogram({ name: `edges_${count}`, help: '', buckets });
    const cores = new Histogram({ name: `edges_core_${count}`, help: '', buckets });
    const series = impl.seriesOf(impl.familyNew(3, `edges_core_${count}`, '', '', [], buckets), []);
    const values = buckets.flatMap((bound) => [bound, bound - 1e-9, bound + 1e-9]);
    for (const value of [...values, 1e308, -1e308, -0, Infinity, -Infinity, 5e-324]) {
      ours.observe(value);
      impl.observe(series, value);
    }
    assert.equal(ours.count, cores.count);
    const text = metricsText().split('\n');
    const lines = (name) =>
      text.filter((line) => line.startsWith(`${name}_`)).map((line) => line.slice(name.length));
    assert.deepEqual(
      lines(`edges_${count}`).slice(0, count + 1),
      lines(`edges_core_${count}`).slice(0, count + 1),
    );
  }
  const standard = new Histogram({ name: 'default_buckets', help: '' });
  standard.observe(0.3);
  assert.equal(samples('default_buckets')['default_buckets_bucket{le="0.3"}'], 1);
  assert.equal(samples('default_buckets')['default_buckets_bucket{le="0.25"}'], 0);
});

on('the documented families under their names', () => {
  const counter = new Counter('model_requests_total', 'Requests to models', [
    'provider',
    'model',
    'status',
  ]);
  counter.inc({ provider: 'p', model: 'm', status: 'ok' });
  assert.equal(
    samples('model_requests')['model_requests_total{provider="p",model="m",status="ok"}'],
    1,
  );
});

const unprintable = {
  toString() {
    throw new Error('no');
  },
};

on('wrong types never throw', () => {
  const counter = new Counter('wrong_total', 'w');
  const gauge = new Gauge('wrong_gauge', 'w');
  const histogram = new Histogram('wrong_seconds', 'w');
  const labelled = new Counter('wrong_labels_total', 'w', ['a', 'b']);
  const labelledGauge = new Gauge('wrong_labels_gauge', 'w', ['a', 'b']);
  const wrong = [
    '5',
    true,
    NaN,
    Symbol('s'),
    () => 1,
    [],
    { a: 1 },
    hostile,
    proxy,
    revoked.proxy,
    unprintable,
  ];
  const messages = said(() => {
    for (const value of wrong) {
      counter.inc(value);
      counter.inc(undefined, value);
      counter.inc({}, value);
      histogram.observe(value);
      histogram.observe({}, value);
      gauge.inc(value);
      gauge.dec(value);
      if (typeof value !== 'number') gauge.set(value);
    }
    assert.deepEqual([counter.value, gauge.value, histogram.count], [0, 0, 0]);
    counter.inc(-1);
    counter.inc(Infinity);
    counter.inc(null, NaN);
    histogram.observe();
    gauge.set();
    for (const labels of [
      {},
      { a: 1 },
      { a: 1, c: 2 },
      { a: 1, b: 2, c: 3 },
      { a: undefined, b: 1 },
      ...wrong,
    ]) {
      labelled.inc(labels);
      labelled.inc(labels, 2);
      labelledGauge.set(labels, 2);
      labelled.labels(labels).inc();
      labelled.remove(labels);
    }
    labelled.inc({ a: unprintable, b: 1 });
    for (const given of [[], ['a'], ['a', 'b', 'c'], [undefined, 1], [unprintable, 1]])
      labelled.labels(...given).inc();
    counter.labels('x').inc();
    counter.labels().inc();
    labelled.labels('q', 'r').labels('x').inc();
    labelled.remove();
    labelled.remove('x');
    gauge.setFunction(7);
  });
  assert.deepEqual(samples('wrong_labels_total'), { 'wrong_labels_total{a="q",b="r"}': 0 });
  assert.deepEqual(samples('wrong_labels_gauge'), {});
  assert.deepEqual([counter.value, gauge.value, histogram.count], [0, 0, 0]);
  assert.ok(messages.some((message) => message.includes('wrong_labels_total')));
});

on('what is dropped is counted', () => {
  const counter = new Counter('counted_drops', '');
  const histogram = new Histogram('counted_drops_seconds', '');
  const before = dropped();
  for (const amount of ['text', true, NaN, -1, Infinity]) counter.inc(amount);
  histogram.observe(NaN);
  histogram.observe('x');
  assert.equal(dropped() - before, 7);
  assert.equal(runtime.telemetryStatus().registry.dropped, dropped());
});

on('functions of gauges, and collect', async () => {
  const gauge = new Gauge('live', 'l');
  gauge.setFunction(() => 42);
  assert.equal(samples('live').live, 42);
  gauge.setFunction(() => {
    throw new Error('no');
  });
  assert.equal(samples('live').live, 42);
  gauge.setFunction(() => 'text');
  assert.equal(samples('live').live, 42);
  const collected = new Gauge({
    name: 'collected',
    help: 'c',
    labelNames: ['a'],
    async collect() {
      this.set({ a: 'x' }, 1);
      await null;
      this.set({ a: 'y' }, 2);
    },
  });
  const child = collected.labels('z');
  child.setFunction(() => 3);
  const { body, contentType } = await metrics.exposeMetrics();
  assert.match(body, /^collected\{a="y"\} 2$/m);
  assert.match(body, /^collected\{a="z"\} 3$/m);
  assert.equal(contentType, metrics.metricsContentType());
});

on('exemplars come from the current span', () => {
  const histogram = new Histogram('ex_seconds', 'e', ['a']);
  const counter = new Counter('ex_total', 'e');
  let ids;
  histogram.observe({ a: 1 }, 0.1);
  withSpan('work', () => {
    ids = [getCurrentTraceId(), getCurrentSpanId()];
    histogram.observe({ a: 1 }, 0.2);
    histogram.observe({ a: 1 }, 9);
  });
  histogram.observe({ a: 1 }, 0.2);
  counter.inc(1, { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) });
  counter.inc(1, { traceId: 'bad' });
  counter.inc(1, proxy);
  const text = metricsText(OPENMETRICS);
  assert.match(
    text,
    new RegExp(
      '^ex_seconds_bucket\\{a="1",le="0.25"\\} 3 ' +
        `# \\{trace_id="${ids[0]}",span_id="${ids[1]}"\\} 0.2 `,
      'm',
    ),
  );
  assert.match(text, /^ex_total 3 # \{trace_id="a{32}",span_id="b{16}"\} 1(\.0)? /m);
  assert.equal(text.match(/trace_id/g).length, 3); // each bucket, without an exposition in between
  for (let i = 0; i < 200; i++) histogram.observe({ a: 1 }, 0.2);
  assert.equal(histogram.labels(1).count, 204);
});

on('ones are exact beyond 2^32', () => {
  const counter = new Counter('wrap', '');
  counter.inc();
  let expected = 1;
  for (let i = 0; i < 12; i++) {
    const low = counter._ints[counter._int];
    const most = 0x3fffffff - (low & 0x3fffffff); // the value after as many inc()
    counter._ints[counter._int] = (low + most) | 0;
    for (let j = 0; j < 4; j++) counter.inc();
    expected += most + 4;
    assert.equal(counter.value, expected);
  }
});

on('functions of gauges that throw or hang are told once and hide nothing', async () => {
  const hanging = new Gauge({ name: 'hanging', help: 'x', collect: () => new Promise(() => {}) });
  hanging.set(3);
  const thrower = new Gauge({ name: 'thrower', help: 'x' });
  thrower.set(4);
  thrower.setFunction(() => {
    throw new Error('no');
  });
  const lines = said(() => metricsText() && metricsText());
  assert.equal(lines.filter((line) => line.includes("gauge 'thrower'")).length, 1);
  const { body } = await metrics.exposeMetrics();
  assert.match(body, /^hanging 3$/m);
  assert.match(body, /^thrower 4$/m);
});
