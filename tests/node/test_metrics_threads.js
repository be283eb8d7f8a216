'use strict';
// Metrics of many threads: every completed recording is exposed, whichever thread ends when; two
// independent parsers read the exposition.

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');

const runtime = require('../../bindings/node/lib/runtime.js');
const { Counter, Gauge, Histogram, metricsText } = require('../../bindings/node/lib/metrics.js');

const counter = new Counter('threads_total', 'Recordings of all threads', ['kind']);
const plain = new Counter('threads_plain_total', 'The same without labels');
const histogram = new Histogram({ name: 'threads_seconds', help: 'Observations', buckets: [1, 2] });
const gauge = new Gauge('threads_busy', 'Up and down');

const value = (text, sample) =>
  Number(
    (text.split('\n').find((line) => line.startsWith(`${sample} `)) || ' NaN').slice(
      sample.length + 1,
    ),
  );
const sum = (text) => {
  const lines = text.split('\n').filter((line) => line.startsWith('threads_total{'));
  return lines.reduce((all, line) => all + Number(line.slice(line.lastIndexOf(' '))), 0);
};

function record(count, done) {
  for (let i = 0; i < count; i++) {
    counter.inc({ kind: i % 3 });
    plain.inc();
    histogram.observe(i % 4);
    if (i % 1000 === 0) {
      gauge.inc();
      gauge.dec();
    }
    if (done) Atomics.add(done, 0, 1);
  }
}

function workerMain() {
  const { count, shared } = workerData;
  const done = shared ? new BigInt64Array(shared) : null;
  if (done === null) record(count, null);
  while (done !== null) {
    plain.inc();
    done[0] += 1n; // after the recording: a counted one is recorded
  }
  parentPort.postMessage('done');
  if (workerData.stay) parentPort.once('message', () => process.exit());
}

const start = () => runtime.init({ enabled: true, backend: 'prom', exporter: 'none' });
const exited = (worker) =>
  new Promise((resolve, reject) => {
    worker.once('exit', resolve);
    worker.once('error', reject);
  });

async function tenWorkers() {
  const count = 100000;
  const workers = Array.from(
    { length: 10 },
    (_, i) => new Worker(__filename, { workerData: { count, stay: i % 2 === 0 } }),
  );
  const ends = workers.map(exited);
  let waiting = workers.length;
  for (const worker of workers) {
    worker.once('message', () => {
      waiting--;
      worker.postMessage('end');
    });
  }
  let last = 0;
  while (waiting > 0) {
    const text = metricsText();
    const now = value(text, 'threads_plain_total');
    const buckets = ['1.0', '2.0', '+Inf'].map((bound) =>
      value(text, `threads_seconds_bucket{le="${bound}"}`),
    );
    assert.ok(now >= last && buckets[0] <= buckets[1] && buckets[1] <= buckets[2]);
    assert.equal(buckets[2], value(text, 'threads_seconds_count'));
    last = now;
    record(10, null);
    plain.inc(0);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await Promise.all(ends);
  return 10 * count;
}

async function terminated() {
  const shared = new SharedArrayBuffer(8);
  const done = new BigInt64Array(shared);
  const worker = new Worker(__filename, { workerData: { shared } });
  const end = exited(worker);
  while (done[0] < 1000n) await new Promise((resolve) => setTimeout(resolve, 5));
  await worker.terminate();
  await end;
  return Number(done[0]);
}

function mainTests() {
  test('ten threads lose nothing while one scrapes', { timeout: 120000 }, async () => {
    start();
    try {
      const expected = await tenWorkers();
      const text = metricsText();
      const total = value(text, 'threads_plain_total');
      assert.ok(total >= expected);
      assert.deepEqual(
        [sum(text), value(text, 'threads_seconds_count'), value(text, 'threads_busy')],
        [total, total, 0],
      );
      assert.equal(total, expected + Math.round((total - expected) / 10) * 10);
    } finally {
      await runtime.shutdown(1000);
    }
  });

  test('a thread that is ended loses nothing that was complete', { timeout: 120000 }, async () => {
    start();
    try {
      let least = 0;
      for (let i = 0; i < 5; i++) {
        least += await terminated();
        const now = value(metricsText(), 'threads_plain_total');
        assert.ok(now >= least && now <= least + i + 1, `${now} of ${least}`);
      }
    } finally {
      await runtime.shutdown(1000);
    }
  });

  test('telemetry may end and begin while threads record', { timeout: 120000 }, async () => {
    start();
    const shared = new SharedArrayBuffer(8);
    const worker = new Worker(__filename, { workerData: { shared } });
    const end = exited(worker);
    const done = new BigInt64Array(shared);
    for (let i = 0; i < 10; i++) {
      const from = done[0];
      while (done[0] < from + 1000n) await new Promise((resolve) => setTimeout(resolve, 2));
      assert.ok(
        value(metricsText(), 'threads_plain_total') > 0,
        'the thread found the SDK of this round',
      );
      await runtime.shutdown(1000);
      start();
    }
    await worker.terminate();
    await end;
    await runtime.shutdown(1000);
  });

  test(
    'the exposition is accepted by promtool and by a strict parser',
    { timeout: 120000 },
    async (t) => {
      start();
      record(50, null);
      const text = metricsText();
      const open = metricsText('application/openmetrics-text; version=1.0.0');
      await runtime.shutdown(1000);
      const promtool = spawnSync('promtool', ['check', 'metrics'], {
        input: text,
        encoding: 'utf8',
      });
      if (promtool.error) t.diagnostic('promtool is not here');
      else assert.equal(promtool.status, 0, promtool.stdout + promtool.stderr);
      const python = path.join(__dirname, '../../.venv/bin/python');
      const program =
        'import sys; from prometheus_client.openmetrics import parser; ' +
        'print(len(list(parser.text_string_to_metric_families(sys.stdin.read()))))';
      const parsed = fs.existsSync(python)
        ? spawnSync(python, ['-c', program], { input: open, encoding: 'utf8' })
        : null;
      if (parsed === null || parsed.stderr.includes('ModuleNotFoundError'))
        t.diagnostic('no parser of OpenMetrics is here');
      else assert.ok(Number(parsed.stdout) > 10, parsed.stderr);
    },
  );
}

if (isMainThread) mainTests();
else workerMain();
