'use strict';
// Run as a program by test_node_collector.py: records one trace that uses every field, prints what
// it recorded as JSON, and shuts down.

const t = require('../../../bindings/node/lib/index.js');

async function main() {
  t.init({
    enabled: true,
    sampleRatio: 1,
    serviceName: 'e2e',
    serviceVersion: '4.5.6',
    environment: 'test',
  });
  if (t.telemetryStatus().impl !== 'native') throw new Error(t.implReason);
  const tracer = t.getTracer('e2e.scope', '3.2.1');
  const parent = t.extract({
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    tracestate: 'vendor=value,other=1',
  });
  const root = tracer.startSpan('root', { kind: t.SpanKind.SERVER, parent });
  root.setAttributes({
    text: 'grüße €',
    true: true,
    false: false,
    zero: 0,
    big: 2n ** 62n,
    negative: -5,
    real: 0.1,
    bytes: new Uint8Array([0, 255]),
    list: [1, 'two', 3.5, true],
    map: { a: 1, b: ['x'] },
    empty: '',
    twice: 'first',
    long: 'é'.repeat(5000),
    astral: '😀',
  });
  root.setAttribute('twice', 'last');
  root.addEvent('began', { n: 1 });
  const started = { root, child: null, failing: null, timed: null };
  await t.runWithContext(root, async () => {
    await tracer.withSpan(
      'child',
      undefined,
      { kind: 'client', links: [{ context: root.spanContext(), attributes: { why: 'x' } }] },
      async (span) => {
        started.child = span;
        await null;
        span.setStatus({ code: t.StatusCode.OK });
      },
    );
    try {
      tracer.withSpan('failing', undefined, { kind: 'producer' }, (span) => {
        started.failing = span;
        throw new RangeError('broken');
      });
    } catch {
      // On purpose.
    }
    started.timed = tracer.startSpan('timed', {
      startTime: new Date(1700000000000),
      kind: 'consumer',
    });
    started.timed.updateName('renamed').end(new Date(1700000002500));
  });
  root.end();
  const spans = Object.fromEntries(
    Object.entries(started).map(([name, span]) => [name, span.spanId]),
  );
  const shutdown = await t.shutdown(10000);
  console.log(
    JSON.stringify({
      spans,
      shutdown,
      status: t.telemetryStatus(),
      version: process.versions.node,
      pid: process.pid,
    }),
  );
}

main();
