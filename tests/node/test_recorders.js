'use strict';
// Recorders of documented metrics with the shared vectors, declarations of documented families by
// the application, and names and units in the form of other systems.

const assert = require('node:assert');
const { after, describe, test } = require('node:test');
const { LIMIT, own, restart, take, telemetry } = require('./support.js');
const recorders = require('../vectors/recorders.json').cases;
const names = require('../vectors/metric_names.json').cases;

const { Counter, Gauge, Histogram } = telemetry;
const NUMBERS = new Map([
  ['NaN', NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
]);
const camel = (name) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());

function samples() {
  const found = new Map();
  for (const line of telemetry.metricsText().split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const at = line.lastIndexOf(' ');
    found.set(line.slice(0, at), Number(line.slice(at + 1)));
  }
  return found;
}

const LAST = { record_model_request: 3, record_job_span: 4, record_external_api_span: 4 };
const USUAL = new Set(['error', 'error.message', 'sampling.reason']);

/** Makes the call of a case. */
function record({ call: [name, ...values], named }) {
  const call = values.map((value) => (NUMBERS.has(value) ? NUMBERS.get(value) : value));
  if (named !== undefined) {
    while (call.length < LAST[name]) call.push(undefined);
    call.push(Object.fromEntries(Object.entries(named).map(([key, value]) => [camel(key), value])));
  }
  telemetry[camel(name)](...call);
}

const dropped = () => telemetry.telemetryStatus().registry.dropped;

describe('recorders', { timeout: 120000 }, () => {
  after(() => telemetry.shutdown(LIMIT));

  for (const given of recorders) {
    test(JSON.stringify([given.call, given.named]), async () => {
      await restart({ backend: 'hybrid' });
      record(given);
      const found = samples();
      for (const [sample, value] of Object.entries(given.samples))
        assert.strictEqual(found.get(sample), value, sample);
      for (const absent of given.absent || [])
        assert.deepStrictEqual(
          [...found.keys()].filter((key) => key.startsWith(absent)),
          [],
        );
      assert.strictEqual(dropped(), given.dropped);
    });
  }

  for (const given of recorders.filter((one) => one.span !== undefined)) {
    for (const semconv of ['old', 'stable']) {
      test(`the span, ${semconv}: ${JSON.stringify([given.call, given.named])}`, async () => {
        await restart({ semconv });
        record(given);
        const [span, ...others] = await take();
        const wanted = given.span;
        const found = Object.entries(span.attributes).filter(([key]) => !USUAL.has(key));
        assert.strictEqual(others.length, 0);
        assert.deepStrictEqual(
          Object.fromEntries(found),
          (semconv === 'stable' && wanted.stable) || wanted.attributes,
        );
        assert.deepStrictEqual(
          [span.name, span.kind, span.status.code, span.status.message ?? ''],
          [wanted.name, wanted.kind, wanted.status === 'error' ? 2 : 0, wanted.description],
        );
      });
    }
  }

  test('never throw', async () => {
    await restart({ backend: 'hybrid' });
    const evil = { toString: () => assert.fail('x'), valueOf: () => assert.fail('x') };
    const trap = new Proxy({}, { get: () => assert.fail('x') });
    for (const bad of [
      undefined,
      null,
      NaN,
      {},
      evil,
      trap,
      Symbol('s'),
      5n,
      '\ud800',
      'x'.repeat(1e6),
      [],
      () => 1,
    ]) {
      for (const name of Object.keys(telemetry).filter((key) =>
        /^(record|set(Queue|Task|Gpu))/.test(key),
      ))
        telemetry[name](bad, bad, bad, bad, bad);
    }
    assert.ok(samples().size > 0);
  });
});

describe('documented families', { timeout: 60000 }, () => {
  after(() => telemetry.shutdown(LIMIT));

  test('what the application declares is the same family', async () => {
    const labelNames = ['method', 'endpoint', 'status_code'];
    const duration = new Histogram({
      name: 'http_request_duration_seconds',
      help: 'theirs',
      labelNames,
    });
    await restart({ backend: 'prom' });
    telemetry.recordHttpRequest('GET', '/x', 200, 0.07);
    duration.observe({ method: 'GET', endpoint: '/x', status_code: '200' }, 0.07);
    const name =
      'http_request_duration_seconds_count{method="GET",endpoint="/x",status_code="200"}';
    assert.deepStrictEqual([samples().get(name), dropped()], [2, 0]);
  });

  test('a gauge under the second documented name', async () => {
    const depth = new Gauge({
      name: 'queue_depth_total',
      help: 'theirs',
      labelNames: ['queue_name'],
    });
    await restart({ backend: 'prom' });
    depth.set({ queue_name: 'q' }, 4);
    telemetry.setQueueDepth('q', 3);
    assert.strictEqual(samples().get('queue_depth_total{queue_name="q"}'), 3);
    assert.strictEqual(telemetry.metricsText().split('# HELP queue_depth_total ').length, 2);
  });

  test('later buckets are those of the first', async () => {
    await restart({ backend: 'prom' });
    telemetry.recordTask('success', 'high', 1);
    const late = new Histogram({
      name: 'task_duration_seconds',
      help: 'theirs',
      labelNames: ['status', 'priority'],
      buckets: [1, 2],
    });
    late.observe({ status: 'success', priority: 'high' }, 42);
    const bucket = 'task_duration_seconds_bucket{status="success",priority="high",le="60.0"}';
    assert.strictEqual(samples().get(bucket), 2);
  });

  test('attributes of recorded spans have one type', async () => {
    await restart({ backend: 'hybrid' });
    for (const duration of [2, 2.5, '3']) telemetry.recordJobSpan('q', 'j', duration, 'no');
    telemetry.recordJobSpan('q', 'j', NaN);
    telemetry.recordHttpSpan('GET', '/x', '503', 1);
    const spans = (await take()).map(own);
    const jobs = spans.slice(0, 4);
    assert.deepStrictEqual(
      jobs.map((job) => [job['job.duration_seconds'], job['job.success']]),
      [
        [2, false],
        [2.5, false],
        [3, false],
        [undefined, true],
      ],
    );
    assert.strictEqual(spans[4]['http.status_code'], 503);
  });
});

// Last: the declarations remain, and one has the name of a documented family with other labels.
describe('names and units', { timeout: 120000 }, () => {
  after(() => telemetry.shutdown(LIMIT));

  for (const given of names) {
    test(`${given.name} [${given.unit}]`, async () => {
      const Type = { counter: Counter, gauge: Gauge, histogram: Histogram }[given.type];
      const metric = new Type({
        name: given.name,
        help: 'h',
        unit: given.unit,
        labelNames: given.labels,
      });
      await restart({ backend: 'prom' });
      const before = [...samples().keys()].length;
      const child =
        given.labels.length > 0 ? metric.labels(...given.labels.map(() => 'v')) : metric;
      if (given.type === 'histogram') child.observe(1);
      else if (given.type === 'counter') child.inc();
      else child.set(1);
      const found = samples();
      if (given.sample !== null) assert.ok(found.has(given.sample), [...found.keys()].join('\n'));
      else assert.strictEqual([...found.keys()].length, before);
    });
  }
});
