'use strict';
// Next.js: `export { register } from 'djp-telemetry/next'` in instrumentation.ts starts telemetry
// in the server process and records every request of the Next server. In other runtimes of Next it
// does nothing. Next is neither imported nor changed.

const diagnostics = require('diagnostics_channel');
const http = require('http');
const net = require('net');
const { getCurrentSpan, init } = require('../../bindings/node/lib/index.js');
const { instrumentServer } = require('../http/index.js');
const { Recorder, enter, option } = require('../http/record.js');

// Next stores the matched route on the request under this registered symbol.
const META = Symbol.for('NextInternalRequestMeta');
const NO_ROUTE = new Set(['/_not-found', '/404', '/_error', '/500']);

/**
 * Returns the template that Next matched, as in the file system: /orders/[id]. '' if none matched.
 */
function nextRoute(req) {
  const meta = req[META];
  const pathname =
    meta && meta.match && meta.match.definition ? meta.match.definition.pathname : undefined;
  return typeof pathname === 'string' && !NO_ROUTE.has(pathname) ? pathname : '';
}

let heard = null; // the server options of register() while it waits for a server

/**
 * The channel publishes before the server emits the request, so the first request is recorded too.
 */
function onRequest({ server }) {
  instrumentServer(server, heard);
}

/**
 * The Next server listens before register() is done and lets requests wait. They are found by their
 * connections. Their spans start now, and their handlers run in the context in which they wait.
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

/** Splits the options of register(): those of init, and those under `server`. */
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
  // prerendered pages are not requests
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
    // Waiting requests are not recorded; later ones are.
  }
}

/** The hook that Next calls with an error that it handles: it becomes an event of the span. */
function onRequestError(error) {
  getCurrentSpan().recordException(error);
}

module.exports = { register, onRequestError };
