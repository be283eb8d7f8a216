'use strict';
// A limit of spans per second, end to end: it is never exceeded, dropped spans are counted, and
// exported ones have an adjusted count.

const assert = require('node:assert');
const { after, test } = require('node:test');
const { LIMIT, restart, take, telemetry } = require('./support.js');

after(() => telemetry.shutdown(LIMIT));

function flood(traces) {
  for (let i = 0; i < traces; i++) {
    const root = telemetry.startSpan('request', { 'http.route': '/hot' });
    telemetry.startSpan('below', null, { parent: root }).end();
    root.setStatus('error').end();
  }
}

test('a flood of errors is bounded', async () => {
  await restart({ spanRateLimit: 100, sampleRatio: 1 });
  const begun = process.hrtime.bigint();
  flood(2000);
  const seconds = Number((process.hrtime.bigint() - begun) / 1000000000n) + 2;
  const spans = await take();
  assert.ok(
    spans.length > 20 && spans.length <= 100 * seconds,
    `${spans.length} spans in ${seconds} s`,
  );
  const traces = new Map();
  for (const span of spans)
    traces.set(span.traceId, [...(traces.get(span.traceId) ?? []), span.traceState]);
  for (const states of traces.values()) assert.ok(states.length === 2 && states[0] === states[1]);
  const status = telemetry.telemetryStatus();
  assert.strictEqual(
    status.dropped.rate_limited + status.dropped.rate_limited_burst,
    4000 - spans.length,
  );
  assert.strictEqual(status.spans.sampled_error, spans.length);
  assert.strictEqual(status.rate_limit.spans_per_second, 100);
});

test('nothing happens without need', async () => {
  await restart({ spanRateLimit: 100000, sampleRatio: 1 });
  flood(200);
  const spans = await take();
  assert.deepStrictEqual(
    [spans.length, ...new Set(spans.map((span) => span.traceState))],
    [400, 'ot=th:0'],
  );
  const { dropped, rate_limit: limit } = telemetry.telemetryStatus();
  assert.deepStrictEqual(
    [dropped.rate_limited, dropped.rate_limited_burst, limit.level],
    [0, 0, null],
  );
});
