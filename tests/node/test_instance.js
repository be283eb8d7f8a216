'use strict';
// The one SDK of a process: a second start joins it, each start after an end is a new one, and ends
// at the same time share one result, from any thread.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { test } = require('node:test');
const { Worker } = require('node:worker_threads');
const telemetry = require('../../bindings/node/lib/index.js');
const { native } = require('../../bindings/node/lib/loader.js');
const { MEMORY, eachAlone } = require('./alone.js');

eachAlone();

const LIB = require.resolve('../../bindings/node/lib/index.js');
const LOADER = require.resolve('../../bindings/node/lib/loader.js');

/** Runs code in a worker thread with `t`, `native` and `answer`; resolves to its answer. */
async function inWorker(code) {
  const worker = new Worker(
    `const t = require(${JSON.stringify(LIB)});
    const { native } = require(${JSON.stringify(LOADER)});
    const answer = (what) => require('worker_threads').parentPort.postMessage(what);
    ${code}`,
    { eval: true },
  );
  const [answer] = await once(worker, 'message');
  await worker.terminate();
  return answer;
}

test('each start after an end is a new one', async () => {
  assert.equal(native.sdkEpoch(), 0);
  const epochs = [];
  for (let i = 0; i < 3; i++) {
    telemetry.init(MEMORY);
    epochs.push(native.sdkEpoch());
    await telemetry.shutdown(1000);
    assert.equal(native.sdkEpoch(), 0);
  }
  assert.ok(epochs[0] > 0 && epochs[0] < epochs[1] && epochs[1] < epochs[2], epochs.join());
});

test('a worker thread joins, with its own options ignored', async () => {
  telemetry.init(MEMORY);
  const seen = await inWorker(`t.init({ enabled: true, exporter: 'memory', serviceName: 'other' });
    answer([native.sdkEpoch(), t.telemetryStatus().service_name]);`);
  assert.deepEqual(seen, [native.sdkEpoch(), MEMORY.serviceName]);
});

test('the end of a worker thread leaves the SDK to the others', async () => {
  telemetry.init(MEMORY);
  const epoch = native.sdkEpoch();
  await inWorker("t.init(); t.startSpan('in worker').end(); answer(1);");
  assert.equal(native.sdkEpoch(), epoch);
  telemetry.startSpan('after').end();
  await telemetry.flush(5000);
  assert.ok(telemetry.takeSpans().some((span) => span.name === 'after'));
});

test('ends of several threads at the same time are one end', async () => {
  telemetry.init(MEMORY);
  const answers = await Promise.all([
    telemetry.shutdown(5000),
    inWorker('t.init(); t.shutdown(5000).then(answer);'),
    inWorker('t.init(); t.shutdown(5000).then(answer);'),
  ]);
  assert.deepEqual(answers, [true, true, true]);
});
