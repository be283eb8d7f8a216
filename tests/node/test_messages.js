'use strict';
// Warnings on standard error: each has the reason and what to do; none if they are off.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { run, temporary } = require('./programs.js');

const ROOT = path.resolve(__dirname, '../..');
const ASKED = {
  TELEMETRY_ENABLED: 'true',
  TELEMETRY_BACKEND: 'hybrid',
  OTEL_TRACES_EXPORTER: 'memory',
};

/**
 * The folder of the library at another path, as a bundler leaves it, or with a file as its addon.
 */
function elsewhere(...parts) {
  const folder = temporary();
  fs.cpSync(path.join(ROOT, 'bindings/node/lib'), path.join(folder, ...parts), { recursive: true });
  fs.cpSync(path.join(ROOT, 'package.json'), path.join(folder, 'package.json'));
  return { folder, entry: path.join(folder, ...parts, 'index.js') };
}

test('code inside of a bundle says that the package must stay outside', async () => {
  const { entry } = elsewhere('a', 'b', 'c');
  const done = await run('t.init(); console.log(t.impl);', { env: ASKED, entry });
  assert.deepEqual([done.code, done.stdout], [0, 'noop\n']);
  assert.match(
    done.stderr,
    /^djp-telemetry: .*bundle.*mark it and its subpaths .* as external.*\n$/,
  );
});

test('an addon that cannot be loaded says what to do', async () => {
  const { folder, entry } = elsewhere('bindings', 'node', 'lib');
  fs.mkdirSync(path.join(folder, 'build/Release'), { recursive: true });
  fs.writeFileSync(path.join(folder, 'build/Release/djp_telemetry.node'), 'no library');
  const done = await run('t.init();', { env: ASKED, entry });
  assert.match(
    done.stderr,
    /^djp-telemetry: .*could not be loaded.*npm rebuild djp-telemetry.*\n$/,
  );
});

test('a library that is not on the machine is named', async () => {
  const missing =
    "new Error('libcurl.so.4: cannot open shared object file: No such file or directory')";
  const preload = path.join(temporary(), 'preload.js');
  fs.writeFileSync(preload, `process.dlopen = () => { throw ${missing}; };`);
  const done = await run('t.init();', { env: ASKED, preload: ['--require', preload] });
  assert.match(
    done.stderr,
    /^djp-telemetry: .*install the system package that has libcurl\.so\.4\.\n$/,
  );
});

test('log_level none and error silence warnings: option, variable, without the core', async () => {
  for (const env of [ASKED, { ...ASKED, DJP_TELEMETRY_NATIVE: 'off' }]) {
    for (const level of ['none', 'error']) {
      const done = await run("t.init({ bogus: 1 }); new t.Counter('bad-name');", {
        env: { ...env, OTEL_LOG_LEVEL: level },
      });
      assert.deepEqual([done.code, done.stderr], [0, '']);
    }
  }
  const quiet = await run("t.init({ bogus: 1, logLevel: 'none' });", { env: ASKED });
  assert.equal(quiet.stderr, '');
  const heard = await run('t.init({ bogus: 1 });', { env: { ...ASKED, OTEL_LOG_LEVEL: 'warn' } });
  assert.match(heard.stderr, /There is no option "bogus"/);
});
