'use strict';
// Spans whose names the core sets: their place below the current span, what samplers see of them,
// metrics alone, exemplars, long texts, and a log without space.

const assert = require('node:assert/strict');
const { after, test } = require('node:test');
const instrument = require('../../bindings/node/lib/instrument.js');
const { INSTRUMENT } = require('../../bindings/node/lib/oplog_form.js');
const { LIMIT, restart, take, telemetry } = require('./support.js');

after(() => telemetry.shutdown(LIMIT));

const { JOB, HTTP_CLIENT } = INSTRUMENT;
const JOB_TEXTS = ['queue', 'job', ''];
const samples = () => telemetry.metricsText();

function recorded(type, texts, seconds = 0) {
  const span = instrument.start(type, texts[0], seconds, 0, 0, texts);
  instrument.end(span, type, seconds, 0, 0, texts);
}

test('spans are below the current one, and do not become current', async () => {
  await restart();
  let inner;
  telemetry.withSpan('outer', (outer) => {
    inner = instrument.start(JOB, '', 0, 0, 0, JOB_TEXTS);
    assert.equal(telemetry.getCurrentSpan(), outer);
    assert.ok(instrument.hasSpan(inner));
    instrument.end(inner, JOB, 0, 0, 0, JOB_TEXTS);
  });
  telemetry.recordJobSpan('queue', 'job', 1);
  const spans = await take();
  const [first, second] = spans.filter((span) => span.name === 'job.run');
  assert.equal(first.parentId, spans.one('outer').spanId);
  assert.equal(first.spanId, inner.spanId);
  assert.notEqual(second.traceId, first.traceId);
  assert.ok(second.end - second.start >= 1000000000n);
});

test('a remote parent', async () => {
  await restart();
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  telemetry.runWithContext(telemetry.extract({ traceparent }), () => {
    recorded(JOB, JOB_TEXTS);
    recorded(HTTP_CLIENT, ['GET', 'http://example.com', '/']);
  });
  const spans = await take();
  assert.deepEqual(
    spans.map((span) => [span.name, span.traceId, span.parentId]),
    ['job.run', 'http.client'].map((name) => [
      name,
      '0af7651916cd43dd8448eb211c80319c',
      'b7ad6b7169203331',
    ]),
  );
});

test('a sampler sees name, kind and attributes of a root', async () => {
  const sampler =
    'rule_based(kind(client) & name("GET") & attribute("server.address"="kept") => always_on, ' +
    'kind(internal) & name("job.run") & attribute("job.type"="kept") & ' +
    'attribute("job.success"="true") => always_on)';
  await restart({ sampler, semconv: 'stable', backend: 'otel', sampleErrors: false });
  for (const word of ['other', 'kept']) {
    recorded(HTTP_CLIENT, ['GET', `http://${word}`, '/']);
    recorded(JOB, ['queue', word, '']);
    telemetry.recordJobSpan('queue', word, 1);
    telemetry.recordJobSpan('queue', word, 1, false);
  }
  const spans = await take();
  assert.deepEqual(
    spans.map((span) => span.attributes['server.address'] ?? span.attributes['job.type']),
    ['kept', 'kept', 'kept'],
  );
  assert.deepEqual(
    spans.map((span) => span.name),
    ['GET', 'job.run', 'job.run'],
  );
});

test('metrics alone, and nothing while telemetry is off', async () => {
  await restart({ backend: 'prom' });
  const span = instrument.start(JOB, '', 0, 0, 0, JOB_TEXTS);
  assert.equal(instrument.hasSpan(span), false);
  instrument.end(span, JOB, 2, 0, 0, JOB_TEXTS);
  recorded(HTTP_CLIENT, ['GET', 'http://example.com', '/']);
  assert.match(samples(), /queue_job_latency_seconds_sum\{job_type="job"\} 2/);
  const sum = /http_client_request_duration_seconds_sum\{[^}]*"example.com"[^}]*\} (\S+)/;
  const seconds = Number(sum.exec(samples())[1]);
  assert.ok(seconds >= 0 && seconds < 60, String(seconds));
  await telemetry.shutdown(LIMIT);
  assert.equal(instrument.start(JOB, '', 0, 0, 0, JOB_TEXTS), null);
});

test('the duration of a request that is not sampled is that of the request', async () => {
  await restart({ backend: 'hybrid', sampler: 'always_off', parentBased: false });
  recorded(HTTP_CLIENT, ['GET', 'http://example.com', '/']);
  const sum = /http_client_request_duration_seconds_sum\{[^}]*\} (\S+)/.exec(samples());
  assert.ok(Number(sum[1]) < 60, sum[1]);
  assert.equal((await take()).length, 0);
});

test('long texts are cut', async () => {
  await restart({ semconv: 'stable' });
  const long = 'x'.repeat(100000);
  recorded(HTTP_CLIENT, [long, 'http://example.com', `/${long}`, long, '', long]);
  recorded(JOB, [`${'€'.repeat(100000)}`, 'job', '']);
  const [request, job] = await take();
  assert.equal(request.attributes['url.full'].length, 2048);
  assert.equal(job.attributes['queue.name'], '€'.repeat(8192));
});

test('a span ends although the log has no space for its result', async () => {
  const log = require('../../bindings/node/lib/oplog.js');
  const form = require('../../bindings/node/lib/oplog_form.js');
  await restart({ backend: 'hybrid' });
  const span = instrument.start(JOB, '', 0, 0, 0, JOB_TEXTS);
  const before = [form.WORD.LOST_ATTRIBUTES, form.WORD.LOST_REQUESTS].map((at) => log.control[at]);
  const texts = JOB_TEXTS.concat(new Array(3).fill('x'));
  const { operation } = log;
  log.operation = (kind, word, payload, lost) => {
    log.loseAttributes(lost);
    return false;
  };
  try {
    instrument.end(span, JOB, 1, 0, 0, texts);
  } finally {
    log.operation = operation;
  }
  const [ended] = await take();
  assert.equal(ended.name, 'job.run');
  assert.equal(ended.attributes['queue.name'], undefined);
  assert.deepEqual(
    [form.WORD.LOST_ATTRIBUTES, form.WORD.LOST_REQUESTS].map((at) => log.control[at]),
    before.map((count) => count + 1),
  );
});
