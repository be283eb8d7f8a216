'use strict';
// Next.js: `export { register } from 'djp-telemetry/next'` in instrumentation.ts starts telemetry
// in the process that serves and records every request that Next's own server answers. In every
// other runtime of Next it does nothing. Next is not imported and not changed.

const diagnostics = require('diagnostics_channel');
const http = require('http');
const net = require('net');
const { getCurrentSpan, init } = require('../../bindings/node/lib/index.js');
const { instrumentServer } = require('../http/index.js');
const { Recorder, enter, option } = require('../http/record.js');

// Next keeps what its router found with the request, under this registered name.
const META = Symbol.for('NextInternalRequestMeta');
const NO_ROUTE = new Set(['/_not-found', '/404', '/_error', '/500']);

/** The template that Next matched, as the file system names it: /orders/[id]. '' when none did. */
function nextRoute(req) {
  const meta = req[META];
  const pathname =
    meta && meta.match && meta.match.definition ? meta.match.definition.pathname : undefined;
  return typeof pathname === 'string' && !NO_ROUTE.has(pathname) ? pathname : '';
}

let heard = null; // the options of register once a server is waited for

/**
 * The channel speaks before the server hands the request on, so that the very first one is recorded
 * too.
 */
function onRequest({ server }) {
  instrumentServer(server, heard);
}

/**
 * Next answers nothing before register() is done, but its server listens already: the requests that
 * wait are found by their connections. Their spans begin now, and their handlers run in the context
 * in which they wait.
 */
function recordWaiting() {
  if (typeof process._getActiveHandles !== 'function') return;
  const recorder = new Recorder(heard, nextRoute);
  for (const socket of process._getActiveHandles()) {
    const res = socket instanceof net.Socket ? socket._httpMessage : undefined;
    if (!(res instanceof http.ServerResponse) || !res.req || res.writableFinished) continue;
    if (recorder.isScrape(res.req)) continue;
    enter(recorder, res.req, res, () => undefined);
  }
}

/** The options of init, and those under `server`. */
function split(options) {
  try {
    const { server, ...own } = options || {};
    return { own, server: server || {} };
  } catch {
    return { own: undefined, server: {} };
  }
}

/**
 * The hook that Next calls once when a server starts.
 * @param {object} [options] of init, and those of instrumentServer under `server`
 */
async function register(options) {
  if (process.env.NEXT_RUNTIME !== undefined && process.env.NEXT_RUNTIME !== 'nodejs') return;
  // pages that are rendered ahead are no requests
  if (process.env.NEXT_PHASE === 'phase-production-build') return;
  const { own, server } = split(options);
  init(own);
  if (heard !== null) return;
  heard = {
    exclude: option(server, 'exclude'),
    metricsPath: option(server, 'metricsPath'),
    route: option(server, 'route') || nextRoute,
  };
  diagnostics.subscribe('http.server.request.start', onRequest);
  try {
    recordWaiting();
  } catch {
    // What waits is not recorded; what comes next is.
  }
}

/** The hook that Next calls with an error that it answers: an event of the request's span. */
function onRequestError(error) {
  getCurrentSpan().recordException(error);
}

module.exports = { register, onRequestError };
