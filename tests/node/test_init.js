'use strict';
// Start and end: options, environment, idempotence, status. test_exit.js tests the end of
// processes.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { test, beforeEach, afterEach } = require('node:test');

const telemetry = require('../../bindings/node/lib/index.js');
const { native } = require('../../bindings/node/lib/loader.js');
const { optionText } = require('../../bindings/node/lib/options.js');
const { cleanEnvironment, run } = require('./programs.js');

const MEMORY = {
  enabled: true,
  backend: 'hybrid',
  exporter: 'memory',
  sampleRatio: 1,
  serviceName: 'test',
};
const original = { ...process.env };

beforeEach(() => {
  process.env = cleanEnvironment({});
});
afterEach(async () => {
  await telemetry.shutdown(1000);
  process.env = original;
});

function setting(name) {
  const { value, source } = telemetry.telemetryStatus().settings[name];
  return [value, source];
}

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
    const on = { enabled: true, backend: 'hybrid', exporter: 'memory', sampleRatio: 0.5, serviceName: 'shop' };
    t.init(on); t.init(on);
    t.shutdown(1000).then(() => t.init({ ...on, enabled: false }));`;
  const [told, quiet, off] = await Promise.all([
    run(source),
    run(source, { env: { OTEL_LOG_LEVEL: 'warn' } }),
    run('t.init();', { env: { OTEL_ENDPOINT: 'http://far:4317' } }),
  ]);
  assert.equal(told.stderr, '');
  assert.deepEqual(told.started, [
    'djp-telemetry: Telemetry is on (option enabled) for shop: spans to memory (option exporter), ratio 0.5 ' +
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

// ---- options -----------------------------------------------------------------------------------

test('options win over variables', () => {
  process.env.OTEL_SERVICE_NAME = 'from-variable';
  process.env.OTEL_TRACE_SAMPLE = '0.5';
  telemetry.init({ ...MEMORY, serviceName: 'from-option', sampleRatio: 0.25 });
  assert.deepEqual(setting('service_name'), ['from-option', 'option service_name']);
  assert.equal(setting('sample_ratio')[0], 0.25);
  assert.equal(telemetry.telemetryStatus().service_name, 'from-option');
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

test('options in snake_case mean the same', () => {
  telemetry.init({
    enabled: true,
    backend: 'otel',
    exporter: 'memory',
    service_name: 'snake',
    slow_threshold: 0.5,
  });
  assert.deepEqual([setting('service_name')[0], setting('slow_threshold')[0]], ['snake', 0.5]);
});

test('every option of the core can be given in camelCase', () => {
  for (const keyword of native.sdkKeywords()) {
    assert.match(keyword, /^[a-z][a-z_]*$/);
    assert.doesNotMatch(keyword, /__|_$/);
  }
});

for (const [name, given, text] of [
  ['true', true, 'true'],
  ['false', false, 'false'],
  ['null', null, undefined],
  ['undefined', undefined, undefined],
  ['text', 'as it is', 'as it is'],
  ['a fraction', 0.25, '0.25'],
  ['a bigint', 8n, '8'],
  ['an object', { 'a b': 'c,d', e: 1, f: null }, 'a%20b=c%2Cd,e=1'],
  ['a map', new Map([['a', 'ü']]), 'a=%C3%BC'],
  ['headers', new Headers({ Authorization: 'x y' }), 'authorization=x%20y'],
  ['an array', ['/a', '/b*'], '/a,/b*'],
  ['a set', new Set(['a', 1]), 'a,1'],
  ['a URL', new URL('http://h:1/p'), 'http://h:1/p'],
  ['a lone surrogate', { k: '\ud800' }, 'k=%EF%BF%BD'],
]) {
  test(`an option as text: ${name}`, () => assert.equal(optionText(given), text));
}

test('resource attributes and environment reach the settings', () => {
  telemetry.init({ ...MEMORY, resourceAttributes: { team: 'a,b' }, environment: 'staging' });
  assert.equal(setting('resource_attributes')[0], 'team=a%2Cb');
  assert.equal(setting('environment')[0], 'staging');
});

test('headers are never shown', () => {
  const headers = { authorization: 'Bearer secret' };
  telemetry.init({ ...MEMORY, exporter: 'otlp', endpoint: 'http://127.0.0.1:9', headers });
  assert.ok(!JSON.stringify(telemetry.telemetryStatus()).includes('secret'));
});

const BAD = `
const bad = {
  enabled: true, backend: 'hybrid', exporter: 'memory', ringBytes: 'many', flushInterval: {}, protocol: 'carrier pigeon',
  nonsense: 1, get endpoint() { throw new RangeError('no'); }, path: { toString() { throw null; } }, serviceName: '\\ud800',
};
for (let i = 0; i < 3; i++) t.init(bad);
console.log(t.telemetryStatus().enabled);
t.shutdown(100).then(() => { t.init(bad); console.log(t.telemetryStatus().enabled); });
`;

test('bad values never throw and warn once each', async () => {
  const done = await run(BAD, { env: { OTEL_TRACE_SAMPLE: 'abc' } });
  assert.equal(done.code, 0, done.stderr);
  assert.equal(done.stdout, 'true\ntrue\n');
  const lines = done.stderr.trim().split('\n');
  for (const line of lines) assert.match(line, /^djp-telemetry: .*\.$/);
  for (const word of [
    'OTEL_TRACE_SAMPLE',
    'ringBytes',
    'protocol',
    '"nonsense",',
    'endpoint',
    'path',
  ]) {
    assert.equal(
      lines.filter((line) => line.includes(`${word} `)).length >= 1,
      true,
      `${word}: ${done.stderr}`,
    );
  }
  assert.equal(new Set(lines).size, lines.length, done.stderr);
});

test('anything may be given as options', async () => {
  const source = `
    const trap = () => { throw new Error('trap'); };
    const proxies = [new Proxy({}, { ownKeys: trap }), new Proxy({}, { get: trap, ownKeys: () => ['enabled'],
      getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }) })];
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    for (const given of [1, 'text', null, undefined, [], () => 1, Symbol('s'), ...proxies, proxy]) t.init(given);
    console.log(t.telemetryStatus().enabled);`;
  const done = await run(source);
  assert.deepEqual([done.code, done.stdout], [0, 'false\n'], done.stderr);
});

// ---- life --------------------------------------------------------------------------------------

test('a second init changes nothing', () => {
  telemetry.init(MEMORY);
  const epoch = native.sdkEpoch();
  telemetry.init({ ...MEMORY, serviceName: 'another' });
  assert.deepEqual([setting('service_name')[0], native.sdkEpoch()], ['test', epoch]);
});

test('again after shutdown, with numbers of the old start harmless', async () => {
  const old = [];
  for (let i = 0; i < 3; i++) {
    telemetry.init({ ...MEMORY, serviceName: `s${i}` });
    const family = native.familyNew(1, 'orders', 'Orders', '', ['kind'], null);
    const series = native.seriesOf(family, ['web']);
    native.seriesAdd(series, 2);
    for (const [oldFamily, oldSeries] of old) {
      native.seriesAdd(oldSeries, 100);
      assert.deepEqual(
        [native.seriesOf(oldFamily, ['web']), native.seriesValue(oldSeries)],
        [0, 0],
      );
    }
    assert.equal(native.seriesValue(series), 2);
    old.push([family, series]);
    assert.equal(await telemetry.shutdown(1000), true);
    const status = telemetry.telemetryStatus();
    assert.deepEqual([status.enabled, status.service_name], [false, `s${i}`]);
  }
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

test('what the core says of a start', () => {
  const found = native.sdkResolve(
    { enabled: 'true', backend: 'prom' },
    {},
    'name',
    () => undefined,
  );
  const {
    enabled,
    backend,
    semconv,
    service_name: name,
    log_correlation: logs,
    shutdown_timeout: limit,
  } = found;
  assert.deepEqual(
    [enabled, backend, semconv, name, logs, limit],
    [true, 'prom', 'old', 'name', true, 1],
  );
  assert.equal(native.sdkEpoch(), 0);
});

test('the addon takes any argument of any function', () => {
  const trap = () => {
    throw new Error('trap');
  };
  const array = new Proxy([1, 2], { get: trap });
  const odd = [
    undefined,
    null,
    1,
    -1,
    Number.NaN,
    2 ** 60,
    'x',
    '\ud800',
    'y'.repeat(70000),
    {},
    [],
    [{}],
    [null],
  ];
  odd.push(
    array,
    new Proxy({}, { get: trap, ownKeys: trap }),
    trap,
    Symbol('s'),
    10n,
    new Int32Array(8),
    new Uint8Array(16),
  );
  for (const active of [false, true]) {
    if (active) telemetry.init(MEMORY);
    for (const [name, call] of Object.entries(native)) {
      if (typeof call !== 'function' || /^sdk(Start|Stop|Resolve)|^log/.test(name)) continue;
      for (const value of odd) {
        try {
          call(value, value, value, value, value, value);
        } catch (error) {
          assert.equal(name, 'familyNew', `${name}: ${error}`);
          assert.match(error.message, /^The metric '.*' was refused.* It records nothing\./s);
        }
      }
    }
  }
});

test('a million trace ids: half of them at a ratio of a half', () => {
  const ids = new Uint8Array(16 << 20);
  const out = new Uint8Array(1 << 20);
  for (let at = 0; at < ids.length; at += 65536)
    globalThis.crypto.getRandomValues(ids.subarray(at, at + 65536));
  assert.equal(native.samplerDecideMany(ids, out), false);
  telemetry.init({ ...MEMORY, sampleRatio: 0.5 });
  assert.equal(native.samplerDecideMany(ids, out), true);
  const kept = out.reduce((sum, one) => sum + one, 0);
  assert.ok(Math.abs(kept / out.length - 0.5) < 0.01, String(kept));
  for (let i = 0; i < out.length; i += 1000) assert.equal(out[i], ids[i * 16 + 9] >= 128 ? 1 : 0);
});
