'use strict';
// Contexts that are extracted, made current and injected, and what is not a context.

const assert = require('node:assert');
const { after, beforeEach, describe, test } = require('node:test');
const { LIMIT, restart, take, telemetry } = require('./support.js');

const { withSpan, getCurrentSpan, getCurrentTraceId } = telemetry;

describe('contexts', { timeout: 60000 }, () => {
  beforeEach(() => restart());
  after(() => telemetry.shutdown(LIMIT));

  test('contexts: extracted, made current, injected', async () => {
    const incoming = {
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      tracestate: 'k=v',
      baggage: 'tenant=acme',
    };
    const context = telemetry.extract(incoming);
    const outgoing = telemetry.runWithContext(context, () => {
      assert.strictEqual(getCurrentTraceId(), '0af7651916cd43dd8448eb211c80319c');
      assert.deepStrictEqual(telemetry.inject(), incoming);
      assert.strictEqual(telemetry.getBaggage('tenant'), 'acme');
      return withSpan('server', (span) => {
        assert.strictEqual(telemetry.getBaggage('tenant'), 'acme');
        return telemetry.runWithContext(telemetry.setBaggage('user', 'ann'), () => {
          assert.strictEqual(getCurrentSpan(), span);
          assert.deepStrictEqual(telemetry.getAllBaggage(), { tenant: 'acme', user: 'ann' });
          return telemetry.inject({ accept: '*' });
        });
      });
    });
    const server = (await take()).one('server');
    assert.deepStrictEqual(
      [server.traceId, server.parentId, server.flags & 0x300],
      ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331', 0x300],
    );
    assert.strictEqual(outgoing.traceparent, `00-${server.traceId}-${server.spanId}-01`);
    assert.strictEqual(outgoing.accept, '*');
    assert.deepStrictEqual(outgoing.baggage.split(',').sort(), ['tenant=acme', 'user=ann']);
    assert.match(outgoing.tracestate, /k=v/);
    assert.deepStrictEqual(telemetry.inject(), {});
    assert.strictEqual(telemetry.extract({ traceparent: 'nonsense' }).span, null);
  });

  test('what is no context is the root, and what is no function is not called', () => {
    const trap = new Proxy(
      {},
      {
        get() {
          throw new Error('trap');
        },
      },
    );
    withSpan('around', () => {
      for (const given of [null, undefined, 7, 'text', {}, trap])
        assert.deepStrictEqual(telemetry.runWithContext(given, telemetry.inject), {});
      for (const given of [7, 'text', trap])
        assert.deepStrictEqual(telemetry.inject({}, given), {});
      assert.strictEqual(telemetry.runWithContext(telemetry.extract({}), 'text'), undefined);
    });
    const add = (a, b) => a + b;
    assert.strictEqual(telemetry.runWithContext(telemetry.extract({}), add, 2, 3), 5);
    assert.throws(() => telemetry.runWithContext(null, () => assert.fail('mine')), /mine/);
  });
});
