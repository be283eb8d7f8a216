'use strict';
// The attribute `error` and the status are consistent, under the documented names.

const assert = require('node:assert/strict');
const test = require('node:test');
const { LIMIT, own, restart, take, telemetry } = require('./support.js');

test.after(() => telemetry.shutdown(LIMIT));

async function recorded(options) {
  await restart(options);
  assert.throws(() =>
    telemetry.withSpan('raises', () => {
      throw new RangeError('too far');
    }),
  );
  telemetry.withSpan('says', (span) => span.setAttribute('error', true));
  telemetry.withSpan('given', { error: true }, () => {});
  telemetry.withSpan('denies', (span) => span.setAttribute('error', false));
  telemetry.withSpan('described', (span) => span.setStatus('error', 'why'));
  telemetry.withSpan('own', (span) =>
    span.setAttribute('error.type', 'timeout').setStatus('error', 'why'),
  );
  telemetry.withSpan('fine', (span) => span.setAttribute('error', true).setStatus('ok'));
  return take();
}

test('failed spans carry error under the documented names', { timeout: 30000 }, async () => {
  const shown = (await recorded()).map((span) => [span.name, span.status.code, own(span)]);
  assert.deepEqual(shown, [
    ['raises', 2, { error: true, 'error.type': 'RangeError', 'error.message': 'too far' }],
    ['says', 2, { error: true }],
    ['given', 2, { error: true }],
    ['denies', 0, { error: false }],
    ['described', 2, { error: true, 'error.message': 'why' }],
    ['own', 2, { error: true, 'error.type': 'timeout', 'error.message': 'why' }],
    ['fine', 1, { error: true }],
  ]);
});

test('stable names leave it to the status', { timeout: 30000 }, async () => {
  const spans = await recorded({ semconv: 'stable' });
  assert.deepEqual(own(spans.one('raises')), {});
  assert.equal(spans.one('says').status.code, 2);
});

test('the attribute keeps the trace', { timeout: 30000 }, async () => {
  const names = (await recorded({ sampleRatio: 1e-12 })).map((span) => span.name);
  assert.deepEqual(names, ['raises', 'says', 'given', 'described', 'own']);
});
