'use strict';
// Shared by the tests of spans: telemetry with the memory exporter, and its decoded spans.

const assert = require('node:assert');
const telemetry = require('../../bindings/node/lib/index.js');
const { decodeSpans } = require('./otlp_decoder.js');

const LIMIT = 10000;

/** Starts telemetry with the memory exporter; samples every trace by default. */
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

/** Returns all spans that have ended. */
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

/** Returns the attributes that the application set. */
function own(span) {
  const { 'sampling.reason': reason, ...rest } = span.attributes;
  return rest;
}

/** Returns the span of values that are given at the start and set again under other keys. */
async function kept(values) {
  const span = telemetry.startSpan('s', values);
  for (const [key, value] of Object.entries(values)) span.setAttribute(`set ${key}`, value);
  span.end();
  return (await take()).one('s');
}

module.exports = { LIMIT, kept, own, restart, take, telemetry };
