'use strict';
// Lifetimes: telemetry that starts again before its end is complete, copies of the package that are
// loaded repeatedly, and runtimes without native code. Each program is a separate process.

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');

const root = path.resolve(__dirname, '../..');
const PACKAGE = JSON.stringify(path.join(root, 'bindings/node/lib/index.js'));
const DEADLINE_MS = 60000;
const NATIVE = require('../../bindings/node/lib/index.js').impl === 'native';
const SANITIZED = (process.env.LD_PRELOAD || '').includes('asan');
const skip = NATIVE ? false : 'there is no native core';

function run(program, flags) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'djp-lifetime-'));
  const file = path.join(folder, 'program.js');
  const env = { ...process.env, DJP_TELEMETRY_NATIVE: 'auto' };
  try {
    fs.writeFileSync(file, program);
    return spawnSync(process.execPath, [...flags, file], {
      cwd: folder,
      encoding: 'utf8',
      timeout: DEADLINE_MS,
      env,
    });
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs a program, which prints one line of JSON. */
function answerOf(program, flags = []) {
  const done = run(program, flags);
  assert.equal(done.status, 0, `${done.signal} ${done.stderr}`);
  return JSON.parse(done.stdout.trim().split('\n').pop());
}

const HEAD = `
  const fs = require('fs');
  const options = { enabled: true, backend: 'hybrid', exporter: 'memory', sampleRatio: 1,
    metricsEnabled: true };
  const answer = (value) => process.stdout.write(JSON.stringify(value) + '\\n');
`;

test(
  'telemetry that begins again before its end is over records and answers SIGTERM',
  { skip },
  () => {
    const result = answerOf(`${HEAD}
    const t = require(${PACKAGE});
    const handles = () => (parseInt(fs.readFileSync('/proc/self/status',
      'utf8').match(/SigCgt:\\s*(\\w+)/)[1].slice(-8), 16) >> 14) & 1;
    (async () => {
      const result = { silent: 0, deaf: 0 };
      t.init(options);
      for (let i = 0; i < 40; i++) {
        for (let k = 0; k < 200; k++) t.startSpan('before').end();
        const ending = t.shutdown();
        t.init(options);
        await ending;
        t.startSpan('after').end();
        await t.flush();
        if (!t.takeExported().some((request) =>
          Buffer.from(request).includes('after'))) result.silent++;
        if (!handles()) result.deaf++;
        await t.shutdown();
        t.init(options);
      }
      await t.shutdown();
      answer({ ...result, handlesAtTheEnd: handles() });
    })();
  `);
    assert.deepEqual(result, { silent: 0, deaf: 0, handlesAtTheEnd: 1 });
  },
);

test(
  'copies of the package that nobody uses any more give their memory back and keep their counts',
  { skip },
  () => {
    const result = answerOf(
      `${HEAD}
    const COPIES = 60;
    const warnings = [];
    process.on('warning', (warning) => warnings.push(warning.message));
    const memory = () => Number(fs.readFileSync('/proc/self/statm', 'utf8').split(' ')[0]) * 4096;
    const pause = () => new Promise((resolve) => setTimeout(resolve, 20));
    function copy() {
      const t = require(${PACKAGE});
      t.init(options);
      for (let k = 0; k < 50; k++) t.startSpan('span').end();
      new t.Counter({ name: 'copies', help: 'Copies' }).inc(5);
      for (const key of Object.keys(require.cache))
        if (key.includes('/bindings/node/lib/')) delete require.cache[key];
      for (const each of [module, ...Object.values(require.cache)]) each.children = [];
    }
    (async () => {
      let before = 0;
      for (let i = 0; i < COPIES; i++) {
        copy();
        if (i % 10 === 9) {
          for (let k = 0; k < 3; k++) { global.gc(); await pause(); }
          if (i === 9) before = memory();
        }
      }
      const grown = memory() - before;
      const listeners = process.listenerCount('exit');
      const t = require(${PACKAGE});
      t.init(options);
      const text = await t.metricsText();
      answer({ grown, listeners, warnings,
        count: /^copies_total(?:\\{\\})? (\\d+)/m.exec(text)?.[1] });
    })();
  `,
      ['--expose-gc'],
    );
    assert.equal(result.listeners, 1);
    assert.deepEqual(result.warnings, []);
    assert.equal(result.count, '300');
    if (!SANITIZED)
      assert.ok(
        result.grown < 100 << 20,
        `grown by ${result.grown} bytes; the logs alone would take 250 MiB`,
      );
  },
);

test('while a startup snapshot is built the package is a no-op that says so', { skip }, () => {
  const done = run(
    `const t = require('module').createRequire(${PACKAGE})(${PACKAGE});
    t.init({ enabled: true });
    t.startSpan('span', { a: 1 }).end();
    process.stdout.write(t.impl + ': ' + t.implReason);
    process.exit(0);`,
    ['--snapshot-blob', 'blob', '--build-snapshot'],
  );
  assert.match(done.stdout, /^noop: a startup snapshot/, done.stderr);
});

test('where addons are forbidden the package is a no-op that says so', { skip }, () => {
  const program = `const t = require(${PACKAGE});
    t.init({ enabled: true });
    t.startSpan('span').end();
    process.stdout.write(JSON.stringify({ impl: t.impl, reason: t.implReason }));`;
  const permission = process.allowedNodeEnvironmentFlags.has('--permission')
    ? '--permission'
    : '--experimental-permission';
  for (const flags of [['--no-addons'], [permission, '--allow-fs-read=*']]) {
    const { impl, reason } = answerOf(program, flags);
    assert.equal(impl, 'noop', flags[0]);
    assert.match(reason, /could not be loaded: ERR_DLOPEN_DISABLED/, flags[0]);
  }
});

test('a name with a NUL is refused, not cut to that of another metric', { skip }, () => {
  const text = answerOf(`${HEAD}
    const t = require(${PACKAGE});
    t.init(options);
    new t.Counter({ name: 'whole', help: 'Whole' }).inc(1);
    new t.Counter({ name: 'whole\\0rest', help: 'Cut' }).inc(10);
    new t.Counter({ name: 'labelled', help: 'Cut', labelNames: ['a\\0b'] }).inc({ 'a\\0b': 'x' });
    Promise.resolve(t.metricsText()).then(answer);
  `);
  assert.match(text, /^whole_total(\{\})? 1$/m);
  assert.doesNotMatch(text, /labelled/);
});
