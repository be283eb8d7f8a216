'use strict';
// Plain HTTP servers: listeners, whole servers, websocket handshakes, and labels without a route
// template.

const test = require('node:test');
const assert = require('node:assert/strict');
const http = require('node:http');
const http2 = require('node:http2');
const net = require('node:net');
const express = require('express');
const {
  begin,
  listen,
  raw,
  request,
  requestsTotal,
  serverSpans,
  sleep,
  telemetry,
  wire,
} = require('./http_driver.js');
const { instrumentServer, metricsHandler, telemetryListener } = require('../../middleware/http');
const { telemetryMiddleware } = require('../../middleware/express');

const HANDSHAKE = wire('GET', '/chat', [
  'connection: Upgrade',
  'upgrade: websocket',
  'sec-websocket-version: 13',
]);
const ACCEPT =
  'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\r\n';

function server(name, body) {
  test(name, { timeout: 30000 }, async (t) => {
    await begin();
    await body(t, async (handler) => {
      const { port, close } = await listen(handler);
      t.after(close);
      return port;
    });
  });
}

server('a listener: unmatched without a template, the context follows', async (t, serve) => {
  let seen;
  let self;
  const port = await serve(
    telemetryListener(async function handler(req, res) {
      self = this;
      await sleep(1);
      seen = telemetry.getCurrentSpanId();
      res.end('ok');
    }),
  );
  await request(port, '/users/4711?token=secret');
  const [span] = await serverSpans();
  assert.ok(self instanceof http.Server);
  assert.equal(seen, span.spanId);
  assert.deepEqual(Object.keys(span.attributes).sort(), [
    'http.duration_seconds',
    'http.method',
    'http.status_code',
  ]);
  assert.equal((await requestsTotal())['GET unmatched 200'], 1);
  assert.deepEqual(telemetry.getCurrentSpanId(), '');
});

server('templates by option, normalised paths only when asked', async (t, serve) => {
  const handler = (req, res) => res.end('ok');
  const named = await serve(
    telemetryListener(handler, {
      route: (req) => (req.url.startsWith('/a/') ? '/a/{id}' : undefined),
    }),
  );
  const normal = await serve(telemetryListener(handler, { normalisePaths: true }));
  const routes = [];
  for (const [port, path] of [
    [named, '/a/1'],
    [named, '/b/1'],
    [normal, '/users/4711/x?q=1'],
  ]) {
    await request(port, path);
    routes.push((await serverSpans())[0].attributes['http.route']);
  }
  assert.deepEqual(routes, ['/a/{id}', undefined, '/users/{id}/x']);
});

