'use strict';
// Spans that end after their root, and spans below a span context: their errors are not lost, and
// each has the correct adjusted count.

const assert = require('node:assert/strict');
const test = require('node:test');
const { LIMIT, restart, take, telemetry } = require('./support.js');
const requests = require('../../bindings/node/lib/http_server.js');

const TIMEOUT = { timeout: 30000 };
const RARE = { sampleRatio: 1e-12 };

test.after(() => telemetry.shutdown(LIMIT));

const shown = (span) => [
  span.name,
  span.attributes['sampling.reason'],
  span.attributes['sampling.late'],
];
const soon = () => new Promise((resolve) => setTimeout(resolve, 1));

test('a timer that fails after the end is kept with its spans', TIMEOUT, async () => {
  await restart(RARE);
  let later;
  telemetry.withSpan('request', () => {
    later = soon().then(() =>
      telemetry.withSpan('send', async () => {
        telemetry.withSpan('template', () => telemetry.startSpan('font').end());
        await soon();
        throw new Error('no relay');
      }),
    );
  });
  await assert.rejects(later, /no relay/);
  const spans = await take();
  assert.deepEqual(spans.map(shown), [
    ['font', undefined, undefined],
    ['template', undefined, undefined],
    ['send', 'error', true],
  ]);
  assert.ok(spans.every((span) => span.traceState === 'ot=th:0'));
  assert.strictEqual(telemetry.telemetryStatus().spans.late_sampled_parts, 1);
});

test('a span that outlives its root keeps what begins below it', TIMEOUT, async () => {
  await restart(RARE);
  const root = telemetry.startSpan('request');
  const task = telemetry.startSpan('task', null, { parent: root });
  root.end();
  telemetry.startSpan('step', null, { parent: task }).end();
  telemetry.startSpan('other', null, { parent: root }).end();
  task.setStatus('error');
  task.end();
  assert.deepEqual((await take()).map(shown), [
    ['step', undefined, undefined],
    ['task', 'error', true],
  ]);
});

test('late spans without an error follow', TIMEOUT, async () => {
  for (const sampleRatio of [1e-12, 1]) {
    await restart({ sampleRatio });
    const root = telemetry.startSpan('request');
    root.end();
    telemetry.startSpan('after', null, { parent: root }).end();
    const names = (await take()).map((span) => span.name);
    assert.deepEqual(names, sampleRatio === 1 ? ['request', 'after'] : []);
  }
});

test('a slot that another span has is no parent', TIMEOUT, async () => {
  await restart(RARE);
  const root = telemetry.startSpan('request');
  root.end();
  const first = telemetry.startSpan('first', null, { parent: root });
  first.end();
  const second = telemetry.startSpan('second', null, { parent: root }); // in the slot of the first
  const below = telemetry.startSpan('below', null, { parent: first });
  second.end();
  below.setStatus('error');
  below.end();
  const spans = await take();
  assert.deepEqual(spans.map(shown), [['below', 'error', true]]);
  assert.strictEqual(spans[0].parentId, first.spanId);
});

test('a context of this process joins its trace', TIMEOUT, async () => {
  await restart(RARE);
  const root = telemetry.startSpan('request');
  const child = telemetry.startSpan('call', null, { parent: { ...root.spanContext() } });
  child.setStatus('error');
  child.end();
  root.end();
  assert.deepEqual(
    (await take()).map((span) => span.name),
    ['call', 'request'],
  );
});

test(
  'a root that is open for too long keeps its spans, a held response does not',
  TIMEOUT,
  async () => {
    await restart({ ...RARE, decisionWait: 0.000001, slowThreshold: 0.000001 });
    const root = telemetry.startSpan('build');
    await soon();
    telemetry.startSpan('step', null, { parent: root }).end();
    root.end();
    assert.deepEqual(
      (await take()).map((span) => span.name),
      ['step', 'build'],
    );
    for (const held of [false, true]) {
      const request = requests.startRequest(undefined, undefined, undefined, false);
      if (held) requests.holdRequest(request);
      await soon();
      telemetry.startSpan('step', null, { parent: request }).end();
      requests.endRequest(request, 'GET', '/events', 'http', '1.1', 200, 0, '', -1);
      assert.strictEqual((await take()).length, held ? 0 : 2);
    }
  },
);
