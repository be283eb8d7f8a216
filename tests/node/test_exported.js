'use strict';
// The memory exporter, as tests of an application read it.

const assert = require('node:assert/strict');
const { after, test } = require('node:test');
const { LIMIT, restart, telemetry } = require('./support.js');

const { flush, getTracer, startSpan, takeExported, takeSpans, withSpan } = telemetry;
after(() => telemetry.shutdown(LIMIT));

test('spans as plain objects', async () => {
  await restart({ serviceName: 'shop' });
  const values = {
    text: 'é',
    empty: '',
    yes: true,
    no: false,
    whole: 7,
    zero: 0,
    below: -3,
    real: 0.5,
    wide: 2n ** 62n,
    list: [1, 'a', []],
    map: { a: { b: [] } },
    bytes: Buffer.from([0, 255]),
  };
  const parent = startSpan('parent', null, { kind: 'server' });
  getTracer('scope', '1', { attributes: { k: 'v' } })
    .startSpan('child', {
      kind: 'client',
      parent,
      attributes: values,
      links: [{ context: parent, attributes: { l: 1 } }],
    })
    .addEvent('event', { e: 1 }, 1700000000000000000n)
    .setStatus('error', 'why')
    .end();
  parent.end();
  assert.throws(() =>
    withSpan('failed', () => {
      throw new RangeError('x');
    }),
  );
  await flush(LIMIT);
  const spans = takeSpans();
  assert.deepEqual(takeSpans(), []);
  assert.deepEqual(takeExported(), []);
  const [child, root, failed] = ['child', 'parent', 'failed'].map((name) =>
    spans.find((span) => span.name === name),
  );
  assert.deepEqual(
    [spans.length, root.kind, root.parentSpanId, root.status],
    [3, 'server', '', { code: 'unset', message: '' }],
  );
  const { 'sampling.reason': reason, ...attributes } = child.attributes;
  assert.equal(typeof (reason ?? ''), 'string');
  assert.deepEqual({ ...attributes }, { ...values, error: true, 'error.message': 'why' });
  assert.deepEqual(
    [child.kind, child.traceId, child.parentSpanId],
    ['client', root.traceId, root.spanId],
  );
  assert.deepEqual(child.status, { code: 'error', message: 'why' });
  assert.deepEqual(child.scope, {
    name: 'scope',
    version: '1',
    schemaUrl: '',
    attributes: { k: 'v' },
  });
  assert.deepEqual(child.events, [
    { name: 'event', time: 1700000000000000000n, attributes: { e: 1 } },
  ]);
  assert.deepEqual(child.links, [
    {
      traceId: root.traceId,
      spanId: root.spanId,
      traceState: root.traceState,
      attributes: { l: 1 },
    },
  ]);
  assert.equal(child.resource['service.name'], 'shop');
  assert.ok(child.startTime > 0n && child.endTime >= child.startTime);
  assert.equal(failed.events[0].attributes['exception.type'], 'RangeError');
});

test('nothing without that exporter', async () => {
  await restart({ exporter: 'none' });
  assert.deepEqual([takeSpans(), takeExported()], [[], []]);
  await telemetry.shutdown(LIMIT);
  assert.deepEqual(takeSpans(), []);
});