server(
  'an instrumented server: listeners added later, excluded paths, the scrape, once however often',
  async (t, serve) => {
    const plain = http.createServer();
    assert.equal(
      instrumentServer(instrumentServer(plain, { exclude: '/healthz', metricsPath: '/metrics' })),
      plain,
    );
    const port = await serve(plain);
    plain.on('request', (req, res) => res.end(telemetry.getCurrentTraceId()));
    assert.equal((await request(port, '/healthz')).body, '');
    assert.match((await request(port, '/metrics')).body, /^# /);
    const { body } = await request(port, '/x');
    const found = await serverSpans();
    await sleep(10);
    assert.deepEqual(
      [...found, ...(await serverSpans(0))].map((span) => span.traceId),
      [body],
    );
    for (const nothing of [null, undefined, 7, {}])
      assert.equal(instrumentServer(nothing), nothing);
  },
);

server('Express behind an instrumented server: one span, with the template', async (t, serve) => {
  const app = express();
  app.use(telemetryMiddleware());
  app.get('/orders/:id', (req, res) => res.send(telemetry.getCurrentSpanId()));
  const port = await serve(instrumentServer(http.createServer(app)));
  const { body } = await request(port, '/orders/7');
  const found = await serverSpans();
  assert.deepEqual(
    found.map((span) => [span.spanId, span.attributes['http.route']]),
    [[body, '/orders/:id']],
  );
});

server('an error that a listener throws goes on, and is on the span', async (t, serve) => {
  const plain = http.createServer();
  const port = await serve(instrumentServer(plain));
  plain.on('request', (req, res) => {
    res.writeHead(200);
    res.write('part');
    throw new TypeError('thrown');
  });
  const caught = new Promise((resolve) => process.once('uncaughtException', resolve));
  const listeners = process.rawListeners('uncaughtException').filter((one) => !one.listener);
  // those of the test runner
  for (const one of listeners) process.removeListener('uncaughtException', one);
  const bytes = raw(port, wire('GET', '/'), (text) => text.includes('part'));
  assert.equal((await caught).message, 'thrown');
  for (const one of listeners) process.on('uncaughtException', one);
  await bytes;
  const [span] = await serverSpans();
  assert.deepEqual(
    [span.status, span.events[0].attributes['exception.message']],
    ['error', 'thrown'],
  );
});

server('websockets: accepted, refused, left; other upgrades are handed on', async (t, serve) => {
  const plain = http.createServer();
  const seen = [];
  plain.on('upgrade', (req, socket) => {
    seen.push(telemetry.getCurrentSpanId());
    if (req.url === '/refused') socket.end('HTTP/1.1 403 Forbidden\r\nconnection: close\r\n\r\n');
    else if (req.url !== '/left') socket.write(ACCEPT);
    socket.on('data', () => socket.end('bye'));
    socket.on('end', () => socket.end());
    socket.on('error', () => {});
  });
  const port = await serve(
    instrumentServer(plain, { route: (req) => (req.url === '/chat' ? '/chat' : '') }),
  );
  const socket = net.connect(port, '127.0.0.1', () => socket.write(HANDSHAKE));
  await new Promise((resolve) => socket.once('data', () => (socket.write('hello'), resolve())));
  const [accepted] = await serverSpans();
  await raw(port, HANDSHAKE.replace('/chat', '/refused'));
  const [refused] = await serverSpans();
  const gone = net.connect(port, '127.0.0.1', () =>
    gone.write(HANDSHAKE.replace('/chat', '/left')),
  );
  await sleep(60);
  gone.destroy();
  const [left] = await serverSpans();
  assert.deepEqual(
    [accepted, refused, left].map((span) => [
      span.name,
      span.attributes['http.status_code'],
      span.attributes['http.route'],
    ]),
    [
      ['websocket', 101, '/chat'],
      ['websocket', 403, undefined],
      ['websocket', undefined, undefined],
    ],
  );
  assert.equal(left.attributes['http.client_disconnected'], true);
  assert.equal(accepted.spanId, seen[0]);
  await raw(port, HANDSHAKE.replace('websocket', 'other'), (text) => text.includes('101'));
  assert.equal((await serverSpans(0)).length, 0);
  assert.ok(!Object.keys(await requestsTotal()).some((series) => series.endsWith(' 101')));
});

server('HTTP/2 through the same listener', async (t) => {
  await begin({ semconv: 'stable' });
  const plain = http2.createServer(
    telemetryListener((req, res) => res.end('two'), { route: () => '/h2' }),
  );
  await new Promise((resolve) => plain.listen(0, '127.0.0.1', resolve));
  const client = http2.connect(`http://127.0.0.1:${plain.address().port}`);
  t.after(() => (client.close(), plain.close()));
  const stream = client.request({ ':path': '/x' });
  let body = '';
  for await (const chunk of stream) body += chunk;
  assert.equal(body, 'two');
  const [span] = await serverSpans();
  assert.deepEqual([span.name, span.attributes['network.protocol.version']], ['GET /h2', '2']);
});

server('a scrape on a server of its own', async (t, serve) => {
  const port = await serve(metricsHandler());
  assert.match((await request(port, '/')).body, /process_/);
  assert.equal((await request(port, '/', { method: 'DELETE' })).status, 405);
});

test('a listener that is none', () => {
  assert.throws(() => telemetryListener('text'), TypeError);
});
