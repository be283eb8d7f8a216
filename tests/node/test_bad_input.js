'use strict';
// Wrong, huge or hostile input through everything that records: no exception reaches the
// application, and dropped data is counted. As tests/python/test_bad_input.py.

const assert = require('node:assert');
const { after, before, describe, test } = require('node:test');
const { EVIL, makeActing } = require('./evil.js');
const { LIMIT, own, restart, take, telemetry } = require('./support.js');

const { startSpan, withSpan } = telemetry;
const REMOTE = {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  traceFlags: 1,
};

function everyArgumentOfSpans(evil) {
  const tracer = telemetry.getTracer(evil, evil);
  for (const start of [startSpan, (n, a, o) => tracer.startSpan(n, { ...o, attributes: a })]) {
    start(evil).end();
    start('s', evil).end();
    for (const option of ['kind', 'startTime', 'links', 'parent', 'root'])
      start('s', null, { [option]: evil }).end();
  }
  startSpan('s', null, evil).end();
  tracer.startSpan('s', evil, evil).end();
  withSpan(evil, () => {});
  if (typeof evil !== 'function') {
    // these would be called, and their errors belong to the application
    withSpan('s', evil, () => {});
    withSpan('s', evil, evil, () => {});
    withSpan('s', evil);
    tracer.withSpan('s', evil, () => {});
    tracer.startActiveSpan('s', evil, (span) => span.end());
  }
  try {
    withSpan('s', () => {
      throw evil;
    });
    assert.fail('what was thrown was swallowed');
  } catch (error) {
    assert.ok(Object.is(error, evil));
  }
  const span = startSpan(
    's',
    { k: evil },
    { links: [evil, { context: evil, attributes: evil }, { context: REMOTE, attributes: evil }] },
  );
  span
    .setAttribute(evil, 1)
    .setAttribute('k2', evil)
    .setAttribute('k3', [evil, evil])
    .setAttribute('k4', { k5: evil });
  span.setAttributes(evil).setAttributes({ k6: { k7: evil } });
  span.addEvent(evil).addEvent('e', evil).addEvent('e', { k: evil }, evil);
  span
    .addLink(evil)
    .addLink(REMOTE, evil)
    .addLink({ context: { ...REMOTE, traceState: evil } })
    .addLinks(evil)
    .addLinks([evil]);
  span.recordException(evil).recordException(new Error('x'), { k: evil }, evil);
  span.recordException({ name: evil, message: evil, stack: evil, cause: evil });
  span.setStatus(evil).setStatus('error', evil).setStatus({ code: evil, message: evil });
  span.updateName(evil);
  span.end(evil);
  span.setAttribute('late', evil).addEvent('late', evil);
  span.end(evil);
}

function everyArgumentOfPropagation(evil) {
  withSpan('s', () => {
    telemetry.inject(evil);
    telemetry.inject({}, evil);
    telemetry.inject({}, undefined, evil);
    telemetry.extract(evil);
    telemetry.extract({ traceparent: evil, tracestate: evil, baggage: evil });
    telemetry.extract({}, evil);
    telemetry.runWithContext(evil, () => startSpan('s').end());
    telemetry.setBaggage(evil, evil);
    telemetry.setBaggage('k', 'v', evil);
    telemetry.removeBaggage(evil, evil);
    telemetry.getBaggage(evil, evil);
    telemetry.getAllBaggage(evil);
    telemetry.clearBaggage(evil);
    telemetry.recordHttpSpan(evil, evil, evil, evil);
    telemetry.recordJobSpan(evil, evil, evil, evil);
    telemetry.recordExternalApiSpan(evil, evil, evil, evil);
  });
}

function everyArgumentOfRequests(evil) {
  const http = require('../../bindings/node/lib/http_server.js');
  const request = http.startRequest(evil, evil, evil, evil);
  http.runRequest(request, () => {}, evil);
  http.endRequest(request, evil, evil, evil, evil, 200, 0, evil, evil);
  http.endRequest(request, evil, evil, evil, evil, 200, 0, evil, evil);
  http.excludes(evil);
}

for (const active of [true, false]) {
  describe(`bad input while telemetry is ${active ? 'on' : 'off'}`, { timeout: 240000 }, () => {
    before(() => (active ? restart({ backend: 'hybrid' }) : telemetry.shutdown(LIMIT)));
    after(() => telemetry.shutdown(LIMIT));
    for (const [name, make] of Object.entries(EVIL)) {
      test(name, async () => {
        const evil = make();
        for (const use of [
          everyArgumentOfSpans,
          everyArgumentOfPropagation,
          everyArgumentOfRequests,
        ])
          use(evil);
        assert.strictEqual(
          await telemetry.flush(LIMIT),
          true,
          JSON.stringify(telemetry.telemetryStatus().dropped),
        );
        if (active) telemetry.takeExported();
        assert.strictEqual(telemetry.getCurrentTraceId(), '');
      });
    }

    test('the log is whole afterwards', async () => {
      startSpan('after', { a: 1, b: { c: [1] } }).end();
      const spans = await take();
      if (active) assert.deepStrictEqual(own(spans.one('after')), { a: 1, b: { c: [1] } });
      if (active) assert.strictEqual(telemetry.telemetryStatus().dropped.damaged, 0);
    });
  });
}

describe('more of it', { timeout: 120000 }, () => {
  before(() => restart());
  after(() => telemetry.shutdown(LIMIT));

  test('values of ten megabytes are kept, cut or counted', async () => {
    for (const size of [100_000, 1_000_000, 10_000_000])
      startSpan(`s${size}`, { text: 'x'.repeat(size), wide: '€'.repeat(size / 10) }).end();
    const spans = await take();
    const { dropped } = telemetry.telemetryStatus();
    for (const span of spans) {
      const size = Math.min(Number(span.name.slice(1)), 500_000); // the limit of a span
      if ('text' in span.attributes) assert.ok(span.attributes.text.length >= size);
    }
    assert.strictEqual(spans.one('s100000').attributes.wide, '€'.repeat(10_000));
    assert.strictEqual(spans.length + Object.values(dropped).reduce((a, b) => a + b), 3);
  });

  test('ten thousand attributes', async () => {
    const span = startSpan('s');
    span.setAttributes(Object.fromEntries(Array.from({ length: 10000 }, (_, i) => [`k${i}`, i])));
    span.end();
    const recorded = (await take()).one('s');
    // sampling.reason is one of them
    assert.strictEqual(Object.keys(recorded.attributes).length, 128);
    assert.strictEqual(recorded.dropped + 127, 10000);
  });

  test('user code that ends telemetry, spans or itself in the middle', async () => {
    for (const act of [
      () => telemetry.getCurrentSpan().end(),
      () => telemetry.shutdown(1000),
      () => restart(),
      () => withSpan('x', { y: makeActing(() => {}) }, () => {}),
    ]) {
      const acting = makeActing(act);
      withSpan('s', (span) => {
        span
          .setAttribute('a', acting)
          .setAttributes(acting)
          .setAttribute('l', [acting, acting])
          .addEvent('e', acting)
          .recordException(acting);
        span.addLink(acting).setStatus(acting).end();
        startSpan('t', acting, acting).end();
        telemetry.inject(acting, acting);
        telemetry.extract(acting);
      });
      await restart();
    }
    startSpan('after').end();
    assert.strictEqual((await take()).one('after').name, 'after');
  });
});
