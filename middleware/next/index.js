'use strict';
// Next.js: `export { register } from 'djp-telemetry/next'` in instrumentation.ts starts telemetry in the process that
// serves and records every request that Next's own server answers. In every other runtime of Next it does nothing. Next
// is not imported and not changed.

const diagnostics = require('diagnostics_channel');
const { getCurrentSpan, init } = require('../../bindings/node/lib/index.js');
const { instrumentServer } = require('../http/index.js');
const { option } = require('../http/record.js');

// Next keeps what its router found with the request, under this registered name.
const META = Symbol.for('NextInternalRequestMeta');
const NO_ROUTE = new Set(['/_not-found', '/404', '/_error', '/500']);

/** The template that Next matched, as the file system names it: /orders/[id]. '' when none did. */
function nextRoute(req) {
  const meta = req[META];
  const pathname = meta && meta.match && meta.match.definition ? meta.match.definition.pathname : undefined;
  return typeof pathname === 'string' && !NO_ROUTE.has(pathname) ? pathname : '';
}

let heard = null; // the options of register once a server is waited for

/** The channel speaks before the server hands the request on, so that the very first one is recorded too. */
function onRequest({ server }) {
  instrumentServer(server, heard);
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
  if (process.env.NEXT_PHASE === 'phase-production-build') return; // pages that are rendered ahead are no requests
  const { own, server } = split(options);
  init(own);
  if (heard !== null) return;
  heard = {
    exclude: option(server, 'exclude'),
    metricsPath: option(server, 'metricsPath'),
    route: option(server, 'route') || nextRoute,
  };
  diagnostics.subscribe('http.server.request.start', onRequest);
}

/** The hook that Next calls with an error that it answers: an event of the request's span. */
function onRequestError(error) {
  getCurrentSpan().recordException(error);
}

module.exports = { register, onRequestError };
