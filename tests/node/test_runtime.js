'use strict';
// Start and end: environment, idempotence, status. test_options.js tests the options, test_exit.js
// the end of processes.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { test } = require('node:test');

const telemetry = require('../../bindings/node/lib/index.js');
const { native } = require('../../bindings/node/lib/loader.js');
const { MEMORY, eachAlone, setting } = require('./alone.js');
const { run } = require('./programs.js');

eachAlone();

function nativeThreads() {
  const names = fs.readdirSync('/proc/self/task').map((id) => {
    try {
      return fs.readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim();
    } catch {
      return ''; // it has ended
    }
  });
  return names.filter((name) => name.startsWith('djp'));
}

// ---- off by default ----------------------------------------------------------------------------

test('telemetry is off by default and starts no thread', async () => {
  assert.equal(telemetry.init(), undefined);
  const status = telemetry.telemetryStatus();
  assert.equal(status.enabled, false);
  assert.deepEqual([status.impl, status.impl_reason], ['native', '']);
  assert.equal(await telemetry.flush(), true);
  assert.equal(await telemetry.shutdown(), true);
  assert.deepEqual(nativeThreads(), []);
});

test('a process without init is silent and ends at once', async () => {
  const done = await run(
    't.flush(10).then((sent) => t.shutdown(10).then((ended) => console.log(sent, ended)));',
  );
  assert.deepEqual([done.code, done.stdout, done.stderr], [0, 'true true\n', '']);
});

test('active telemetry does not keep a process alive', async () => {
  const done = await run('t.init({ enabled: true, backend: "hybrid", exporter: "none" });');
  assert.deepEqual([done.code, done.signal, done.stderr], [0, null, '']);
});

test('a start is told once, in one line, and not while off', async () => {
  const source = `
    const on = { enabled: true, backend: 'hybrid', exporter: 'memory', sampleRatio: 0.5,
      serviceName: 'shop' };
    t.init(on); t.init(on);
    t.shutdown(1000).then(() => t.init({ ...on, enabled: false }));`;
  const [told, quiet, off] = await Promise.all([
    run(source),
    run(source, { env: { OTEL_LOG_LEVEL: 'warn' } }),
    run('t.init();', { env: { OTEL_ENDPOINT: 'http://far:4317' } }),
  ]);
  assert.equal(told.stderr, '');
  assert.deepEqual(told.started, [
    'djp-telemetry: Telemetry is on (option enabled) for shop: ' +
      'spans to memory (option exporter), ratio 0.5 ' +
      '(option sampleRatio), besides errors and what takes more than 2 s; metrics for scraping.\n',
  ]);
  for (const done of [quiet, off]) assert.deepEqual([done.stderr, done.started], ['', []]);
});

test('a misspelled variable is answered with its neighbour', async () => {
  const env = { DJP_TELEMETRY_SAMPLE_RATE: '1', OTEL_CONFIG_FILE: '/x.yaml' };
  const done = await run("t.init({ enabled: true, exporter: 'memory' });", { env });
  assert.match(done.stderr, /did you mean DJP_TELEMETRY_SAMPLE_RATIO\?/);
  assert.match(done.stderr, /OTEL_CONFIG_FILE/);
});

test('a misspelled option is named without the core, too', async () => {
  const env = { DJP_TELEMETRY_NATIVE: 'off', TELEMETRY_ENABLED: 'true' };
  const done = await run("t.init({ sampleRate: 1, sampleRatio: 1, service_name: 'x' });", { env });
  assert.equal(done.stderr.trim().split('\n').length, 2, done.stderr);
  assert.match(done.stderr, /There is no option "sampleRate"/);
});

// ---- status ------------------------------------------------------------------------------------

