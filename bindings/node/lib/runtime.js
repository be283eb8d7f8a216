'use strict';
// Start and end of telemetry: converts options to text for the settings table of the core, installs
// the exit hook of Node, and returns the status. Nothing here throws into the application or keeps
// the process alive.

const path = require('path');
const { isMainThread } = require('worker_threads');

const { shareWithWorkers } = require('./cluster.js');
const loader = require('./loader.js');
const { nameOf, readOptions, wanted } = require('./options.js');

const { impl } = loader;
const FLUSH_MS = 10000;
const INFO = 3; // a value of the setting log_level
const REPORTED_MAX = 1000;
// per process: WeakRefs of the exit hook of each copy
const COPIES = Symbol.for('djp-telemetry.copies');

const BUNDLED = Symbol.for('djp-telemetry.bundled'); // set by a copy in a bundle without a core

const state = {
  active: false, // this environment called init() and has not ended it
  given: {}, // options of the last start
  settings: {}, // as resolved by the core, by the names of docs/configuration.md
  lastStatus: null, // JSON, so that every caller gets a copy
  reported: new Set(),
  hooked: false,
  starting: false, // the start has not been logged yet
  ending: null, // promise of a running shutdown
  changed: [], // called after each start and end
  before: [], // called before recorded data must be complete
};

/**
 * Whether log_level suppresses warnings; reads its variable if there are no settings of the core.
 */
function isQuiet() {
  const { report } = state.settings;
  const level = report ? JSON.parse(report).log_level.value : process.env.OTEL_LOG_LEVEL;
  return /^\s*(none|error)\s*$/i.test(level);
}

/** Writes one line to standard error, once per text. */
function warnOnce(message) {
  try {
    const text = String(message);
    if (state.reported.has(text) || state.reported.size >= REPORTED_MAX || isQuiet()) return;
    state.reported.add(text);
    process.stderr.write(`djp-telemetry: ${text}\n`);
  } catch {
    // Errors of standard error are ignored.
  }
}

function complain(what, error) {
  let text;
  try {
    text = `${nameOf(error)}: ${error && error.message}`;
  } catch {
    text = nameOf(error);
  }
  warnOnce(`${what}: ${text}`);
}

function callAll(list) {
  for (const hook of list) {
    try {
      hook();
    } catch (error) {
      complain('Recorded data may be incomplete', error);
    }
  }
}

// ---- begin -------------------------------------------------------------------------------------

/**
 * Starts telemetry from the options and the environment; an option overrides its variable. Does
 * nothing while telemetry is active; may be called again after shutdown(). Another environment of
 * the process (a worker thread) joins the running SDK. Never throws for a value: an invalid one is
 * replaced by its default with one warning. Durations are in seconds.
 * @param {object} [options] every option of docs/configuration.md, in camelCase or snake_case
 */
function init(options) {
  const messages = [];
  try {
    if (!isActive()) start(options, (message) => messages.push(message));
  } catch (error) {
    complain('Telemetry could not be started and stays off', error);
  }
  messages.forEach(warnOnce);
  tellStart();
}

/** Logs one line per start: what is on, the destination, the ratio and its source. */
function tellStart() {
  const { summary, log_level: level } = state.settings;
  if (!state.starting) return;
  state.starting = false;
  if (!summary || level < INFO) return;
  try {
    process.stderr.write(`djp-telemetry: ${summary}\n`);
  } catch {
    // As for warnings.
  }
}

/** The default service name. */
function program() {
  return `unknown_service:${path.basename(process.execPath || '') || 'node'}`;
}

/** Whether telemetry is active: another environment may have ended the shared SDK. */
function isActive() {
  return state.active && impl.sdkEpoch() === state.settings.epoch;
}

