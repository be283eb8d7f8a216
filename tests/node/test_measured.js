'use strict';
// Conversion of numbers, texts and booleans by the recorders, seen in their metrics.

const assert = require('node:assert/strict');
const { after, beforeEach, test } = require('node:test');
const { LIMIT, restart, telemetry } = require('./support.js');

beforeEach(() => restart({ backend: 'hybrid' }));
after(() => telemetry.shutdown(LIMIT));

/** Returns the samples of a metric as [labels, value]. */
function samples(name) {
  return telemetry
    .metricsText()
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .map((line) => [
      line.slice(name.length, line.lastIndexOf(' ')),
      Number(line.slice(line.lastIndexOf(' ') + 1)),
    ]);
}

test('durations: zero and more count, in text too; all else does not', () => {
  const good = [0, 0.5, 5n, ' 1.5 ', '0', 86400];
  const bad = [
    -0.1,
    NaN,
    Infinity,
    -Infinity,
    '',
    ' ',
    'x',
    null,
    undefined,
    {},
    [],
    true,
    Symbol('s'),
    '-1',
  ];
  for (const value of good) telemetry.recordHttpRequest('GET', '/good', 200, value);
  for (const value of bad) telemetry.recordHttpRequest('GET', '/bad', 200, value);
  const counts = samples('http_request_duration_seconds_count');
  const of = (name) =>
    counts
      .filter(([labels]) => labels.includes(`"/${name}"`))
      .reduce((sum, [, value]) => sum + value, 0);
  assert.equal(of('good'), good.length);
  assert.equal(of('bad'), 0);
});

test('labels of any kind are text', () => {
  const values = ['text', 7, 7.5, true, null, undefined, 9n];
  for (const value of values) telemetry.setQueueDepth(value, 1);
  const names = samples('queue_depth').map(([labels]) => /queue_name="([^"]*)"/.exec(labels)[1]);
  assert.deepEqual(names.sort(), values.map(String).sort());
  for (const value of [Symbol('s'), { toString: () => assert.fail('no') }]) {
    assert.doesNotThrow(() => telemetry.setQueueDepth(value, 1));
  }
});

test('a status is one from 100 to 599, as number or text; all else is another', () => {
  const shown = (status) => {
    telemetry.recordExternalApiError(`s${status}`, status);
    return /status_code="([^"]*)"|status="([^"]*)"/
      .exec(
        samples('external_api_errors_total').find(([labels]) => labels.includes(`"s${status}"`))[0],
      )
      .slice(1)
      .find(Boolean);
  };
  for (const [status, text] of [
    [99, 'other'],
    [100, '100'],
    [599, '599'],
    [600, 'other'],
    [404.9, '404'],
    ['503', '503'],
    [503n, '503'],
    ['', 'other'],
    [null, 'other'],
    [-200, 'other'],
    [NaN, 'other'],
  ])
    assert.equal(shown(status), text, String(status));
});

test('options that cannot be read count as wrong ones, those that are not given as none', () => {
  const trap = new Proxy({}, { get: () => assert.fail('no') });
  telemetry.recordModelRequest('p', 'none', 'success', {});
  telemetry.recordModelRequest('p', 'null', 'success', { inputTokens: null });
  telemetry.recordModelRequest('p', 'some', 'success', { inputTokens: 3, outputTokens: 0 });
  telemetry.recordModelRequest('p', 'trap', 'success', trap);
  const shown = samples('model_tokens_total').map(([labels, value]) => [
    /model="(\w+)"/.exec(labels)[1],
    value,
  ]);
  assert.deepEqual(
    shown
      .filter(([model]) => model === 'some')
      .map(([, value]) => value)
      .sort(),
    [0, 3],
  );
  assert.deepEqual(
    shown.filter(([model]) => model === 'none' || model === 'null'),
    [],
  );
  assert.equal(samples('model_requests_total').length, 4);
});
