'use strict';
// Spans recorded after the fact: names, attributes, times and status in both conventions.

const assert = require('node:assert');
const { after, describe, test } = require('node:test');
const { LIMIT, own, restart, take, telemetry } = require('./support.js');

describe('recorded spans', { timeout: 60000 }, () => {
  after(() => telemetry.shutdown(LIMIT));

  test('requests, jobs and calls', async () => {
    await restart();
    telemetry.withSpan('around', () => {
      telemetry.recordHttpSpan('GET', '/orders/{id}', 200, 0.25);
      telemetry.recordHttpSpan('POST', '/orders', 503, 1);
      telemetry.recordJobSpan('batch', 'flow', 2, false);
      telemetry.recordJobSpan('batch', 'other', 0.5);
      telemetry.recordExternalApiSpan('pay', 'charge', 0.1, false);
    });
    const spans = await take();
    const around = spans.one('around');
    const [ok, failed] = spans.filter((span) => span.name === 'http.server');
    assert.deepStrictEqual(own(ok), {
      'http.method': 'GET',
      'http.route': '/orders/{id}',
      'http.status_code': 200,
      'http.duration_seconds': 0.25,
    });
    assert.deepStrictEqual(
      [ok.kind, ok.status.code, failed.status.code, ok.parentId],
      [2, 0, 2, around.spanId],
    );
    const length = Number(ok.end - ok.start) / 1e9;
    assert.ok(length >= 0.25 && length < 0.5, String(length));
    const [job, other] = spans.filter((span) => span.name === 'job.run');
    assert.deepStrictEqual(own(job), {
      'queue.name': 'batch',
      'job.type': 'flow',
      'job.duration_seconds': 2,
      'job.success': false,
      error: true,
      'error.message': 'Job failed',
    });
    assert.deepStrictEqual(
      [job.kind, job.status, other.status.code],
      [1, { code: 2, message: 'Job failed' }, 0],
    );
    const call = spans.one('external.api.call');
    assert.deepStrictEqual(
      [call.kind, call.status, own(call)],
      [
        3,
        { code: 2, message: 'External API call failed' },
        {
          'external.service': 'pay',
          'external.operation': 'charge',
          'external.duration_seconds': 0.1,
          'external.success': false,
          error: true,
          'error.message': 'External API call failed',
        },
      ],
    );
  });

  test('stable conventions', async () => {
    process.env.OTEL_SEMCONV_STABILITY_OPT_IN = 'http';
    await restart();
    delete process.env.OTEL_SEMCONV_STABILITY_OPT_IN;
    telemetry.recordHttpSpan('GET', '/a', 200, 0.25);
    const attributes = own((await take()).one('http.server'));
    assert.deepStrictEqual(attributes, {
      'http.request.method': 'GET',
      'http.route': '/a',
      'http.response.status_code': 200,
      'http.duration_seconds': 0.25,
    });
  });

  test('durations that are none end now', async () => {
    await restart();
    for (const duration of [NaN, -1, Infinity, 'x', null, undefined, {}, Symbol('s'), ' '])
      telemetry.recordJobSpan('q', 'j', duration);
    const spans = await take();
    assert.strictEqual(spans.length, 9);
    for (const span of spans) assert.ok(span.end - span.start < 1000000000n);
  });

  test('off: nothing', async () => {
    await telemetry.shutdown(LIMIT);
    telemetry.recordHttpSpan('GET', '/', 200, 1);
    assert.deepStrictEqual(telemetry.takeExported(), []);
  });
});
