'use strict';
// What the tests of spans share: telemetry into memory and its spans, decoded.

const assert = require('node:assert');
const telemetry = require('../../bindings/node/lib/index.js');
const { decodeSpans } = require('./otlp_decoder.js');

const LIMIT = 10000;

/** Starts telemetry into memory; every trace is kept unless the options say otherwise. */
async function restart(options) {
  await telemetry.shutdown(LIMIT);
  telemetry.init({
    enabled: true,
    backend: 'otel',
    exporter: 'memory',
    sampleRatio: 1,
    serviceName: 'test',
    ...options,
  });
}

/** Everything that has ended so far. */
async function take() {
  assert.strictEqual(await telemetry.flush(LIMIT), true);
  const spans = telemetry.takeExported().flatMap(decodeSpans);
  spans.one = (name) => {
    const found = spans.filter((span) => span.name === name);
    assert.strictEqual(
      found.length,
      1,
      `${found.length} spans named ${name} among ${spans.map((span) => span.name)}`,
    );
    return found[0];
  };
  return spans;
}

/** The attributes that the application gave. */
function own(span) {
  const { 'sampling.reason': reason, ...rest } = span.attributes;
  return rest;
}

module.exports = { LIMIT, own, restart, take, telemetry };
