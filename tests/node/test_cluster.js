'use strict';
// Workers of a cluster share the metrics of their primary without a setting: a scrape of any one
// shows the requests of all, also of workers that were killed.

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const test = require('node:test');

const ENTRY = JSON.stringify(require.resolve('../../bindings/node/lib/index.js'));
const WORKERS = 3;

// The primary kills a worker after its recordings, replaces it, and asks a new one for the text.
const PROGRAM = `
  const t = require(${ENTRY});
  const cluster = process.argv[2] === 'esm' ? null : require('node:cluster');
  const options = JSON.parse(process.argv[1]);
  const start = () => t.init({ enabled: true, backend: 'prom', logLevel: 'none', ...options });
  const status = () => t.telemetryStatus().registry.sharing;
  const counter = () => new t.Counter('cluster_total', 'h', ['who']);
  const main = async (cluster) => {
    start();
    if (!cluster.isPrimary) {
      const own = counter();
      for (let i = 0; i < 1000; i++) own.inc({ who: 'worker' });
      process.on('message', () => process.send({ text: t.metricsText(), status: status() }));
      process.send('recorded');
      return;
    }
    counter().inc({ who: 'primary' }, 5);
    const workers = [];
    const next = (worker) => new Promise((resolve) => worker.once('message', resolve));
    for (let i = 0; i < ${WORKERS} + 2; i++) {
      const worker = cluster.fork({ EXTRA: 'x' });
      await next(worker);
      workers.push(worker);
      if (i < 2) {
        const gone = new Promise((resolve) => worker.once('exit', resolve));
        worker.process.kill('SIGKILL');
        await gone;
      }
    }
    const answer = next(workers[${WORKERS}]);
    workers[${WORKERS}].send('text');
    const shown = await answer;
    console.log(JSON.stringify({ ...shown, own: t.metricsText(), mine: status() }));
    for (const worker of workers) worker.process.kill('SIGKILL');
    process.exit();
  };
  if (cluster !== null) main(cluster);
  else import('node:cluster').then((module) => {
    start();
    const found = module.default;
    if (found.isPrimary && found.fork !== module.fork) throw new Error('another function');
    main(found);
  });
`;

function run(options, kind, environment = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['-e', PROGRAM, JSON.stringify(options), kind], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let out = '';
    child.stdout.on('data', (data) => (out += data));
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve(JSON.parse(out)) : reject(new Error(`exit ${code}`)),
    );
  });
}

function sample(text, who) {
  const line = text.split('\n').find((one) => one.startsWith(`cluster_total{who="${who}"} `));
  return line === undefined ? 0 : Number(line.slice(line.lastIndexOf(' ')));
}

for (const kind of ['require', 'esm']) {
  test(`a worker shows all, with ${kind}`, { timeout: 120_000 }, async () => {
    const { text, own, status, mine } = await run({}, kind);
    for (const one of [text, own]) {
      assert.equal(sample(one, 'worker'), 1000 * (WORKERS + 2));
      assert.equal(sample(one, 'primary'), 5);
    }
    for (const one of [status, mine]) {
      assert.deepEqual([one.mode, one.problem, one.processes], ['fork', '', WORKERS + 1]);
    }
  });
}

test(
  'shareWithChildren false gives each worker its own metrics',
  { timeout: 120_000 },
  async () => {
    const { text, own, status } = await run({ shareWithChildren: false }, 'require');
    assert.deepEqual([sample(text, 'worker'), sample(text, 'primary')], [1000, 0]);
    assert.deepEqual([sample(own, 'worker'), sample(own, 'primary')], [0, 5]);
    assert.equal(status.mode, 'none');
  },
);
