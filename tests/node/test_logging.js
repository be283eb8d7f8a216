'use strict';
// The logger in separate programs: without pino, with and without pino-pretty, and at the end of
// the process.

const test = require('node:test');
const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const path = require('node:path');
const logging = require('../../bindings/node/lib/logging');

const MODULE = path.resolve(__dirname, '../../bindings/node/lib/logging');

/** Runs a script with `logging`; pino and pino-pretty can be hidden. */
function run(script, { without = [], env = {} } = {}) {
  const prelude = `const Module = require('node:module'); const load = Module._load;
    Module._load = function (name, ...rest) { if (${JSON.stringify(without)}.includes(name)) {
      throw Object.assign(new Error('Cannot find module ' + name), { code: 'MODULE_NOT_FOUND' }); }
      return load.call(this, name, ...rest); };
    const logging = require(${JSON.stringify(MODULE)});`;
  return spawnSync(process.execPath, ['-e', prelude + script], {
    encoding: 'utf8',
    timeout: 20_000,
    env: { ...process.env, ...env },
  });
}

test('without pino, createLogger says what to install, and the rest works', () => {
  const done = run(
    `console.log(logging.redactString('a@example.com'), typeof logging.traceMixin()(),
      logging.generateCorrelationId().length);
    try { logging.createLogger(); } catch (error) {
      console.log(error instanceof Error, error.message); }`,
    { without: ['pino'] },
  );
  const [first, second] = done.stdout.split('\n');
  assert.equal(first, '[REDACTED_EMAIL] object 36');
  assert.match(second, /^true .*npm install pino/);
});

test('pretty without pino-pretty gives JSON and one warning', () => {
  const done = run(
    `for (let i = 0; i < 3; i++)
      logging.createLogger({ pretty: true, service: 's' }).info('hello');`,
    {
      without: ['pino-pretty'],
    },
  );
  assert.equal(done.status, 0, done.stderr);
  const lines = done.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    lines.map((line) => line.message),
    ['hello', 'hello', 'hello'],
  );
  assert.equal(done.stderr.split('DJP_TELEMETRY_LOG_PRETTY').length, 2, done.stderr);
});

test('pretty with pino-pretty', { skip: !resolves('pino-pretty') && 'not installed' }, () => {
  const done = run(
    `const log = logging.createLogger({ pretty: true, service: 's' });
    log.error('hello', new Error('it broke'), { a: 1 });`,
  );
  assert.equal(done.status, 0, done.stderr);
  assert.match(done.stdout, /ERROR.*hello/);
  assert.match(done.stdout, /it broke/);
});

function resolves(name) {
  try {
    return require.resolve(name);
  } catch {
    return null;
  }
}

test('standard output gets every line before the process exits', () => {
  const done = run(
    `const log = logging.createLogger({ service: 's' });
      for (let i = 0; i < 2000; i++) log.info('x', { i }); process.exit(0);`,
  );
  assert.equal(done.stdout.trim().split('\n').length, 2000);
});

test('import gives the same names and the same objects', async () => {
  const module = await import('../../bindings/node/lib/logging/index.mjs');
  for (const name of Object.keys(logging)) assert.equal(module[name], logging[name], name);
  assert.equal(Object.keys(module).length, Object.keys(logging).length + 1);
});