function start(options, warn) {
  if (loader.native === null) {
    if (wanted(options, process.env))
      warn(`Telemetry is enabled, but nothing is recorded: ${loader.reason}.`);
    const known = Object.keys(noopStatus().settings);
    for (const name of Object.keys(readOptions(options, known, warn))) {
      if (known.includes(name)) continue;
      warn(
        `There is no option "${name}", so it is ignored: the names are in docs/configuration.md.`,
      );
    }
    return;
  }
  state.given = readOptions(options, impl.sdkKeywords(), warn);
  state.settings = impl.sdkStart(state.given, process.env, program(), warn) || {};
  state.active = state.settings.epoch > 0;
  state.lastStatus = null;
  if (state.active) {
    state.starting = !state.settings.attached;
    setHooks();
    shareWithWorkers();
    if (globalThis[BUNDLED]) {
      warn(
        'A bundle has a part of djp-telemetry inside, which records nothing; mark ' +
          'djp-telemetry and its subpaths (/^djp-telemetry/) as external in the bundler.',
      );
    }
  }
  callAll(state.changed);
}

/**
 * Installs one listener per process event for all copies of the package in this environment. It
 * holds copies by WeakRef, so that loading modules again, as test runners do, adds no listeners and
 * leaks no memory.
 */
function setHooks() {
  if (state.hooked) return;
  state.hooked = true;
  if (process[COPIES] === undefined) {
    const copies = new Set();
    Object.defineProperty(process, COPIES, { value: copies });
    process.on('exit', () => {
      for (const copy of copies) {
        const leave = copy.deref();
        if (leave !== undefined) leave();
      }
    });
    if (isMainThread) process.on('removeListener', takeSignal);
  }
  for (const copy of process[COPIES]) {
    if (copy.deref() === undefined) process[COPIES].delete(copy);
  }
  atExit.takeSignals = impl.sdkTakeSignals;
  process[COPIES].add(new WeakRef(atExit));
}

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2'];

/**
 * Passes a signal to the core after its last listener was removed (`once`, signal-exit): by default
 * the signal would end the process without an export.
 */
function takeSignal(name) {
  if (!SIGNALS.includes(name) || process.listenerCount(name) > 0) return;
  for (const copy of process[COPIES]) {
    const leave = copy.deref();
    if (leave !== undefined && leave.takeSignals !== undefined) leave.takeSignals();
  }
}

/**
 * Runs at exit of the process: end of the script, process.exit or an uncaught error. At the end of
 * a worker thread, only its recorded data is handed over.
 */
function atExit() {
  try {
    if (!isMainThread) callAll(state.before);
    else stopNow(seconds(state.settings.shutdown_timeout, 1) * 1000);
  } catch (error) {
    complain('Telemetry did not end in order', error);
  }
}

// ---- end ---------------------------------------------------------------------------------------

function seconds(value, otherwise) {
  return typeof value === 'number' && value >= 0 ? value : otherwise;
}

function limitOf(ms, otherwise) {
  if (ms === undefined || ms === null) return otherwise;
  return typeof ms === 'number' ? ms : Number.NaN; // the core reads NaN as 0
}

function ended(result) {
  if (result === null || result === undefined) return true;
  state.lastStatus = result.status || null;
  return result.delivered === true;
}

function stopNow(ms) {
  callAll(state.before);
  const delivered = ended(impl.sdkStopSync(ms));
  state.active = false;
  callAll(state.changed);
  return delivered;
}

async function stopLater(ms) {
  callAll(state.before);
  const under = impl.sdkStop(ms);
  state.active = false;
  callAll(state.changed);
  return ended(await under);
}

/**
 * Exports what waits and ends telemetry; resolves to true if all of it was accepted within `ms`
 * milliseconds (default: shutdown_timeout). A second call waits for the running shutdown and
 * returns the same result. Later calls do nothing until init(). Never rejects.
 * @param {number} [ms]
 * @returns {Promise<boolean>}
 */
async function shutdown(ms) {
  try {
    const limit = limitOf(ms, seconds(state.settings.shutdown_timeout, 1) * 1000);
    return await stopLater(limit);
  } catch (error) {
    complain('Telemetry did not end in order', error);
    return false;
  }
}

/**
 * Exports all ended spans; resolves to true if the receiver accepted all of them within `ms`
 * milliseconds (default: 10,000). Never rejects.
 * @param {number} [ms]
 * @returns {Promise<boolean>}
 */
