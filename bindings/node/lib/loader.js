'use strict';
// Loads the native core, or a no-op of the same functions with the reason. Requiring this package
// never fails because of a missing, damaged or foreign binary.

const fs = require('fs');
const { createRequire } = require('module');
const os = require('os');
const path = require('path');
const v8 = require('v8');

const noop = require('./noop.js');
const { version } = require('../../../package.json');

const root = path.resolve(__dirname, '../../..');
// per process: the modules that all copies of this version share
const MODULES = Symbol.for(`djp-telemetry.modules ${version}`);
// per process: a copy in a bundle records nothing
const BUNDLED = Symbol.for('djp-telemetry.bundled');
const OFF = ['off', '0', 'false', 'no'];
const RTLD_DEEPBIND = os.constants.dlopen.RTLD_DEEPBIND || 0;

function candidates(folder) {
  const platform = `${process.platform}-${process.arch}`;
  return [
    path.join(folder, 'build', 'Release', 'djp_telemetry.node'),
    path.join(folder, 'build', 'Debug', 'djp_telemetry.node'),
    path.join(folder, 'prebuilds', platform, 'djp_telemetry.node'),
  ];
}

const isBundled = !fs.existsSync(path.join(root, 'bindings', 'node', 'lib', 'loader.js'));

/**
 * Returns the folder of the installed package when this code runs in a bundle; null if it is not
 * installed or has another version.
 */
function outside() {
  for (const place of [
    require.main && require.main.filename,
    process.argv[1],
    path.join(process.cwd(), 'any'),
  ]) {
    try {
      const file = createRequire(place).resolve('djp-telemetry/package.json');
      if (JSON.parse(fs.readFileSync(file, 'utf8')).version === version) return path.dirname(file);
    } catch {
      // Not installed there.
    }
  }
  return null;
}

/** Returns the path of the addon, or undefined. */
function addon() {
  const folder = isBundled ? outside() : root;
  return folder === null ? undefined : candidates(folder).find((place) => fs.existsSync(place));
}

/**
 * Returns why there is no addon: the reason that the installation recorded, a bundler, or unknown.
 */
function missing() {
  try {
    return fs.readFileSync(path.join(root, 'build', 'djp_telemetry.reason'), 'utf8').trim();
  } catch {
    if (isBundled) {
      return (
        'djp-telemetry is inside of a bundle, which native code cannot be; mark it and its ' +
        'subpaths (/^djp-telemetry/) as external in the bundler, and ship node_modules'
      );
    }
    return (
      'the native core is missing; run npm install (or npm rebuild) djp-telemetry with its ' +
      'build tools at hand, and let the package manager run its install script'
    );
  }
}

/** Whether an ELF file is shorter than its headers state: mapping such a file kills the process. */
function cutShort(file) {
  const data = Buffer.alloc(64);
  const handle = fs.openSync(file, 'r');
  try {
    const size = fs.fstatSync(handle).size;
    const got = fs.readSync(handle, data, 0, 64, 0);
    // not such a file: dlopen decides
    if (got < 64 || data.toString('latin1', 0, 6) !== '\x7fELF\x02\x01') return false;
    const count = data.readUInt16LE(56);
    const entries = Buffer.alloc(56 * count);
    if (
      fs.readSync(handle, entries, 0, entries.length, Number(data.readBigUInt64LE(32))) <
      entries.length
    )
      return true;
    for (let at = 0; at < entries.length; at += 56) {
      const end = entries.readBigUInt64LE(at + 8) + entries.readBigUInt64LE(at + 32);
      if (entries.readUInt32LE(at) === 1 && end > BigInt(size)) return true;
    }
    return false;
  } finally {
    fs.closeSync(handle);
  }
}

/**
 * Node exports its own TLS, compression and HTTP/2 libraries, and libcurl would bind to them.
 * RTLD_DEEPBIND prevents that. With a preloaded allocator or sanitizer it would mix two allocators,
 * so the plain binding is used.
 */
function flags() {
  const plain = os.constants.dlopen.RTLD_LAZY;
  return isPreloaded() ? plain : plain | RTLD_DEEPBIND;
}

/**
 * Whether a library is preloaded. A program may have removed the variable for its children; /proc
 * has the environment of the start.
 */
function isPreloaded() {
  if (process.env.LD_PRELOAD) return true;
  try {
    if (fs.existsSync('/etc/ld.so.preload')) return true;
    return /(?:^|\0)LD_PRELOAD=[^\0]/.test(fs.readFileSync('/proc/self/environ', 'latin1'));
  } catch {
    return false; // files are not accessible
  }
}

function open(file) {
  if (cutShort(file)) throw new Error(`${file} is not complete; install djp-telemetry again`);
  const target = { exports: {} };
  process.dlopen(target, file, flags());
  return target.exports;
}

function isOff() {
  return OFF.includes((process.env.DJP_TELEMETRY_NATIVE || '').trim().toLowerCase());
}

function load() {
  if (isOff()) return { native: null, reason: 'DJP_TELEMETRY_NATIVE=off' };
  if (v8.startupSnapshot && v8.startupSnapshot.isBuildingSnapshot()) {
    return {
      native: null,
      reason: 'a startup snapshot cannot hold native code; load djp-telemetry after its start',
    };
  }
  const file = addon();
  if (file === undefined) return { native: null, reason: missing() };
  const native = open(file);
  if (native.coreVersion !== version) {
    return {
      native: null,
      reason:
        `the native core is version ${native.coreVersion}, the package ${version}; run ` +
        `npm rebuild djp-telemetry`,
    };
  }
  return { native, reason: '' };
}

/**
 * Returns how to fix an error. The most common one is a missing system library, in an image without
 * the packages of the build.
 */
function remedy(error) {
  const text = String(error && error.message);
  if (error && error.code === 'ERR_DLOPEN_DISABLED')
    return ' Node was told so; the permission model has --allow-addons';
  const library = /(lib[\w+.-]+\.so[.\d]*): cannot open shared object file/.exec(text);
  if (library !== null) return `; install the system package that has ${library[1]}`;
  return text.includes('install djp-telemetry again')
    ? ''
    : '; run npm rebuild djp-telemetry on this machine';
}

function tryLoad() {
  try {
    return load();
  } catch (error) {
    const code = error && error.code ? `${error.code}: ` : '';
    return {
      native: null,
      reason:
        `the native core could not be loaded: ` +
        `${code}${error && error.message}${remedy(error)}`,
    };
  }
}

/** Loads the core for the first copy of the package. */
function begin() {
  const { native, reason } = tryLoad();
  const modules = native === null ? undefined : {};
  if (modules !== undefined)
    Object.defineProperty(globalThis, MODULES, { value: modules, configurable: true });
  else if (isBundled && !isOff())
    Object.defineProperty(globalThis, BUNDLED, { value: true, configurable: true });
  return {
    native,
    impl: native || noop,
    reason,
    name: native ? 'native' : 'noop',
    version,
    modules,
  };
}

/** Returns the loader of the first copy, unless DJP_TELEMETRY_NATIVE is off. */
function shared() {
  const modules = globalThis[MODULES];
  return isOff() || modules === undefined ? undefined : modules.loader;
}

/**
 * native: functions of the addon, or null. impl: these or those of the no-op. reason: why there is
 * no addon, or ''. modules: shared by the copies of this version; undefined without an addon.
 */
module.exports = shared() || begin();
if (module.exports.modules !== undefined) module.exports.modules.loader = module.exports;
