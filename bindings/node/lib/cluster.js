'use strict';
// Workers of a cluster share the metrics of their primary: cluster.fork() gives them the name of
// its memory, unless the application names a directory.

const { syncBuiltinESMExports } = require('module');
const { isMainThread } = require('worker_threads');

const { native } = require('./loader.js');

const VARIABLES = [
  'DJP_TELEMETRY_SHARED_DIR',
  'PROMETHEUS_MULTIPROC_DIR',
  'prometheus_multiproc_dir',
];
const WRAPPED = Symbol.for('djp-telemetry.cluster');

/** Returns the environment of a worker with the name, if there is one to add. */
function withName(env, name) {
  const given = { ...process.env, ...env };
  if (name === '' || VARIABLES.some((variable) => given[variable])) return env;
  return { ...env, DJP_TELEMETRY_SHARED_DIR: name };
}

function named(env) {
  try {
    return withName(env, native.sdkSharedName());
  } catch {
    return env; // an unreadable environment is the application's
  }
}

/** Wraps cluster.fork() in a primary, once per process. */
function shareWithWorkers() {
  if (native === null || !isMainThread) return;
  const cluster = require('cluster');
  if (!cluster.isPrimary || cluster[WRAPPED]) return;
  const { fork } = cluster;
  Object.defineProperty(cluster, WRAPPED, { value: true });
  cluster.fork = function (env) {
    return fork.call(this, named(env));
  };
  syncBuiltinESMExports();
}

module.exports = { shareWithWorkers };
