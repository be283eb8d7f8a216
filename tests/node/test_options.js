'use strict';
// Options of init() as text: every type, their spellings, and values that cannot be read.

const assert = require('node:assert/strict');
const { test } = require('node:test');

const telemetry = require('../../bindings/node/lib/index.js');
const { native } = require('../../bindings/node/lib/loader.js');
const { optionText } = require('../../bindings/node/lib/options.js');
const { MEMORY, eachAlone, setting } = require('./alone.js');
const { run } = require('./programs.js');

eachAlone();

test('options win over variables', () => {
  process.env.OTEL_SERVICE_NAME = 'from-variable';
  process.env.OTEL_TRACE_SAMPLE = '0.5';
  telemetry.init({ ...MEMORY, serviceName: 'from-option', sampleRatio: 0.25 });
  assert.deepEqual(setting('service_name'), ['from-option', 'option service_name']);
  assert.equal(setting('sample_ratio')[0], 0.25);
  assert.equal(telemetry.telemetryStatus().service_name, 'from-option');
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

const BAD = `
const bad = {
  enabled: true, backend: 'hybrid', exporter: 'memory', ringBytes: 'many', flushInterval: {},
  protocol: 'carrier pigeon',
  nonsense: 1, get endpoint() { throw new RangeError('no'); },
  path: { toString() { throw null; } }, serviceName: '\\ud800',
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
    const proxies = [new Proxy({}, { ownKeys: trap }),
      new Proxy({}, { get: trap, ownKeys: () => ['enabled'],
      getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }) })];
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const plain = [1, 'text', null, undefined, [], () => 1, Symbol('s')];
    for (const given of [...plain, ...proxies, proxy]) t.init(given);
    console.log(t.telemetryStatus().enabled);`;
  const done = await run(source);
  assert.deepEqual([done.code, done.stdout], [0, 'false\n'], done.stderr);
});
