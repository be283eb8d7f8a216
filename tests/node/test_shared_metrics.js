'use strict';
// Processes and worker threads share their metrics through a directory: what was recorded before a
// SIGKILL is shown by the others, once, and the memory of ended processes is used again.

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, before, test } = require('node:test');
const { LIMIT, restart, telemetry } = require('./support.js');

const ENTRY = JSON.stringify(require.resolve('../../bindings/node/lib/index.js'));
const COUNT = 2000;
const RECORD = `
  const t = require(${ENTRY});
  t.init({ enabled: true, backend: 'prom', logLevel: 'none' });
  const counter = new t.Counter('killed_total', 'h', ['kind']);
  const histogram = new t.Histogram({ name: 'killed_seconds', help: 'h', buckets: [1, 2] });
  for (let i = 0; i < ${COUNT}; i++) {
    counter.inc({ kind: i % 2 ? 'odd' : 'even' });
    counter.inc({ kind: 'half' }, 0.5);
    histogram.observe(i % 3);
  }
`;
// The thread records as much as the main thread; both still run when the process is killed.
const PROGRAM = `
  ${RECORD}
  const { Worker } = require('node:worker_threads');
  const thread = new Worker(${JSON.stringify(`${RECORD}
    const { parentPort } = require('node:worker_threads');
    parentPort.on('message', () => {});
    parentPort.postMessage('recorded');
  `)}, { eval: true });
  thread.once('message', async () => {
    if (process.argv[1] === 'in order') await t.shutdown(5000);
    process.kill(process.pid, 'SIGKILL');
  });
`;

let directory;

before(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'djp-shared-'));
});

after(async () => {
  await telemetry.shutdown(LIMIT);
  fs.rmSync(directory, { recursive: true });
});

const killed = (how) =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['-e', PROGRAM, how], {
      env: { ...process.env, DJP_TELEMETRY_SHARED_DIR: directory },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(signal));
  });

function sample(text, name) {
  const line = text.split('\n').find((one) => one.startsWith(`${name} `));
  return line === undefined ? NaN : Number(line.slice(name.length + 1));
}

function assertShows(processes) {
  const text = telemetry.metricsText();
  const recorded = 2 * processes * COUNT;
  assert.equal(sample(text, 'killed_total{kind="odd"}'), recorded / 2);
  assert.equal(sample(text, 'killed_total{kind="even"}'), recorded / 2);
  assert.equal(sample(text, 'killed_total{kind="half"}'), recorded / 2);
  assert.equal(sample(text, 'killed_seconds_count'), recorded);
  assert.equal(sample(text, 'killed_seconds_bucket{le="1.0"}'), 2 * processes * 1334);
  assert.equal(sample(text, 'killed_seconds_sum'), 2 * processes * 1999);
}

const used = () =>
  fs
    .readdirSync(directory)
    .reduce((sum, name) => sum + fs.statSync(path.join(directory, name)).blocks, 0);

test('a killed process loses nothing of any thread', { timeout: 120_000 }, async () => {
  await restart({ backend: 'prom', logLevel: 'none', sharedDir: directory });
  let blocks = 0;
  for (let i = 1; i <= 6; i++) {
    assert.equal(await killed(i % 2 ? 'at once' : 'in order'), 'SIGKILL');
    assertShows(i);
    assertShows(i);
    if (i === 1) blocks = used();
  }
  assert.equal(used(), blocks);
  const { sharing } = telemetry.telemetryStatus().registry;
  assert.deepEqual(sharing, {
    mode: 'directory',
    directory,
    problem: '',
    processes: 1,
    writers: sharing.writers, // this thread, if it has recorded
    folded: 6,
    damaged_slots: 0,
    lock_stuck: false,
  });
});

test('the status says how metrics are shared', async () => {
  const modes = [
    [{ sharedDir: path.join(directory, 'missing', 'deep') }, 'none'],
    [{ shareWithChildren: false }, 'none'],
    [{}, 'fork'],
  ];
  for (const [options, mode] of modes) {
    await restart({ backend: 'prom', logLevel: 'none', ...options });
    new telemetry.Counter('status_total', 'h').inc();
    const { sharing } = telemetry.telemetryStatus().registry;
    assert.equal(sharing.mode, mode);
    assert.equal(sharing.directory, '');
    assert.equal(sharing.problem !== '', options.sharedDir !== undefined);
    assert.deepEqual([sharing.processes, sharing.writers], [1, 1]);
  }
});

test('what a process recorded before a restart of telemetry remains', async () => {
  await restart({ backend: 'prom', logLevel: 'none', sharedDir: directory });
  const counter = new telemetry.Counter('kept_total', 'h');
  for (let i = 1; i <= 5; i++) {
    counter.inc(2);
    counter.inc();
    assert.equal(counter.value, 3 * i);
    await restart({ backend: 'prom', logLevel: 'none', sharedDir: directory });
    assert.equal(counter.value, 3 * i);
  }
});
