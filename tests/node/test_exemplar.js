'use strict';
// Exemplars: those of the current span only if its trace is sampled, those of the caller only if
// the ids are valid; a search without a result costs no recording.

const assert = require('node:assert/strict');
const { after, test } = require('node:test');
const { restart, telemetry } = require('./support.js');
const { Counter, Histogram, metricsText } = require('../../bindings/node/lib/metrics.js');

const OPENMETRICS = 'application/openmetrics-text; version=1.0.0';
const TRACE = '0123456789abcdeffedcba9876543210';
const SPAN = '13579bdf2468ace0';

after(() => telemetry.shutdown(1000));

/** Returns the OpenMetrics lines of a metric with an exemplar, as [sample, ids]. */
function exemplars(name) {
  return metricsText(OPENMETRICS)
    .split('\n')
    .filter((line) => line.startsWith(name) && line.includes(' # '))
    .map((line) => [
      line.split(/[{ ]/)[0],
      /trace_id="(\w+)",span_id="(\w+)"/.exec(line).slice(1).join(' '),
    ]);
}

function inTrace(flags, body) {
  return telemetry.runWithContext(
    telemetry.extract({ traceparent: `00-${TRACE}-${SPAN}-${flags}` }),
    body,
  );
}

test('a span of a trace that is not sampled gives none, its sampled sibling does', async () => {
  await restart({ backend: 'hybrid' });
  const histogram = new Histogram('exemplar_of_current_seconds', 'h');
  inTrace('00', () => {
    assert.equal(telemetry.getCurrentTraceId(), TRACE);
    for (let i = 0; i < 100; i++) histogram.observe(1);
  });
  for (let i = 0; i < 100; i++) histogram.observe(1);
  assert.deepEqual(exemplars('exemplar_of_current_seconds'), []);
  inTrace('01', () => histogram.observe(1));
  assert.deepEqual(exemplars('exemplar_of_current_seconds'), [
    ['exemplar_of_current_seconds_bucket', `${TRACE} ${SPAN}`],
  ]);
});

test('after 64 recordings without a span the next scrape ends the pause', async () => {
  await restart({ backend: 'hybrid' });
  const name = 'exemplar_tries_seconds';
  for (const [plain, found] of [
    [62, 1],
    [63, 1],
    [64, 0],
    [65, 0],
  ]) {
    const histogram = new Histogram(name, 'h');
    histogram.clear();
    metricsText();
    for (let i = 0; i < plain; i++) histogram.observe(1);
    inTrace('01', () => histogram.observe(1));
    assert.equal(exemplars(name).length, found, `after ${plain} recordings`);
    inTrace('01', () => histogram.observe(1));
    assert.equal(exemplars(name).length, 1, 'a scrape asks again');
  }
});

test('given ids count where they are ids, in both spellings', async () => {
  await restart({ backend: 'hybrid' });
  const counter = new Counter('exemplar_given', 'c');
  const histogram = new Histogram('exemplar_given_seconds', 'h', ['a']);
  const bad = [
    {},
    { traceId: TRACE },
    { traceId: TRACE, spanId: SPAN + '0' },
    { traceId: TRACE + '0', spanId: SPAN },
    { traceId: TRACE.slice(1), spanId: SPAN },
    { traceId: TRACE.toUpperCase(), spanId: SPAN },
    { traceId: TRACE, spanId: SPAN.toUpperCase() },
    { traceId: 'g'.repeat(32), spanId: SPAN },
    { traceId: Symbol('t'), spanId: SPAN },
    'text',
    7,
    null,
  ];
  for (const exemplar of bad) {
    counter.inc(1, exemplar);
    histogram.observe({ a: 1 }, 1, exemplar);
  }
  assert.deepEqual(
    [...exemplars('exemplar_given_total'), ...exemplars('exemplar_given_seconds')],
    [],
  );
  assert.equal(counter.value, bad.length);
  assert.equal(histogram.labels(1).count, bad.length);
  counter.inc(1, { trace_id: TRACE, span_id: SPAN });
  histogram.observe({ a: 1 }, 1, { traceId: 'c'.repeat(32), spanId: 'd'.repeat(16) });
  assert.deepEqual(exemplars('exemplar_given_total'), [
    ['exemplar_given_total', `${TRACE} ${SPAN}`],
  ]);
  assert.deepEqual(exemplars('exemplar_given_seconds'), [
    ['exemplar_given_seconds_bucket', `${'c'.repeat(32)} ${'d'.repeat(16)}`],
  ]);
});

test('what is refused gives no exemplar', async () => {
  await restart({ backend: 'hybrid' });
  const counter = new Counter('exemplar_refused', 'c');
  counter.inc(-1, { traceId: TRACE, spanId: SPAN });
  counter.inc(NaN, { traceId: TRACE, spanId: SPAN });
  const histogram = new Histogram('exemplar_refused_seconds', 'h');
  histogram.observe(NaN, { traceId: TRACE, spanId: SPAN });
  assert.deepEqual(
    [...exemplars('exemplar_refused_total'), ...exemplars('exemplar_refused_seconds')],
    [],
  );
});