const SHAPE = `
const shape = (value) => value !== null && typeof value === 'object' && !Array.isArray(value)
  ? Object.fromEntries(Object.keys(value).sort().map((key) => [key, shape(value[key])])) : 0;
const look = () => JSON.stringify(shape(t.telemetryStatus()));
const seen = [look()];
const on = { enabled: true, backend: 'hybrid', exporter: 'memory' };
t.init({ enabled: false }); seen.push(look());
t.init(on); seen.push(look());
t.shutdown(1000).then(() => {
  seen.push(look());
  t.init({ enabled: false, serviceName: 'later' });
  const { enabled, backend, shut_down, service_name, problem } = t.telemetryStatus();
  seen.push(look());
  console.log(JSON.stringify({ seen, enabled, backend, shut_down, service_name, problem }));
});`;

test('the status has the same keys off, on, after its end and without the core', async () => {
  const [native, noop] = await Promise.all([
    run(SHAPE),
    run(SHAPE, { env: { DJP_TELEMETRY_NATIVE: 'off' } }),
  ]);
  const found = JSON.parse(native.stdout);
  for (const shape of found.seen) assert.deepEqual(JSON.parse(shape), JSON.parse(found.seen[0]));
  assert.deepEqual([found.enabled, found.shut_down, found.service_name], [false, false, 'later']);
  assert.equal(found.problem, 'Telemetry is off (option enabled).');
  const without = JSON.parse(noop.stdout);
  for (const shape of without.seen) assert.deepEqual(JSON.parse(shape), JSON.parse(found.seen[0]));
  assert.match(without.problem, /^Nothing is recorded: DJP_TELEMETRY_NATIVE=off\./);
});

test('variables alone', () => {
  Object.assign(process.env, {
    TELEMETRY_ENABLED: 'true',
    TELEMETRY_BACKEND: 'hybrid',
    OTEL_SERVICE_NAME: 'by-variable',
    OTEL_TRACES_EXPORTER: 'memory',
  });
  telemetry.init();
  const status = telemetry.telemetryStatus();
  assert.deepEqual(
    [status.enabled, status.backend, status.service_name],
    [true, 'hybrid', 'by-variable'],
  );
  assert.deepEqual(setting('service_name'), ['by-variable', 'OTEL_SERVICE_NAME']);
});

// ---- life --------------------------------------------------------------------------------------

test('a second init changes nothing', () => {
  telemetry.init(MEMORY);
  const epoch = native.sdkEpoch();
  telemetry.init({ ...MEMORY, serviceName: 'another' });
  assert.deepEqual([setting('service_name')[0], native.sdkEpoch()], ['test', epoch]);
});

test('shutdowns at the same time give one answer', async () => {
  telemetry.init(MEMORY);
  const answers = await Promise.all([
    telemetry.shutdown(1000),
    telemetry.shutdown(1000),
    telemetry.flush(1000),
  ]);
  assert.deepEqual(answers, [true, true, true]);
  assert.equal(native.sdkStopSync(10), null);
});

test('init right after a shutdown that is under way', async () => {
  telemetry.init(MEMORY);
  const under = telemetry.shutdown(1000);
  telemetry.init({ ...MEMORY, serviceName: 'next' });
  assert.equal(telemetry.telemetryStatus().service_name, 'next');
  assert.equal(await under, true);
  assert.equal(telemetry.telemetryStatus().enabled, true);
});

for (const limit of [0, -1, Number.NaN, Infinity, 'text', {}, null, 1n, Symbol('s')]) {
  test(`an odd time limit: ${String(limit)}`, async () => {
    telemetry.init(MEMORY);
    assert.equal(typeof (await telemetry.flush(limit)), 'boolean');
    assert.equal(typeof (await telemetry.shutdown(limit)), 'boolean');
  });
}

test('the status of running telemetry', () => {
  telemetry.init(MEMORY);
  const status = telemetry.telemetryStatus();
  assert.equal(status.impl, 'native');
  assert.equal(status.version, require('../../package.json').version);
  assert.deepEqual(status.settings.exporter, { value: 'memory', source: 'option exporter' });
  assert.equal(
    Object.values(status.dropped).reduce((sum, count) => sum + count, 0),
    0,
  );
});
