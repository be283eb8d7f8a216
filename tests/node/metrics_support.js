'use strict';
// Shared by the tests of metrics: samples of the exposition, messages, and a test with telemetry
// on.

const test = require('node:test');
const { metricsText } = require('../../bindings/node/lib/metrics.js');
const runtime = require('../../bindings/node/lib/runtime.js');

/** Returns { sample: value } of all samples with this prefix. */
function samples(prefix, accept) {
  const found = {};
  for (const line of metricsText(accept).split('\n')) {
    if (!line.startsWith(prefix)) continue;
    const sample = line.split(' # ')[0];
    const cut = sample.lastIndexOf(' ');
    const text = sample.slice(cut + 1);
    found[sample.slice(0, cut)] = text === '+Inf' ? Infinity : Number(text);
  }
  return found;
}

const dropped = () =>
  samples('djp_telemetry_metric_recordings')[
    'djp_telemetry_metric_recordings_total{outcome="dropped"}'
  ];

/** Returns what the function writes to standard error. */
function said(run) {
  const lines = [];
  const { write } = process.stderr;
  process.stderr.write = (text) => lines.push(String(text)) > 0;
  try {
    run();
  } finally {
    process.stderr.write = write;
  }
  return lines;
}

function on(name, body, options = {}) {
  test(name, { timeout: 60000 }, async (t) => {
    runtime.init({
      enabled: true,
      backend: 'hybrid',
      exporter: 'memory',
      sampleRatio: 1,
      ...options,
    });
    try {
      await body(t);
    } finally {
      await runtime.shutdown(1000);
    }
  });
}

module.exports = { dropped, on, said, samples };
