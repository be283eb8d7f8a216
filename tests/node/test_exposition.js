'use strict';
// Formats of the exposition: text as a string, protobuf as a Buffer, and their content types.

const assert = require('node:assert/strict');

const metrics = require('../../bindings/node/lib/metrics.js');

const { on } = require('./metrics_support.js');

const { metricsText } = metrics;
const OPENMETRICS = 'application/openmetrics-text; version=1.0.0';

on('the format follows the Accept header', () => {
  assert.match(metrics.metricsContentType(), /^text\/plain; version=0\.0\.4/);
  assert.match(
    metrics.metricsContentType(OPENMETRICS),
    /^application\/openmetrics-text; version=1\.0\.0/,
  );
  assert.match(metricsText(OPENMETRICS), /# EOF\n$/);
  for (const accept of [null, 7, {}, '\ud800', 'x'.repeat(100000), '*/*'])
    assert.ok(metricsText(accept).length > 0);
});

on('protobuf is a Buffer of delimited messages, and never text', async () => {
  const accept =
    'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited';
  new metrics.Counter({ name: 'binary', help: 'é', labelNames: ['a'] }).inc({ a: '\u0080' }, 3);
  const { contentType, body } = await metrics.exposeMetrics(accept);
  assert.match(contentType, /^application\/vnd\.google\.protobuf; proto=io\.prometheus\.client/);
  assert.ok(Buffer.isBuffer(body));
  assert.ok(body.includes(Buffer.from('binary_total')));
  assert.ok(body.includes(Buffer.from('\u0080')));
  let families = 0;
  for (let at = 0; at < body.length; families++) {
    let size = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = body[at++];
      size += (byte & 127) * 2 ** shift;
      if (byte < 128) break;
    }
    assert.equal(body[at], 10); // the name is the first field
    at += size;
    assert.ok(at <= body.length);
  }
  assert.ok(families > 1);
  assert.match(metrics.metricsContentType(accept), /^text\/plain; version=0\.0\.4/);
  assert.match(metricsText(accept), /^binary_total\{a="\u0080"\} 3$/m);
});
