'use strict';
// Places of metrics after the end of threads: counts of ended threads remain, whenever an
// exposition runs, and a reused place has no other writer.

const assert = require('node:assert/strict');
const { after, test } = require('node:test');
const { Worker } = require('node:worker_threads');
const { LIMIT, restart, telemetry } = require('./support.js');

const ENTRY = JSON.stringify(require.resolve('../../bindings/node/lib/index.js'));

after(() => telemetry.shutdown(LIMIT));

function sample(name) {
  const line = telemetry
    .metricsText()
    .split('\n')
    .find((one) => one.startsWith(`${name} `));
  return line === undefined ? 0 : Number(line.slice(name.length + 1));
}

test(
  'threads that end while another one scrapes without a pause lose nothing',
  { timeout: 120_000 },
  async () => {
    await restart({ backend: 'prom', logLevel: 'none' });
    const THREADS = 12;
    const COUNT = 5000;
    const source = `
    const t = require(${ENTRY});
    t.init({ enabled: true, backend: 'prom', logLevel: 'none' });
    const counter = new t.Counter('ended_total', 'h');
    const histogram = new t.Histogram('ended_seconds', 'h');
    for (let i = 0; i < ${COUNT}; i++) { counter.inc(); histogram.observe(1); }
  `;
    let running = 0;
    let started = 0;
    let last = 0;
    const failures = [];
    const begin = () => {
      running++;
      started++;
      const worker = new Worker(source, { eval: true });
      worker.on('error', (error) => failures.push(error));
      worker.on('exit', () => {
        running--;
        if (started < THREADS) begin();
      });
    };
    for (let i = 0; i < 3; i++) begin();
    while (running > 0) {
      const now = sample('ended_total');
      if (now < last) failures.push(new Error(`${now} after ${last}`));
      last = now;
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual(failures, []);
    assert.equal(sample('ended_total'), THREADS * COUNT);
    assert.equal(sample('ended_seconds_count'), THREADS * COUNT);
    assert.equal(sample('ended_seconds_sum'), THREADS * COUNT);
  },
);

test(
  'series that come and go by the thousand never count for one another',
  { timeout: 60_000 },
  async () => {
    await restart({ backend: 'prom', logLevel: 'none', cardinalityLimit: 100 });
    const counter = new telemetry.Counter('places_total', 'h', ['a']);
    const kept = Array.from({ length: 20 }, (_, i) => counter.labels(`kept${i}`));
    const old = [];
    let expected = 0;
    for (let i = 0; i < 3000; i++) {
      const one = counter.labels(`gone${i}`);
      one.inc(1000);
      old.push(one);
      counter.remove(`gone${i}`);
      one.inc(1000); // records nothing
      old[i >> 1].inc(1000);
      kept[i % 20].inc();
      expected++;
      if (i % 300 === 0) telemetry.metricsText();
    }
    const values = kept.map((one) => one.value);
    assert.equal(
      values.reduce((sum, value) => sum + value),
      expected,
    );
    assert.ok(values.every((value) => value === expected / 20));
    const shown = telemetry
      .metricsText()
      .split('\n')
      .filter((line) => line.startsWith('places_total{'));
    assert.equal(shown.length, 20);
    assert.ok(shown.every((line) => line.includes('a="kept')));
  },
);

test('metrics of an earlier start write nowhere in the next one', async () => {
  await restart({ backend: 'prom', logLevel: 'none' });
  const first = new telemetry.Counter('earlier_total', 'h', ['a']);
  const child = first.labels('x');
  child.inc(5);
  await telemetry.shutdown(LIMIT);
  child.inc(7);
  assert.equal(child.value, 0);
  await restart({ backend: 'prom', logLevel: 'none' });
  const others = Array.from(
    { length: 50 },
    (_, i) => new telemetry.Counter(`other${i}_total`, 'h'),
  );
  child.inc(3);
  assert.equal(child.value, 3);
  assert.equal(first.labels('x').value, 3);
  assert.ok(others.every((other) => other.value === 0));
});
