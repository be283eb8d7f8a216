'use strict';
// Properties of a request: the scheme behind a proxy, a repeated traceparent, unknown methods, the
// length of a body, and websockets after recorded requests.

const assert = require('node:assert/strict');
const { after, test } = require('node:test');
const {
  EXPRESS,
  begin,
  listen,
  raw,
  request,
  requestsTotal,
  samples,
  serverSpans,
  telemetry,
  wire,
} = require('./http_driver.js');
const { telemetryMiddleware } = require('../../middleware/express');
const { telemetryListener } = require('../../middleware/http');

after(() => telemetry.shutdown(1000));

const ONE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const TWO = '00-11111111111111111111111111111112-2222222222222223-01';

for (const { name, express } of EXPRESS) {
  test(`${name}: the scheme is the proxy's where it is trusted`, { timeout: 30000 }, async (t) => {
    await begin({ semconv: 'stable' });
    for (const [trusted, forwarded, expected] of [
      [true, 'https', 'https'],
      [true, 'http', 'http'],
      [true, 'ftp', 'http'],
      [false, 'https', 'http'],
      [true, undefined, 'http'],
    ]) {
      const app = express();
      app.set('trust proxy', trusted);
      app.use(telemetryMiddleware());
      app.get('/', (req, res) => res.end());
      const { port, close } = await listen(app);
      t.after(close);
      await request(port, '/', {
        headers: forwarded === undefined ? {} : { 'x-forwarded-proto': forwarded },
      });
      const [span] = await serverSpans();
      assert.equal(span.attributes['url.scheme'], expected, `${trusted} ${forwarded}`);
    }
  });
}

test('a traceparent that came twice is none; one with a comma neither', async (t) => {
  await begin();
  const { port, close } = await listen(telemetryListener((req, res) => res.end()));
  t.after(close);
  for (const [fields, trace] of [
    [[`traceparent: ${ONE}`], ONE.slice(3, 35)],
    [[`traceparent: ${ONE}`, `traceparent: ${TWO}`], undefined],
    [[`TraceParent: ${ONE}`, `traceparent: ${ONE}`], undefined],
    [[`traceparent: ${ONE},${TWO}`], undefined],
    [[`traceparent: ${ONE},`], undefined],
    [['x-traceparent: x', `traceparent: ${TWO}`, 'other: traceparent'], TWO.slice(3, 35)],
  ]) {
    await raw(port, wire('GET', '/', [...fields, 'connection: close']));
    const [span] = await serverSpans();
    if (trace !== undefined) assert.equal(span.traceId, trace, fields.join());
    else
      assert.ok(
        span.traceId !== ONE.slice(3, 35) && span.traceId !== TWO.slice(3, 35),
        fields.join(),
      );
    assert.equal(span.parentId === '', trace === undefined);
  }
});

test('the length of a body, told or counted', async (t) => {
  await begin();
  const { port, close } = await listen(
    telemetryListener((req, res) => req.resume().on('end', () => res.end())),
  );
  t.after(close);
  const sizeOf = async (sent) => {
    const series = 'http_request_size_bytes_sum{method="POST",endpoint="unmatched"}';
    const before = (await samples('http_request_size'))[series] || 0;
    await raw(port, sent);
    await serverSpans();
    return (await samples('http_request_size'))[series] - before;
  };
  const post = (fields, body) => wire('POST', '/', [...fields, 'connection: close']) + body;
  assert.equal(await sizeOf(post(['content-length: 5'], 'hello')), 5);
  assert.equal(
    await sizeOf(post(['transfer-encoding: chunked'], '5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n')),
    8,
  );
  assert.equal(await sizeOf(post(['transfer-encoding: chunked'], '1\r\nx\r\n0\r\n\r\n')), 1);
});

test('an adapter may name methods freely: 32 characters and 64 names are kept', async (t) => {
  await begin();
  let method;
  const { port, close } = await listen(
    telemetryListener((req, res) => res.end(), {
      route(req) {
        req.method = method;
        return '/r';
      },
    }),
  );
  t.after(close);
  // The method is read at the end of the request, so that a change by an adapter is kept.
  const shown = async (name) => {
    method = name;
    await request(port, '/');
    const [span] = await serverSpans();
    return span.attributes['http.method'];
  };
  assert.equal(await shown('GET'), 'GET');
  const first = await shown('MADE_UP');
  assert.ok(first === 'MADE_UP' || first === '_OTHER');
  assert.equal(await shown('X'.repeat(33)), '_OTHER');
  assert.equal(await shown(''), await shown(''));
  assert.ok(Object.keys(await requestsTotal()).length <= 5);
});

test('only the formats that are configured are read of a request', async (t) => {
  for (const [propagators, trace, baggage] of [
    ['tracecontext,baggage', ONE.slice(3, 35), 'k=v'],
    ['tracecontext', ONE.slice(3, 35), ''],
    ['baggage', '', 'k=v'],
    ['none', '', ''],
  ]) {
    await begin({ propagators });
    let seen;
    const { port, close } = await listen(
      telemetryListener((req, res) => {
        const context = telemetry.getBaggage('k');
        seen = [telemetry.getCurrentTraceId(), context === undefined ? '' : `k=${context}`];
        res.end();
      }),
    );
    t.after(close);
    await request(port, '/', { headers: { traceparent: ONE, baggage: 'k=v' } });
    const [span] = await serverSpans();
    assert.equal(span.traceId, seen[0]);
    assert.equal(seen[0] === ONE.slice(3, 35), trace !== '', propagators);
    assert.equal(seen[1], baggage, propagators);
    assert.equal(span.parentId === '', trace === '');
  }
});

test('where only metrics are on, what a request carries goes on in whole', async (t) => {
  await begin({ backend: 'prom' });
  let carried;
  const { port, close } = await listen(
    telemetryListener((req, res) => {
      carried = telemetry.inject({});
      res.end();
    }),
  );
  t.after(close);
  for (const [headers, expected] of [
    [
      { traceparent: ONE, tracestate: 'a=1', baggage: 'k=v' },
      { traceparent: ONE, tracestate: 'a=1', baggage: 'k=v' },
    ],
    [{ traceparent: ONE }, { traceparent: ONE }],
    [{ baggage: 'k=v' }, { baggage: 'k=v' }],
    [{ tracestate: 'a=1' }, {}],
    [{}, {}],
  ]) {
    await request(port, '/', { headers });
    assert.deepEqual({ ...carried }, expected);
  }
  assert.deepEqual(await requestsTotal(), { 'GET unmatched 200': 5 });
});
