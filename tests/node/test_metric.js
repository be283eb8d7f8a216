'use strict';
// The base of counters, gauges and histograms: declarations, label values to series, removal, and
// bounds of the caches.

const assert = require('node:assert/strict');
const test = require('node:test');

const runtime = require('../../bindings/node/lib/runtime.js');
const metrics = require('../../bindings/node/lib/metrics.js');

const { dropped, on, said, samples } = require('./metrics_support.js');
const { hostile, proxy } = require('./hostile.js');

const { Counter, Gauge, Histogram, metricsText } = metrics;

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
