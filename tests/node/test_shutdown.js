'use strict';
// After shutdown no port, descriptor, thread or listener remains, and nothing keeps the process
// alive, however often telemetry starts and ends. Each program is a separate process.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { test } = require('node:test');
const { run } = require('./programs.js');

const skip = !fs.existsSync('/proc/self/fd') && 'needs /proc';
const OPTIONS = { timeout: 120_000, skip };

const HEAD = `
const fs = require('fs');
const net = require('net');
const threads = () => fs.readdirSync('/proc/self/task').length;
const descriptors = () => fs.readdirSync('/proc/self/fd').length;
const turn = () => new Promise((resolve) => setImmediate(resolve));
const pause = () => new Promise((resolve) => setTimeout(resolve, 5));
const until = async (holds) => {
  for (let i = 0; i < 2000 && !holds(); i++) await pause(); return holds(); };
const port = () => new Promise((resolve) => {
  const server = net.createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});
const canBeHad = (port) => new Promise((resolve) => {
  const server = net.createServer().on('error', () => resolve(false));
  server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
});
const isAnswered = (port) => new Promise((resolve) => {
  const socket = net.connect(port, '127.0.0.1', () => {
    socket.destroy(); resolve(true); }).on('error', () => resolve(false));
});
const on = { enabled: true, backend: 'hybrid', exporter: 'memory', sampleRatio: 1,
  logLevel: 'none' };
`;

/**
 * Returns the argument of answer(), unchanged; the program must end by itself, at once and without
 * output.
 */
async function answerOf(source) {
  const end = await run(
    `${HEAD}\nconst answer = (what) =>
      console.log(JSON.stringify(what));\n(async () => {${source}})();`,
  );
  assert.equal(end.code, 0, end.stderr);
  assert.equal(end.stderr, '');
  return JSON.parse(end.stdout);
}

for (const [how, begin] of [
  ['the setting', 't.init({ ...on, prometheusPort: where });'],
  [
    'a call',
    "t.init(on); if (!t.startMetricsServer(where, '127.0.0.1')) throw new Error('no listener');",
  ],
]) {
  test(
    `a port opened by ${how} is free after shutdown, and can be opened again`,
    OPTIONS,
    async () => {
      const found = await answerOf(`
      const where = await port();
      const found = [];
      for (let i = 0; i < 3; i++) {
        ${begin}
        found.push(await isAnswered(where), await canBeHad(where));
        await t.shutdown(5000);
        found.push(await isAnswered(where), await canBeHad(where));
      }
      answer(found);`);
      assert.deepEqual(found, Array(3).fill([true, false, false, true]).flat());
    },
  );
}

for (const [kind, more] of Object.entries({
  memory: '{}',
  otlp: "{ exporter: 'otlp', endpoint: 'http://127.0.0.1:9/v1/traces', protocol: 'http/protobuf' }",
  grpc: "{ exporter: 'otlp', endpoint: 'http://127.0.0.1:9', protocol: 'grpc' }",
  file: "{ exporter: 'file', filePath: '/dev/null' }",
  port: '{ prometheusPort: where }',
  overrides: "{ overridesFile: '/dev/null' }",
})) {
  test(`many beginnings and ends with '${kind}' leave nothing`, OPTIONS, async () => {
    const found = await answerOf(`
      const where = await port();
      const cycle = async () => {
        t.init({ ...on, ...${more} });
        t.withSpan('s', () => new t.Counter('c', 'h').inc());
        await t.exposeMetrics?.();
        t.metricsText();
        await t.shutdown(50);
      };
      await cycle();
      await pause();
      const before = threads();
      await cycle();
      await until(() => threads() <= before);
      const start = [descriptors(), process.listenerCount('exit'),
        process.listenerCount('removeListener')];
      const signals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2'].map((name) =>
        process.listenerCount(name));
      for (let i = 0; i < 5; i++) await cycle();
      const settled = await until(() => threads() <= before && descriptors() <= start[0]);
      answer({
        settled,
        left: [descriptors(), process.listenerCount('exit'),
          process.listenerCount('removeListener')].map((n, i) => n - start[i]),
        signals,
        timers: process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length,
      });`);
    assert.deepEqual(found, { settled: true, left: [0, 0, 0], signals: [0, 0, 0, 0], timers: 0 });
  });
}

test('nothing that was begun keeps the process', OPTIONS, async () => {
  const found = await answerOf(`
    const where = await port();
    await turn();
    const before = process.getActiveResourcesInfo();
    t.init({ ...on, prometheusPort: where, overridesFile: '/dev/null' });
    const stop = t.instrumentOutgoing({ spans: true });
    t.startSpan('never ended');
    new t.Gauge('g', 'h').setFunction(() => 1);
    t.metricsText();
    await t.flush(1000);
    await turn();
    answer(process.getActiveResourcesInfo().filter((name) => !before.includes(name)));`);
  assert.deepEqual(found, []);
});

test('shutdown at once after each call that goes on behind', OPTIONS, async () => {
  const found = await answerOf(`
    const results = [];
    for (const call of ['flush', 'shutdown', 'exposeMetrics']) {
      t.init(on);
      t.startSpan('s').end();
      const under = call === 'exposeMetrics' ? require(${JSON.stringify(
        require.resolve('../../bindings/node/lib/metrics.js'),
      )}).exposeMetrics() : t[call](5000);
      const ended = await t.shutdown(5000);
      const other = await under;
      results.push(ended, call === 'exposeMetrics' ? typeof other.body : typeof other);
      t.init(on);
      t.startSpan('again').end();
      await t.flush(5000);
      results.push(t.takeExported().length > 0);
      await t.shutdown(5000);
    }
    answer(results);`);
  assert.deepEqual(found, [true, 'boolean', true, true, 'boolean', true, true, 'string', true]);
});

test('programs that are started get no descriptor of telemetry', OPTIONS, async () => {
  const found = await answerOf(`
    const { spawnSync } = require('child_process');
    const asked = [];
    const hanging = net.createServer((socket) => {
      asked.push(socket); socket.on('error', () => {}); });
    await new Promise((resolve) => hanging.listen(0, '127.0.0.1', resolve));
    t.init({ ...on, exporter: 'otlp', protocol: 'http/protobuf', flushInterval: 0.05,
      prometheusPort: await port(),
      endpoint: 'http://127.0.0.1:' + hanging.address().port + '/v1/traces' });
    t.startSpan('s').end();
    await until(() => asked.length > 0);
    const list = spawnSync('ls', ['-l', '/proc/self/fd'], {
      stdio: ['ignore', 'pipe', 'ignore'], encoding: 'utf8' }).stdout;
    // The pipe of its own output may be a socket; every other one would be inherited.
    const inherited = list.split('\\n').filter((line) =>
      / \\d+ -> socket:/.test(line) && !/ [012] -> /.test(line));
    for (const socket of asked) socket.destroy();
    hanging.close();
    await t.shutdown(50);
    answer([asked.length > 0, inherited.length]);`);
  assert.deepEqual(found, [true, 0]);
});