async function flush(ms) {
  try {
    callAll(state.before);
    return (await impl.sdkFlush(limitOf(ms, FLUSH_MS))) === true;
  } catch (error) {
    complain('Telemetry could not be flushed', error);
    return false;
  }
}

// ---- switch ------------------------------------------------------------------------------------

/**
 * Turns the recording of spans off or on without a restart. While it is off, spans are no-ops and
 * no span leaves the process, including those that wait. Metrics are not affected.
 * @param {boolean} enabled
 * @returns {boolean} whether that holds now: not when telemetry is off by configuration, or the
 * overrides file says otherwise
 */
function setEnabled(enabled) {
  try {
    callAll(state.before);
    return impl.sdkSetEnabled(enabled ? 1 : 0);
  } catch (error) {
    complain('Telemetry could not be switched', error);
    return false;
  }
}

/**
 * Changes the share of traces that are sampled by chance; null restores the configured ratio. With
 * 0 nothing is exported, not even errors.
 * @param {number|null} ratio 0 to 1
 * @returns {boolean} whether it holds now, as for setEnabled()
 */
function setSampleRatio(ratio) {
  return changeRatio('ratio', ratio, impl.sdkSetSampleRatio);
}

/**
 * Changes the share of traces recorded; null restores the configured ratio. Nothing is exported of
 * the others, not even errors.
 * @param {number|null} ratio 0 to 1
 * @returns {boolean} whether it holds now, as for setEnabled()
 */
function setCanaryRatio(ratio) {
  return changeRatio('canary ratio', ratio, impl.sdkSetCanaryRatio);
}

function changeRatio(name, ratio, set) {
  try {
    if (ratio !== null && !(typeof ratio === 'number' && ratio >= 0 && ratio <= 1)) {
      warnOnce(
        `The ${name} was not changed: it must be a number from 0 to 1, or null for the ` +
          `configured one`,
      );
      return false;
    }
    callAll(state.before);
    return set(ratio === null ? -1 : ratio);
  } catch (error) {
    complain(`The ${name} could not be changed`, error);
    return false;
  }
}

// ---- state -------------------------------------------------------------------------------------

function statusBody() {
  const text = impl.sdkStatus();
  if (text) return JSON.parse(text);
  if (state.lastStatus) return JSON.parse(state.lastStatus);
  if (loader.native === null) {
    return { ...noopStatus(), problem: `Nothing is recorded: ${loader.reason}.`, pid: process.pid };
  }
  // The result that the last start would have now; before any, that of the variables.
  return JSON.parse(impl.sdkResolve(state.given, process.env, program(), () => {}).status);
}

/** Returns the status without the native core, with the keys of the core. */
function noopStatus() {
  return JSON.parse(JSON.stringify(require('./noop_status.json')));
}

/**
 * Returns the status: what is on, each setting with its source, exported and lost data by reason,
 * and in `problem` why nothing arrives. The keys are always the same, also while telemetry is off,
 * after shutdown() and without the native core.
 * @returns {object}
 */
function telemetryStatus() {
  let status;
  try {
    callAll(state.before);
    status = statusBody();
  } catch (error) {
    status = { ...noopStatus(), problem: `The status could not be read: ${nameOf(error)}.` };
  }
  status.impl = loader.name;
  status.impl_reason = loader.reason;
  status.version = loader.version;
  return status;
}

/** Returns the settings that the binding needs; empty before the first init(). */
function settings() {
  return state.settings;
}

/** Registers a function to call after each start and end of telemetry in this environment. */
function onChange(hook) {
  state.changed.push(hook);
}

/**
 * Registers a function to call before recorded data must be complete: flush, shutdown, status,
 * exit.
 */
function beforeFlush(hook) {
  state.before.push(hook);
}

module.exports = require('./one.js')('runtime', {
  beforeFlush,
  flush,
  init,
  onChange,
  setEnabled,
  setCanaryRatio,
  setSampleRatio,
  settings,
  shutdown,
  telemetryStatus,
  warnOnce,
});
