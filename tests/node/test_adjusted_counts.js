'use strict';
// A million simulated requests through the API, the operation log, tail sampling and the encoder: 1
// % fail, 0.5 % are slow. The sums of the exported adjusted counts are correct within 1 %.

const assert = require('node:assert/strict');
const { after, test } = require('node:test');
const { LIMIT, restart, take, telemetry } = require('./support.js');

// A tenth under a sanitizer, with wider bounds.
const COUNT = (process.env.LD_PRELOAD || '').includes('asan') ? 100000 : 1000000;
const WIDER = Math.sqrt(1000000 / COUNT);
// requests between two reads of the exporter, so that no buffer fills up
const STEP = 10000;
const START = new Date(1700000000000);
const SOON = new Date(1700000000020);
const LATE = new Date(1700000003000);
const TWO_56 = 2n ** 56n;

after(() => telemetry.shutdown(LIMIT));

/** Every other failing request fails in a child span. */
function request(n, options) {
  const root = telemetry.startSpan('request', undefined, options);
  const kind = n % 1000;
  if (kind < 10) {
    const failing =
      n % 2 === 1
        ? telemetry.startSpan('child', undefined, { parent: root, startTime: START })
        : root;
    failing.setStatus('error');
    if (failing !== root) failing.end(SOON);
  }
  root.end(kind >= 10 && kind < 15 ? LATE : SOON);
}

async function count(sums) {
  for (const { name, traceState, attributes } of await take()) {
    if (name !== 'request') continue;
    assert.ok(traceState.startsWith('ot=th:'));
    const threshold = BigInt(`0x${traceState.slice('ot=th:'.length).padEnd(14, '0')}`);
    const reason = attributes['sampling.reason'];
    sums[reason] = (sums[reason] ?? 0) + Number(TWO_56) / Number(TWO_56 - threshold);
  }
}

/** Returns the sums of adjusted counts by sampling reason. */
async function simulate(optionsOf) {
  const sums = {};
  for (let n = 0; n < COUNT; n++) {
    request(n, optionsOf(n));
    if (n % STEP === STEP - 1) await count(sums);
  }
  const { spans, dropped } = telemetry.telemetryStatus();
  assert.equal(spans.ended, COUNT + COUNT / 200);
  assert.deepEqual([...new Set(Object.values(dropped))], [0]);
  return sums;
}

function check(sums, bound) {
  assert.deepEqual(Object.keys(sums).sort(), ['error', 'ratio', 'slow']);
  assert.deepEqual([sums.error, sums.slow], [COUNT / 100, COUNT / 200]);
  const total = sums.error + sums.slow + sums.ratio;
  assert.ok(Math.abs(total / COUNT - 1) < bound, `${total}`);
}

// 1 % is 5.7 standard deviations here: a correct implementation fails once in 10^8 runs. With a
// ratio of 1 % it would be one standard deviation.
test('counts by weight at a quarter with ids of our own', { timeout: 120000 }, async () => {
  await restart({ sampleRatio: 0.25 });
  const options = { root: true, startTime: START };
  check(await simulate(() => options), 0.01 * WIDER);
});

// Without a decision by the caller, and with equidistant trace ids, only the error of the adjusted
// counts remains.
test('counts by weight at one percent with ids that lie evenly', { timeout: 120000 }, async () => {
  await restart({ sampleRatio: 0.01, sampler: 'traceidratio' });
  const parent = { traceId: '', spanId: '00f067aa0ba902b7', traceFlags: 0 };
  const options = { parent, startTime: START };
  const golden = (TWO_56 * 618033988749895n) / 1000000000000000n;
  let randomness = 0n;
  const sums = await simulate((n) => {
    randomness = BigInt.asUintN(56, randomness + golden);
    parent.traceId =
      (n + 1).toString(16).padStart(18, '0') + randomness.toString(16).padStart(14, '0');
    return options;
  });
  check(sums, 0.0005 * WIDER ** 2);
});
