'use strict';
// Callbacks of gauges: what an exposition waits for and how long; nothing of the wait remains.

const assert = require('node:assert/strict');
const { after, test } = require('node:test');
const { restart, telemetry } = require('./support.js');
const {
  Gauge,
  Histogram,
  exposeMetrics,
  metricsText,
} = require('../../bindings/node/lib/metrics.js');

const LONGEST_MS = 2000;

after(() => telemetry.shutdown(1000));

/** Returns what the body writes to standard error. */
function heard(t) {
  const lines = [];
  const { write } = process.stderr;
  process.stderr.write = (text) =>
    !String(text).startsWith('djp-telemetry: ') || lines.push(text) > 0;
  t.after(() => (process.stderr.write = write));
  return lines;
}

/** A gauge whose callback runs until the test ends. */
function gaugeOf(t, name, collect) {
  let over = false;
  t.after(() => (over = true));
  return new Gauge({
    name,
    help: 'g',
    collect() {
      return over ? undefined : collect(this);
    },
  });
}

const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
const turn = () => new Promise((resolve) => setImmediate(resolve));

test('a scrape that waited for promises leaves no timer and says nothing later', async (t) => {
  await restart({ backend: 'prom' });
  const lines = heard(t);
  gaugeOf(t, 'callback_fails', () => Promise.reject(new Error('no')));
  const quick = gaugeOf(t, 'callback_quick', (gauge) => turn().then(() => gauge.set(7)));
  const before = timers();
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { body } = await exposeMetrics();
  assert.match(body, /^callback_quick 7$/m);
  t.mock.timers.tick(10 * LONGEST_MS);
  t.mock.timers.reset();
  assert.equal(timers(), before);
  assert.equal(lines.length, 1, lines.join(''));
  assert.match(lines[0], /gauge 'callback_fails'/);
  assert.equal(quick.value, 7);
});

test('the wait leaves no timer that keeps the process', async (t) => {
  await restart({ backend: 'prom' });
  gaugeOf(t, 'callback_timer', turn);
  const before = timers();
  await exposeMetrics();
  assert.equal(timers(), before);
});

test('one that hangs is waited for as long as is said, then told once', async (t) => {
  await restart({ backend: 'prom' });
  const lines = heard(t);
  gaugeOf(t, 'callback_hanging', () => new Promise(() => {})).set(3);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  for (let i = 0; i < 2; i++) {
    let body;
    exposeMetrics().then((answer) => (body = answer.body));
    await turn();
    t.mock.timers.tick(LONGEST_MS - 1);
    for (let turns = 0; turns < 20; turns++) await turn();
    assert.equal(body, undefined);
    t.mock.timers.tick(1);
    while (body === undefined) await turn();
    assert.match(body, /^callback_hanging 3$/m);
  }
  assert.deepEqual(
    lines.map((line) => line.includes(`over ${LONGEST_MS} ms`)),
    [true],
  );
});

test('without promises a scrape waits for nothing', async (t) => {
  await restart({ backend: 'prom' });
  gaugeOf(t, 'callback_plain', (gauge) => gauge.set(1));
  const before = timers();
  const answer = exposeMetrics();
  assert.equal(timers(), before);
  assert.match((await answer).body, /^callback_plain 1$/m);
  assert.match(metricsText(), /^callback_plain 1$/m);
});

test('a value that is no number keeps the last one', async () => {
  await restart({ backend: 'prom' });
  const gauge = new Gauge('callback_value', 'g');
  for (const [value, shown] of [
    [5, '5'],
    [NaN, '5'],
    ['6', '5'],
    [undefined, '5'],
    [Infinity, '\\+Inf'],
    [-1.5, '-1.5'],
    [7n, '-1.5'],
  ]) {
    gauge.setFunction(() => value);
    assert.match(metricsText(), new RegExp(`^callback_value ${shown}$`, 'm'), String(value));
  }
});

test('infinite observations are counted and leave the sum as it was', async () => {
  await restart({ backend: 'prom' });
  const histogram = new Histogram({
    name: 'infinite_seconds',
    help: 'h',
    labelNames: ['a'],
    buckets: [1, 2],
  });
  const all = () =>
    Object.fromEntries(
      metricsText()
        .split('\n')
        .filter((line) => line.startsWith('infinite_seconds'))
        .map((line) => [
          line.replace(/^infinite_seconds_/, '').split(' ')[0],
          Number(line.split(' ')[1]),
        ]),
    );
  for (const value of [1.5, Infinity, -Infinity, 3]) histogram.observe({ a: 1 }, value);
  histogram.labels(1).observe(Infinity);
  assert.deepEqual(all(), {
    'bucket{a="1",le="1.0"}': 1,
    'bucket{a="1",le="2.0"}': 2,
    'bucket{a="1",le="+Inf"}': 5,
    'count{a="1"}': 5,
    'sum{a="1"}': 4.5,
  });
});
