'use strict';
// Counter, Gauge and Histogram: shapes of prom-client, semantics of Python, no exception from a
// recording, bounded memory.

const assert = require('node:assert/strict');
const test = require('node:test');

const runtime = require('../../bindings/node/lib/runtime.js');
const { withSpan } = require('../../bindings/node/lib/tracer.js');
const { getCurrentSpanId, getCurrentTraceId } = require('../../bindings/node/lib/current.js');
const metrics = require('../../bindings/node/lib/metrics.js');

const { dropped, on, said, samples } = require('./metrics_support.js');

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

on('a label set is shown at zero, and a metric without labels from its declaration on', () => {
  new Counter('zero_c', '', ['a']).labels('x');
  new Gauge('zero_g', '', ['a']).labels({ a: 'x' });
  new Histogram({ name: 'zero_h', help: '', labelNames: ['a'], buckets: [1] }).labels('x');
  new Counter('zero_plain', '');
  assert.equal(samples('zero_c')['zero_c_total{a="x"}'], 0);
  assert.equal(samples('zero_g')['zero_g{a="x"}'], 0);
  assert.equal(samples('zero_h')['zero_h_count{a="x"}'], 0);
  assert.equal(samples('zero_plain').zero_plain_total, 0);
});

test('declared before telemetry and kept over restarts', { timeout: 60000 }, async () => {
  const counter = new Counter('early_total', 'e', ['a']);
  const plain = new Counter('early_plain_total', 'e');
  const histogram = new Histogram('early_seconds', 'e');
  const gauge = new Gauge('early_gauge', 'e');
  const child = counter.labels('x');
  const record = () => {
    child.inc();
    counter.inc({ a: 'x' });
    counter.labels('x').inc(1);
    plain.inc();
    histogram.observe(1);
    gauge.set(3);
  };
  record();
  assert.equal(child.value + plain.value + histogram.count + gauge.value, 0);
  assert.equal(metricsText(), '');
  for (let i = 0; i < 3; i++) {
    runtime.init({ enabled: true, backend: 'prom', exporter: 'none' });
    assert.equal(samples('early_').early_plain_total, 0);
    assert.equal(samples('early_total')['early_total{a="x"}'], 0);
    record();
    assert.equal(samples('early_total')['early_total{a="x"}'], 3);
    assert.deepEqual([plain.value, histogram.count, gauge.value], [1, 1, 3]);
    await runtime.shutdown(1000);
    record();
    assert.equal(plain.value, 0);
  }
});

