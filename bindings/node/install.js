'use strict';
// Builds the addon at installation, offline if the headers of Node are installed. If the build
// fails, DJP_TELEMETRY_NATIVE=auto (the default) leaves a no-op package and records the reason;
// require fails. off builds nothing. Never deletes other files of build/, which other builds share.

const { spawnSync } = require('child_process');
const crypto = require('crypto');
const fs = require('fs');
const path = require('path');
const { causeOf } = require('./cause.js');

const root = path.resolve(__dirname, '../..');
const build = path.join(root, 'build');
const addon = path.join(build, 'Release', 'djp_telemetry.node');
const stamp = path.join(build, 'Release', 'djp_telemetry.sources');
const reasonFile = path.join(build, 'djp_telemetry.reason');
const mode = (process.env.DJP_TELEMETRY_NATIVE || 'auto').trim().toLowerCase();
const LOAD_MS = 60000;
const FLAGS = ['CC', 'DJP_TELEMETRY_CFLAGS', 'DJP_TELEMETRY_LDFLAGS'];

function filesOf(folder) {
  return fs
    .readdirSync(path.join(root, folder), { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const name = path.join(folder, entry.name);
      return entry.isDirectory() ? filesOf(name) : /\.[ch]$/.test(entry.name) ? [name] : [];
    });
}

/** Hash of all inputs of the build: if it is equal, a build would change nothing. */
function fingerprint() {
  const hash = crypto.createHash('sha256');
  for (const name of ['binding.gyp', ...filesOf('core'), ...filesOf('bindings/node/src')]) {
    hash.update(name).update(fs.readFileSync(path.join(root, name)));
  }
  for (const name of FLAGS) hash.update(`${name}=${process.env[name] || ''}\n`);
  return hash.update(process.arch).digest('hex');
}

/**
 * Returns the folder whose include/node contains the headers, or null: node-gyp finds or downloads
 * them.
 */
function headers() {
  const prefix = path.resolve(fs.realpathSync(process.execPath), '../..');
  const given = process.env.npm_config_nodedir;
  if (given) return given;
  return fs.existsSync(path.join(prefix, 'include/node/node_api.h')) ? prefix : null;
}

function gyp() {
  const program = 'node-gyp/bin/node-gyp.js';
  // Debian has node-gyp beside npm, others have it below. Debian's links with Debian's Node, so a
  // Node that npm fetched has one beside itself.
  const besideNpm = (npm) => [
    path.resolve(npm, '../../node_modules', program),
    path.resolve(npm, '../../..', program),
  ];
  const onPath = (process.env.PATH || '')
    .split(path.delimiter)
    .map((folder) => path.join(folder, 'npm'))
    .filter((npm) => fs.existsSync(npm))
    .map((npm) => fs.realpathSync(npm));
  const places = [
    process.env.npm_config_node_gyp,
    ...(process.env.npm_execpath ? besideNpm(process.env.npm_execpath) : []),
    path.resolve(process.execPath, '../../lib/node_modules/npm/node_modules', program),
    path.resolve(process.execPath, '../../..', program),
    ...onPath.flatMap(besideNpm),
  ];
  const found = places.find((place) => place && fs.existsSync(place));
  if (!found) throw new Error('node-gyp was not found; it comes with npm');
  return found;
}

/** Returns the environment without the variables of an outer make. */
function environment() {
  const env = { ...process.env };
  for (const name of ['MAKEFLAGS', 'MFLAGS', 'MAKELEVEL', 'MAKEOVERRIDES', 'GNUMAKEFLAGS'])
    delete env[name];
  return env;
}

/**
 * Returns why the existing addon cannot be loaded on this machine (built elsewhere, or damaged); ''
 * if it can be loaded.
 */
function loadError() {
  // a sanitizer's addon, for example, does not load into a plain process
  if (process.env.DJP_TELEMETRY_LDFLAGS) return '';
  const program =
    `process.dlopen({ exports: {} }, ${JSON.stringify(addon)}, ` +
    `require('os').constants.dlopen.RTLD_LAZY)`;
  const done = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8', timeout: LOAD_MS });
  if (done.status === 0) return '';
  return (
    (/^Error: (.*)$/m.exec(done.stderr || '') || [])[1] ||
    `loading it ends the process (${done.signal || done.status})`
  );
}

/** Whether the addon is built from the present sources and loads. */
function isBuilt(wanted) {
  return (
    fs.existsSync(addon) &&
    fs.existsSync(stamp) &&
    fs.readFileSync(stamp, 'utf8') === wanted &&
    loadError() === ''
  );
}

function compile() {
  const nodedir = headers();
  const options = [
    'configure',
    'build',
    '--release',
    `--jobs=${Math.max(1, require('os').cpus().length)}`,
  ];
  if (nodedir) options.push(`--nodedir=${nodedir}`);
  const done = spawnSync(process.execPath, [gyp(), ...options], {
    cwd: root,
    env: environment(),
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  });
  const output = `${done.stdout || ''}\n${done.stderr || ''}`;
  if (done.error) throw done.error;
  if (done.status !== 0) throw failure(output);
  const wrong = loadError();
  if (wrong !== '') throw failure(`it was built, but cannot be loaded: ${wrong}`);
}

function failure(output) {
  const { cause, remedy } = causeOf(output);
  return Object.assign(new Error(remedy === '' ? cause : `${cause}; ${remedy}`), { output });
}

function main() {
  if (mode === 'off') return;
  try {
    const wanted = fingerprint();
    if (isBuilt(wanted)) return;
    fs.rmSync(stamp, { force: true });
    fs.rmSync(addon, { force: true }); // make would take a damaged file for a complete one
    compile();
    fs.writeFileSync(stamp, wanted);
    fs.rmSync(reasonFile, { force: true });
  } catch (error) {
    const { message } = error.output === undefined ? failure(String(error.message)) : error;
    const reason = `the native core could not be built: ${message}`;
    if (mode === 'require') {
      process.stderr.write(`${error.output || ''}\ndjp-telemetry: ${reason}\n`);
      process.exitCode = 1;
      return;
    }
    process.stderr.write(
      `djp-telemetry: ${reason}.\ndjp-telemetry: the package is installed as a no-op; after ` +
        `that, run: npm rebuild djp-telemetry\n`,
    );
    fs.rmSync(addon, { force: true }); // an addon of older sources must not be loaded
    fs.mkdirSync(build, { recursive: true });
    fs.writeFileSync(reasonFile, `${reason}; after that, run npm rebuild djp-telemetry`);
  }
}

main();
