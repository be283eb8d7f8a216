'use strict';
// The Prometheus endpoint as a request handler, for Express and plain servers: content negotiation,
// text by the core, compression outside of the event loop. Responds with 200 and a comment if there
// are no metrics, because a service without telemetry is not down.

const zlib = require('zlib');
const { exposeMetrics } = require('../../bindings/node/lib/metrics.js');
const { noteScrape } = require('./record.js');

const SCRAPE = Symbol.for('djp_telemetry.scrape');
const OFF = '# Metrics are off: see telemetryStatus().\n';
const GZIP_MIN = 1024; // bytes; smaller responses are not compressed

/**
 * Returns a handler (req, res) that responds with all metrics. Its requests are not counted unless
 * options.counted is true.
 * @param {{counted?: boolean}} [options]
 */
function metricsHandler(options) {
  const counted = options !== null && typeof options === 'object' && options.counted === true;

  function scrape(req, res) {
    if (!counted) noteScrape(req, res);
    if (req.method !== 'GET' && req.method !== 'HEAD') {
      res.setHeader('allow', 'GET, HEAD');
      respond(req, res, 405, '');
      return;
    }
    exposeMetrics(req.headers.accept).then(({ contentType, body }) => {
      if (res.headersSent || res.destroyed) return;
      res.setHeader('content-type', contentType);
      res.setHeader('vary', 'accept, accept-encoding');
      compressed(req, res, body.length > 0 ? body : OFF);
    });
  }
  scrape[SCRAPE] = !counted;
  return scrape;
}

/** Whether the client accepts gzip: by name or `*`, without q=0. */
function takesGzip(header) {
  if (typeof header !== 'string') return false;
  let any = false;
  for (const part of header.toLowerCase().split(',', 32)) {
    const [coding, ...parameters] = part.split(';');
    const name = coding.trim();
    const taken = !parameters.some((parameter) => /^\s*q\s*=\s*0(\.0*)?\s*$/.test(parameter));
    if (name === 'gzip' || name === 'x-gzip') return taken;
    if (name === '*') any = taken;
  }
  return any;
}

function compressed(req, res, body) {
  if (Buffer.byteLength(body) < GZIP_MIN || !takesGzip(req.headers['accept-encoding'])) {
    respond(req, res, 200, body);
    return;
  }
  zlib.gzip(body, (error, bytes) => {
    if (error === null && !res.headersSent) res.setHeader('content-encoding', 'gzip');
    respond(req, res, 200, error === null ? bytes : body);
  });
}

function respond(req, res, status, body) {
  if (res.headersSent || res.destroyed) return;
  res.statusCode = status;
  res.setHeader('content-length', Buffer.byteLength(body));
  res.end(req.method === 'HEAD' ? undefined : body);
}

/** Whether a handler is a metrics handler whose requests are not counted. */
function isScrape(handler) {
  return typeof handler === 'function' && handler[SCRAPE] === true;
}

module.exports = { metricsHandler, isScrape };
