'use strict';
// Without the native core: the same API, no exception, one warning with the reason.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const loader = require('../../bindings/node/lib/loader.js');
const { run, temporary } = require('./programs.js');

const ROOT = path.resolve(__dirname, '../..');
const ADDON = path.join(ROOT, 'build/Release/djp_telemetry.node');
const NEEDED = [
  'package.json',
  'bindings/node/lib',
  'middleware/express',
  'middleware/http',
  'middleware/next',
];

const EVERYTHING = `
t.init();
t.init({ enabled: true });
t.init({ enabled: true });
const status = t.telemetryStatus();
for (const name of Object.keys(t)) if (t[name] === undefined) throw new Error(name);
Promise.all([t.flush(10), t.shutdown(10), t.shutdown(10)]).then((answers) => {
  console.log(JSON.stringify([status.enabled, status.impl, status.impl_reason, answers]));
});
`;

async function check(env, reason, entry) {
  const done = await run(EVERYTHING, entry === undefined ? { env } : { env, entry });
  assert.equal(done.code, 0, done.stderr);
  const [enabled, impl, told, answers] = JSON.parse(done.stdout);
  assert.deepEqual([enabled, impl, answers], [false, 'noop', [true, true, true]]);
  assert.match(told, reason);
  const lines = done.stderr.trim().split('\n');
  assert.equal(lines.length, 1, done.stderr);
  assert.match(lines[0], /^djp-telemetry: Telemetry is enabled, but nothing is recorded: /);
  assert.ok(lines[0].includes(told), lines[0]);
}

/**
 * Installs the package at another path, with `content` as its addon (undefined: none). Returns the
 * entry point.
 */
function copyOfPackage(content, reason) {
  const folder = temporary();
  for (const name of NEEDED) {
    if (fs.existsSync(path.join(ROOT, name)))
      fs.cpSync(path.join(ROOT, name), path.join(folder, name), { recursive: true });
  }
  fs.mkdirSync(path.join(folder, 'build/Release'), { recursive: true });
  if (content !== undefined)
    fs.writeFileSync(path.join(folder, 'build/Release/djp_telemetry.node'), content);
  if (reason !== undefined)
    fs.writeFileSync(path.join(folder, 'build/djp_telemetry.reason'), reason);
  return path.join(folder, 'bindings/node/lib/index.js');
}

test('the addon is what was loaded here', () => {
  assert.deepEqual([loader.name, loader.reason], ['native', '']);
  assert.equal(loader.native.coreVersion, loader.version);
});

test('switched off by variable', () =>
  check({ DJP_TELEMETRY_NATIVE: 'off' }, /^DJP_TELEMETRY_NATIVE=off$/));

test('switched off and not asked for: silence', async () => {
  const done = await run('t.init(); t.shutdown();', { env: { DJP_TELEMETRY_NATIVE: 'off' } });
  assert.deepEqual([done.code, done.stdout, done.stderr], [0, '', '']);
});

test('a missing addon', () => check({}, /is missing; run npm install/, copyOfPackage()));

test('an addon that could not be built: the reason of the installation', () =>
  check(
    {},
    /could not be built: no compiler/,
    copyOfPackage(undefined, 'the native core could not be built: no compiler'),
  ));

const binary = fs.readFileSync(ADDON);
for (const [name, content] of [
  ['empty', ''],
  ['text', 'not a library'],
  ['zeros', Buffer.concat([Buffer.from('\x7fELF'), Buffer.alloc(200)])],
  ['a head without a body', binary.subarray(0, 80)],
  ['cut to 1 %', binary.subarray(0, binary.length / 100)],
  ['cut to 10 %', binary.subarray(0, binary.length / 10)],
  ['cut to 50 %', binary.subarray(0, binary.length / 2)],
]) {
  test(`a damaged addon: ${name}`, () =>
    check({}, /could not be loaded: /, copyOfPackage(content)));
}

test('an addon of another version', async () => {
  const entry = copyOfPackage(binary);
  const file = path.resolve(entry, '../../../../package.json');
  fs.writeFileSync(
    file,
    fs.readFileSync(file, 'utf8').replace(/"version": "[^"]+"/, '"version": "0.0.0"'),
  );
  await check({}, /the native core is version .*, the package 0\.0\.0/, entry);
});

test('requiring the package starts nothing', async () => {
  const done = await run(`
    const fs = require('node:fs');
    const names = fs.readdirSync('/proc/self/task').map((id) =>
      fs.readFileSync('/proc/self/task/' + id + '/comm', 'utf8'));
    console.log(names.some((name) => name.startsWith('djp')), process.listenerCount('exit'),
      process.listenerCount('SIGTERM'));`);
  assert.deepEqual([done.code, done.stdout, done.stderr], [0, 'false 0 0\n', '']);
});