on('full names, and the same definition twice', () => {
  new Counter({
    name: 'hits',
    help: 'h',
    namespace: 'shop',
    subsystem: 'cart',
    unit: 'items',
  }).inc();
  assert.deepEqual(samples('shop_'), { shop_cart_hits_items_total: 1 });
  const first = new Counter('twice_total', 't', ['a']);
  const second = new Counter('twice_total', 't', 'a');
  first.inc({ a: 'x' });
  second.inc({ a: 'x' });
  second.labels('x').inc();
  assert.deepEqual(samples('twice_total'), { 'twice_total{a="x"}': 3 });
  assert.deepEqual([first.name, first.labelNames], ['twice_total', ['a']]);
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

on('other values than text are labels', () => {
  const counter = new Counter('typed_total', 't', ['v']);
  const values = [
    200,
    '200',
    200n,
    true,
    null,
    1.5,
    -0,
    0,
    { toString: () => 'object' },
    ['x'],
    NaN,
    Symbol.for('s'),
  ];
  for (const value of values) {
    counter.inc({ v: value });
    counter.inc({ v: value });
  }
  const found = samples('typed_total');
  const of = (text) => found[`typed_total{v="${text}"}`];
  assert.equal(of('200'), 6);
  assert.equal(of('0'), 4);
  for (const text of ['true', 'null', '1.5', 'object', 'x', 'NaN', 'Symbol(s)'])
    assert.equal(of(text), 2, text);
  assert.equal(counter.labels(200), counter.labels('200'));
});

on('label text is escaped, cut and made whole', () => {
  const counter = new Counter('odd_total', 'o\n\\', ['a']);
  counter.inc({ a: 'q"\\\n\ud800' });
  assert.match(metricsText(), /^odd_total\{a="q\\"\\\\\\n\ufffd"\} 1$/m);
  for (let i = 0; i < 3; i++) counter.inc({ a: 'x'.repeat(5000) + i });
  assert.equal(samples('odd_total')[`odd_total{a="${'x'.repeat(1024)}"}`], 3);
});

on('more labels than three', () => {
  const names = ['a', 'b', 'c', 'd', 'e'];
  const counter = new Counter('deep', '', names);
  for (let i = 0; i < 100; i++) counter.inc({ a: 1, b: i % 2, c: 3, d: i % 5, e: 'x' });
  assert.deepEqual(Object.values(samples('deep')), Array(10).fill(10));
});

const hostile = {
  get a() {
    throw new Error('no');
  },
  b: 1,
};
const proxy = new Proxy(
  {},
  {
    get() {
      throw new Error('no');
    },
    ownKeys() {
      throw new Error('no');
    },
  },
);
const unprintable = {
  toString() {
    throw new Error('no');
  },
};
const revoked = Proxy.revocable({}, {});
revoked.revoke();

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

on('labels that are declared otherwise are refused at every call', () => {
  const counter = new Counter('strict', '', ['a', 'b']);
  const lines = said(() => {
    for (let i = 0; i < 3; i++) {
      counter.inc({ a: 1, b: 2 });
      counter.inc({ a: 1, b: 2, c: 3 });
      counter.inc({ b: 2 });
      counter.inc();
    }
  });
  assert.deepEqual(samples('strict'), { 'strict_total{a="1",b="2"}': 3 });
  assert.equal(lines.length, 2);
  assert.ok(lines.some((line) => line.includes('was used without them')));
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

on('refused declarations are said once and record nothing', () => {
  const make = [
    () => new Counter('--', 'b'),
    () => new Counter('bad_label_total', 'b', ['--']),
    () => new Counter('bad_labels_total', 'b', [7]),
    () => new Counter(7, 'b'),
    () => new Counter(),
    () =>
      new Counter({ name: 'bad_many', labelNames: Array.from({ length: 50 }, (_, i) => `l${i}`) }),
    () => new Histogram({ name: 'bad_buckets', buckets: [2, 1] }),
    () => new Histogram({ name: 'bad_numbers', buckets: ['x'] }),
    () => new Histogram({ name: 'bad_iterable', buckets: 7 }),
    () => new Histogram({ name: 'bad_le', labelNames: ['le'] }),
    () => new Gauge('process_cpu_seconds_total', 'taken by another type'),
    () => new Counter(hostile),
    () => new Counter(proxy),
  ];
  const lines = said(() => {
    for (const declare of make) {
      const metric = declare();
      const labels = Object.fromEntries(metric.labelNames.map((name) => [name, 'x']));
      for (const use of [
        () => metric.inc && metric.inc(labels),
        () => metric.inc && metric.inc(),
        () => metric.observe && metric.observe(labels, 1),
      ])
        use();
      metric.labels('x');
      metric.clear();
      metric.remove('x');
      assert.equal(metric.value, 0);
    }
  });
  assert.ok(lines.length >= make.length - 3, `${lines.length}`);
  assert.deepEqual(
    metricsText()
      .split('\n')
      .filter((line) => /^(bad|l\d)/.test(line)),
    [],
  );
});

on(
  'labels that never end stay bounded',
  () => {
    const counter = new Counter('flood_total', 'f', ['a', 'b']);
    const gauge = new Gauge('flood_gauge', 'f', ['a']);
    for (let i = 0; i < 20000; i++) {
      counter.inc({ a: `v${i}`, b: i });
      gauge.set({ a: `v${i}` }, 1);
    }
    const found = samples('flood_total');
    assert.equal(Object.keys(found).length, 51);
    assert.equal(found['flood_total{a="__overflow__",b="__overflow__"}'], 19950);
    assert.equal(
      Object.values(found).reduce((sum, value) => sum + value),
      20000,
    );
    assert.ok(counter._trie.size <= 51 && gauge._trie.size <= 51);
    counter.remove('v1', 1);
    for (let i = 0; i < 40; i++) counter.inc({ a: 'new', b: 1 });
    assert.ok(
      samples('flood_total')['flood_total{a="new",b="1"}'] >= 20,
      'a place that became free is used',
    );
  },
  { cardinalityLimit: 50 },
);

on('ever new spellings of one label set stay bounded', () => {
  const counter = new Counter('spellings_total', 's', ['a']);
  for (let i = 0; i < 10000; i++)
    counter.inc({ a: String.fromCharCode(0xd800 + (i % 2048)) + 'x'.repeat(i % 7 === 0 ? 1 : 2) });
  assert.equal(
    Object.values(samples('spellings_total')).reduce((sum, value) => sum + value),
    10000,
  );
  assert.ok(counter._trie.size <= 3500, `${counter._trie.size}`);
});

on('remove, clear and reset', () => {
  const counter = new Counter('gone_total', 'g', ['a', 'b']);
  const old = counter.labels('x', 1);
  counter.inc({ a: 'x', b: 1 });
  counter.inc({ a: 'y', b: 1 });
  counter.remove('x', 1);
  assert.deepEqual(samples('gone_total'), { 'gone_total{a="y",b="1"}': 1 });
  const before = dropped();
  old.inc();
  old.inc(2);
  assert.equal(dropped() - before, 2);
  counter.inc({ a: 'x', b: 1 });
  old.inc();
  assert.equal(samples('gone_total')['gone_total{a="x",b="1"}'], 1);
  counter.remove({ b: 1, a: 'x' });
  assert.equal(Object.keys(samples('gone_total')).length, 1);
  counter.clear();
  assert.deepEqual(samples('gone_total'), {});
  counter.remove('none', 'there');
  counter.labels('y', 1).inc();
  assert.equal(counter.labels('y', 1).value, 1);
  for (const metric of [new Counter('reset_c', ''), new Gauge('reset_g', '')]) {
    metric.inc(5);
    metric.reset();
    assert.equal(metric.value, 0);
    metric.inc(2);
    assert.equal(metric.value, 2);
  }
  const histogram = new Histogram('reset_h', '', ['a']);
  histogram.observe({ a: 1 }, 3);
  const kept = histogram.labels(1);
  histogram.reset();
  kept.observe(3);
  histogram.observe({ a: 1 }, 4);
  assert.equal(histogram.labels(1).value, 4);
});

on('label sets that come and go do not make memory grow', () => {
  const counter = new Counter('churn_total', 'c', ['a']);
  const histogram = new Histogram('churn_seconds', 'c', ['a']);
  for (let i = 0; i < 6000; i++) {
    counter.inc({ a: i });
    histogram.observe({ a: i }, 1);
    counter.remove(i);
    histogram.remove({ a: i });
  }
  assert.deepEqual([counter._trie.size, histogram._trie.size], [0, 0]);
  assert.deepEqual(samples('churn_'), {});
  counter.inc({ a: 'last' });
  assert.deepEqual(samples('churn_'), { 'churn_total{a="last"}': 1 });
});

on('a removed series is found again by others that knew it', () => {
  const define = () => [
    new Counter('shared_c', '', ['a']),
    new Gauge('shared_g', '', ['a']),
    new Histogram('shared_h', '', ['a']),
  ];
  const mine = define();
  const theirs = define();
  for (let round = 0; round < 3; round++) {
    for (const [counter, gauge, histogram] of [mine, theirs]) {
      counter.inc({ a: 'x' });
      gauge.inc({ a: 'x' });
      histogram.observe({ a: 'x' }, 1);
    }
    assert.equal(mine[0].labels('x').value, 2);
    assert.equal(mine[1].labels('x').value, 2);
    assert.equal(mine[2].labels('x').count, 2);
    for (const metric of theirs) metric.clear();
  }
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
      `^ex_seconds_bucket\\{a="1",le="0.25"\\} 3 # \\{trace_id="${ids[0]}",span_id="${ids[1]}"\\} 0.2 `,
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
