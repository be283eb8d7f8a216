'use strict';
// The scrape as a request handler, for Express and plain servers alike: the format by content negotiation, the text
// made by the core outside the event loop.

const { exposeMetrics } = require('../../bindings/node/lib/metrics.js');
const { noteScrape } = require('./record.js');

const SCRAPE = Symbol.for('djp_telemetry.scrape');
const OFF = '# Metrics are off: see telemetryStatus().\n';

/**
 * A handler (req, res) that answers with all metrics. The requests that it answers are not counted, unless
 * options.counted is true.
 * @param {{counted?: boolean}} [options]
 */
function metricsHandler(options) {
  const counted = options !== null && typeof options === 'object' && options.counted === true;

  function scrape(req, res) {
    if (!counted) noteScrape(req);
    if (req.method !== 'GET' && req.method !== 'HEAD') {
      answer(res, 405, '', { allow: 'GET, HEAD' }, false);
      return;
    }
    exposeMetrics(req.headers.accept).then(({ contentType, body }) => {
      const headers = { 'content-type': contentType, vary: 'accept' };
      answer(res, 200, body.length > 0 ? body : OFF, headers, req.method === 'HEAD');
    });
  }
  scrape[SCRAPE] = !counted;
  return scrape;
}

function answer(res, status, body, headers, head) {
  if (res.headersSent || res.destroyed) return;
  res.statusCode = status;
  for (const name of Object.keys(headers)) res.setHeader(name, headers[name]);
  res.setHeader('content-length', Buffer.byteLength(body));
  res.end(head ? undefined : body);
}

/** Whether a handler is one of ours whose requests are not to be counted. */
function isScrape(handler) {
  return typeof handler === 'function' && handler[SCRAPE] === true;
}

module.exports = { metricsHandler, isScrape };
