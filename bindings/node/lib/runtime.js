'use strict';
// Beginning and end: options become text for the core's table of settings, the exit hook of Node is
// set, and the state is told honestly. Nothing here throws into the application, and nothing here
// keeps the process alive.

const path = require('path');
const { isMainThread } = require('worker_threads');

const loader = require('./loader.js');
const { nameOf, readOptions, wanted } = require('./options.js');

const { impl } = loader;
const FLUSH_MS = 10000;
const INFO = 3; // of the setting log_level
const REPORTED_MAX = 1000;
// of the process: WeakRefs of what each copy does at exit
const COPIES = Symbol.for('djp-telemetry.copies');

const BUNDLED = Symbol.for('djp-telemetry.bundled'); // set by a copy in a bundle that found no core

const state = {
  active: false, // this environment called init and has not ended it
  given: {}, // options of the newest start
  settings: {}, // what the core resolved, by the names of docs/configuration.md
  lastStatus: null,
  reported: new Set(),
  hooked: false,
  starting: false, // a start has not been told yet
  ending: null, // promise of the shutdown under way
  changed: [], // called after every begin and end
  before: [], // called before whatever was recorded must be complete
};

/**
 * Whether the setting log_level asks for no warnings; without the core's settings, its variable.
 */
function isQuiet() {
  const { report } = state.settings;
  const level = report ? JSON.parse(report).log_level.value : process.env.OTEL_LOG_LEVEL;
  return /^\s*(none|error)\s*$/i.test(level);
}

/** One line on standard error, once per text. */
function warnOnce(message) {
  try {
    const text = String(message);
    if (state.reported.has(text) || state.reported.size >= REPORTED_MAX || isQuiet()) return;
    state.reported.add(text);
    process.stderr.write(`djp-telemetry: ${text}\n`);
  } catch {
    // A closed or replaced standard error must not become the application's problem.
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
 * Starts what the options and the environment ask for; an option wins over its variable. Does
 * nothing while telemetry is active, and may be called again after shutdown(). A second environment
 * of the process (a worker thread) joins what runs. Never throws for a value: a bad one is replaced
 * by its default with one warning. Durations are in seconds, as in the variables.
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

/** One line for each start: what is on, where it goes, at what ratio and who said so. */
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

/** The service name of a process that nobody named. */
function program() {
  return `unknown_service:${path.basename(process.execPath || '') || 'node'}`;
}

/** Another environment may have ended the SDK that this one joined. */
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
    if (globalThis[BUNDLED]) {
      warn(
        'A bundle has a part of djp-telemetry inside, which records nothing; mark djp-telemetry and its subpaths ' +
          '(/^djp-telemetry/) as external in the bundler.',
      );
    }
  }
  callAll(state.changed);
}

/**
 * One listener for all copies of the package in this environment, which none of them is kept alive
 * by: whoever loads modules again and again, as test runners do, must not gather listeners, or the
 * memory of copies that nobody uses.
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
 * The last listener of a signal went (`once`, signal-exit): it would end the process without a word
 * again, so the core takes it.
 */
function takeSignal(name) {
  if (!SIGNALS.includes(name) || process.listenerCount(name) > 0) return;
  for (const copy of process[COPIES]) {
    const leave = copy.deref();
    if (leave !== undefined && leave.takeSignals !== undefined) leave.takeSignals();
  }
}

/**
 * The process ends: by the end of its script, process.exit or an uncaught error. A worker thread
 * that ends leaves the SDK to the others; what it recorded is handed over.
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
  return typeof ms === 'number' ? ms : Number.NaN; // which the core takes for 0
}

function ended(result) {
  if (result === null || result === undefined) return true;
  state.lastStatus = result.status ? JSON.parse(result.status) : null;
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
 * Sends what is left and ends telemetry; resolves to true only when all of it was accepted within
 * `ms` milliseconds (the configured shutdown_timeout by default). A second call waits for the
 * shutdown under way and gives the same answer. Everything after it is a no-op until init() is
 * called again. Never rejects.
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
 * Sends every span that has ended; resolves to true only when the receiver accepted all of them
 * within `ms` milliseconds (10,000 by default). Never rejects.
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
 * Switches the recording of spans off and on again, without a restart. While it is off, spans are
 * no-ops and nothing leaves the process, not even what waits; metrics go on.
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
 * Changes the part of the traces that is kept by chance; null is the configured one again. With 0
 * nothing leaves the process, errors neither.
 * @param {number|null} ratio 0 to 1
 * @returns {boolean} whether it holds now, as for setEnabled()
 */
function setSampleRatio(ratio) {
  return changeRatio('ratio', ratio, impl.sdkSetSampleRatio);
}

/**
 * Changes the part of the traces that is recorded at all; null is the configured one again. Nothing
 * is kept of the others, errors neither.
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
        `The ${name} was not changed: it must be a number from 0 to 1, or null for the configured one`,
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
  if (state.lastStatus) return { ...state.lastStatus };
  if (loader.native === null) {
    return { ...noopStatus(), problem: `Nothing is recorded: ${loader.reason}.`, pid: process.pid };
  }
  // What the start that ended off would do, or, before any, what the variables ask for.
  return JSON.parse(impl.sdkResolve(state.given, process.env, program(), () => {}).status);
}

/** The state without the native core, its keys those of the core's. */
function noopStatus() {
  return JSON.parse(JSON.stringify(require('./noop_status.json')));
}

/**
 * The honest state: what is on, each effective setting and where it came from, what was exported
 * and what was lost and why, and in `problem` why nothing arrives. The keys are always the same:
 * off, after shutdown() and without the native core, too.
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

/** The effective settings that the binding itself needs; empty before the first init(). */
function settings() {
  return state.settings;
}

/**
 * Registers a function that is called after every begin and end of telemetry in this environment.
 */
function onChange(hook) {
  state.changed.push(hook);
}

/**
 * Registers a function that is called before whatever was recorded must be complete: flush,
 * shutdown, status, exit.
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
