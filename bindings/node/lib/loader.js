'use strict';
// Chooses between the native core and the no-op of the same functions. Every way in which loading
// can fail ends in the no-op with the reason kept: requiring this package never fails because of a
// missing, damaged or foreign binary.

const fs = require('fs');
const { createRequire } = require('module');
const os = require('os');
const path = require('path');
const v8 = require('v8');

const noop = require('./noop.js');
const { version } = require('../../../package.json');

const root = path.resolve(__dirname, '../../..');
// of the process: those that all copies of this version share
const MODULES = Symbol.for(`djp-telemetry.modules ${version}`);
// of the process: a copy inside of a bundle records nothing
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
 * Where the package itself lies beside a bundle that took some of its code along; null when it is
 * not there, or of another version.
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
      // Not from there.
    }
  }
  return null;
}

/** The addon's file, or undefined. */
function addon() {
  const folder = isBundled ? outside() : root;
  return folder === null ? undefined : candidates(folder).find((place) => fs.existsSync(place));
}

/**
 * Why there is no file: what the installation wrote down, that a bundler took this code along, or
 * only that there is none.
 */
function missing() {
  try {
    return fs.readFileSync(path.join(root, 'build', 'djp_telemetry.reason'), 'utf8').trim();
  } catch {
    if (isBundled) {
      return (
        'djp-telemetry is inside of a bundle, which native code cannot be; mark it and its subpaths ' +
        '(/^djp-telemetry/) as external in the bundler, and ship node_modules'
      );
    }
    return (
      'the native core is missing; run npm install (or npm rebuild) djp-telemetry with its build tools at hand, and let ' +
      'the package manager run its install script'
    );
  }
}

/**
 * Whether an ELF file ends before a part that it promises: mapping such a file does not throw, it
 * kills the process.
 */
function cutShort(file) {
  const data = Buffer.alloc(64);
  const handle = fs.openSync(file, 'r');
  try {
    const size = fs.fstatSync(handle).size;
    const got = fs.readSync(handle, data, 0, 64, 0);
    // the system's loader judges
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
 * Node exports its own TLS, compression and HTTP/2 libraries, and the system's libcurl would be
 * bound to those instead of the ones that it was built for. A deep binding keeps them apart; where
 * an allocator or a sanitizer is preloaded it would tear memory in two, so that the plain binding
 * is used there.
 */
function flags() {
  const plain = os.constants.dlopen.RTLD_LAZY;
  return isPreloaded() ? plain : plain | RTLD_DEEPBIND;
}

/**
 * The variable may be gone by now, as programs take it from their children; the system keeps what
 * it was at the start.
 */
function isPreloaded() {
  if (process.env.LD_PRELOAD) return true;
  try {
    if (fs.existsSync('/etc/ld.so.preload')) return true;
    return /(?:^|\0)LD_PRELOAD=[^\0]/.test(fs.readFileSync('/proc/self/environ', 'latin1'));
  } catch {
    return false; // files are out of reach here
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
      reason: `the native core is version ${native.coreVersion}, the package ${version}; run npm rebuild djp-telemetry`,
    };
  }
  return { native, reason: '' };
}

/**
 * What to do about it: a library that is not on this machine is the usual case, in an image without
 * the build's packages.
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
      reason: `the native core could not be loaded: ${code}${error && error.message}${remedy(error)}`,
    };
  }
}

/** What this copy loads, when no other one has. */
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

/** The loader of the copy that came first, unless this one was told to do without the core. */
function shared() {
  const modules = globalThis[MODULES];
  return isOff() || modules === undefined ? undefined : modules.loader;
}

/**
 * native: the addon's functions or null. impl: those or the no-op's. reason: why there is no addon,
 * or ''. modules: what the copies of this version share, undefined without an addon.
 */
module.exports = shared() || begin();
if (module.exports.modules !== undefined) module.exports.modules.loader = module.exports;
