'use strict';
// The end of processes and worker threads: all ended spans are exported however the process ends,
// and the exit code is unchanged. test_signal.js tests signals.

const assert = require('node:assert/strict');
const { test } = require('node:test');

const telemetry = require('../../bindings/node/lib/index.js');
const { fileSpans, intoFile, run, temporary } = require('./programs.js');

const options = { skip: typeof telemetry.startSpan === 'function' ? false : 'needs spans' };
const WORKER = `const { Worker } = require('node:worker_threads');
const worker = (source) =>
  new Worker('const t = require(' + JSON.stringify(ENTRY) + ');' + source, { eval: true });\n`;

async function program(source) {
  const folder = temporary();
  const done = await run(
    `const ENTRY = require.resolve(${JSON.stringify(require('./programs.js').ENTRY)});\n${source}`,
    {
      folder,
      env: intoFile(folder),
    },
  );
  return { ...done, spans: fileSpans(folder) };
}

for (const [name, end, code] of [
  ['the end of the script', '', 0],
  ['process.exit', 'process.exit(5);', 5],
  ['process.exit in a handler of exit', 'process.on("exit", () => process.exit(6));', 6],
  ['an uncaught exception', 'throw new Error("boom");', 1],
  ['a rejected promise', 'Promise.reject(new Error("boom"));', 1],
  ['an exit that skips all handlers', 'process.reallyExit(4);', 4],
  [
    'process.exit during flush and shutdown',
    't.flush(10000); t.shutdown(10000); process.exit(7);',
    7,
  ],
]) {
  test(`spans survive ${name}`, options, async () => {
    const done = await program(`t.init(); t.startSpan('last').end(); ${end}`);
    assert.deepEqual([done.code, done.signal, done.spans], [code, null, ['last']], done.stderr);
  });
}

test('a collector that is gone delays the end by the time limit only', options, async () => {
  const source = `t.init({ exporter: 'otlp', endpoint: 'http://127.0.0.1:9',
      shutdownTimeout: 0.2, logLevel: 'none' });
    t.startSpan('lost').end(); const begin = Date.now();
    t.shutdown().then((sent) => console.log(sent, Date.now() - begin < 5000));`;
  const done = await program(source);
  assert.deepEqual([done.code, done.stdout], [0, 'false true\n'], done.stderr);
});

// ---- worker threads ----------------------------------------------------------------------------

test('a worker thread joins, and its end leaves telemetry to the others', options, async () => {
  const done = await program(`${WORKER} t.init(); t.startSpan('first').end();
    const w = worker("t.init(); t.startSpan('in worker').end(); t.flush(5000).then(() => " +
      "require('worker_threads')" +
      ".parentPort.postMessage(t.telemetryStatus().enabled)); setInterval(() => {}, 1000);");
    w.on('message', async (enabled) => {
      await w.terminate();
      t.startSpan('after').end();
      console.log(enabled, t.telemetryStatus().enabled);
    });`);
  assert.deepEqual([done.code, done.stdout], [0, 'true true\n'], done.stderr);
  assert.deepEqual(done.spans.sort(), ['after', 'first', 'in worker']);
});

test('telemetry that only a worker thread began is ended with the process', options, async () => {
  const done = await program(`${WORKER} worker("t.init(); t.startSpan('in worker').end();");`);
  assert.deepEqual([done.code, done.spans], [0, ['in worker']], done.stderr);
});

test('many worker threads begin at once and share one SDK', async () => {
  const done = await program(`${WORKER} let epochs = [];
    for (let i = 0; i < 12; i++) {
      const loader = require('path').join(ENTRY, '../loader.js');
      worker("t.init(); const { native } = require('" + loader + "');" +
        "require('worker_threads').parentPort.postMessage(native.sdkEpoch());")
        .on('message', (id) => epochs.push(id));
    }
    process.on('exit', () => console.log(epochs.join()));`);
  assert.deepEqual([done.code, done.stdout], [0, `${Array(12).fill(1)}\n`], done.stderr);
});

test('a worker thread that ends telemetry ends it for all, and it may begin again', async () => {
  const done = await program(`${WORKER} t.init();
    worker("t.init(); t.shutdown(5000).then((sent) => " +
      "require('worker_threads').parentPort.postMessage(sent))")
      .on('message', (sent) => {
        const before = t.telemetryStatus().enabled;
        t.init();
        console.log(sent, before, t.telemetryStatus().enabled);
      });`);
  assert.deepEqual([done.code, done.stdout], [0, 'true false true\n'], done.stderr);
});

test('a worker thread that is stopped during a flush', options, async () => {
  const done = await program(`${WORKER} t.init({ exporter: 'otlp', endpoint: 'http://127.0.0.1:9',
      shutdownTimeout: 0.1,
      logLevel: 'none' });
    const w = worker("t.init(); t.startSpan('lost').end(); t.flush(500); " +
      "require('worker_threads')" +
      ".parentPort.postMessage(1); setInterval(() => {}, 1000);");
    w.on('message', () => w.terminate().then((code) => console.log('terminated', code)));`);
  assert.deepEqual([done.code, done.stdout], [0, 'terminated 1\n'], done.stderr);
});
