'use strict';
// register() of Next.js in separate processes: it starts in the node runtime only, and a server
// that stores its match as Next does is recorded from the first request on. The program simulates
// the server of Next, because the build of an application takes too long.

const test = require('node:test');
const assert = require('node:assert/strict');
const path = require('node:path');
const { run } = require('./programs.js');

const NEXT = JSON.stringify(path.resolve(__dirname, '../../middleware/next'));
const METRICS = JSON.stringify(path.resolve(__dirname, '../../bindings/node/lib/metrics.js'));
const PROGRAM = `
const http = require('http');
const { register } = require(${NEXT});
const META = Symbol.for('NextInternalRequestMeta');
const MATCHES = { '/orders/7': '/orders/[id]', '/nope': '/_not-found' };
function get(port, path) {
  return new Promise((resolve, reject) => {
    http.get({ port, path, agent: false }, (res) =>
      res.resume().on('end', resolve)).on('error', reject);
  });
}
(async () => {
  const server = http.createServer((req, res) => {
    req[META] = { match: { definition: { pathname: MATCHES[req.url] } } };
    res.statusCode = req.url === '/nope' ? 404 : 200;
    res.end('ok');
  });
  await new Promise((resolve) => server.listen(0, resolve));
  await register({ enabled: true, backend: 'hybrid', exporter: 'memory', sampleRatio: 1 });
  await register();
  for (const path of ['/orders/7', '/nope', '/healthz']) await get(server.address().port, path);
  await new Promise((resolve) => setTimeout(resolve, 30));
  const { body } = await require(${METRICS}).exposeMetrics();
  const lines = String(body || '').split('\\n').filter((line) =>
    line.startsWith('http_requests_total{'));
  console.log(JSON.stringify({ enabled: t.telemetryStatus().enabled, lines: lines.sort() }));
  server.close();
  await t.shutdown(1000);
})();
`;

async function outcome(env) {
  const end = await run(PROGRAM, { env: { ...env, DJP_TELEMETRY_EXCLUDED_PATHS: '' } });
  assert.equal(end.code, 0, end.stderr);
  return JSON.parse(end.stdout.trim().split('\n').pop());
}

test(
  'the node runtime: every request, by the template that Next matched',
  { timeout: 60000 },
  async () => {
    const { enabled, lines } = await outcome({ NEXT_RUNTIME: 'nodejs' });
    assert.equal(enabled, true);
    assert.deepEqual(lines, [
      'http_requests_total{method="GET",endpoint="/orders/[id]",status_code="200"} 1',
      'http_requests_total{method="GET",endpoint="unmatched",status_code="200"} 1',
      'http_requests_total{method="GET",endpoint="unmatched",status_code="404"} 1',
    ]);
  },
);

const WAITING = `
const http = require('http');
const { register } = require(${NEXT});
const META = Symbol.for('NextInternalRequestMeta');
let prepared;
const ready = new Promise((resolve) => (prepared = resolve));
const server = http.createServer(async (req, res) => {
  await ready;
  req[META] = { match: { definition: { pathname: '/orders/[id]' } } };
  res.end('ok');
});
const agent = new http.Agent({ keepAlive: true });
const get = (path) => new Promise((resolve, reject) => {
  http.get({ port: server.address().port, path, agent }, (res) =>
    res.resume().on('end', resolve)).on('error', reject);
});
const until = async (found) => {
  while (!found()) await new Promise((resolve) => setTimeout(resolve, 5)); };
(async () => {
  await new Promise((resolve) => server.listen(0, resolve));
  let begun = 0;
  server.on('request', () => begun++);
  const waiting = ['/orders/1', '/orders/2', '/healthz'].map(get);
  const left = http.get({ port: server.address().port, path: '/orders/3' }).on('error', () => {});
  await until(() => begun === 4);
  await register({ enabled: true, backend: 'hybrid', exporter: 'memory', sampleRatio: 1,
    excludedPaths: '/healthz' });
  left.destroy();
  await new Promise((resolve) => setTimeout(resolve, 50));
  prepared();
  await Promise.all(waiting);
  await get('/orders/4');
  await new Promise((resolve) => setTimeout(resolve, 50));
  const { body } = await require(${METRICS}).exposeMetrics();
  const lines = String(body || '').split('\\n').filter((line) =>
    line.startsWith('http_requests_total{'));
  console.log(JSON.stringify({ lines: lines.sort(), live: t.telemetryStatus().spans.live }));
  agent.destroy();
  server.close();
  await t.shutdown(1000);
})();
`;

test('requests that came while instrumentation was loading', { timeout: 60000 }, async () => {
  const end = await run(WAITING, { env: { NEXT_RUNTIME: 'nodejs' } });
  assert.equal(end.code, 0, end.stderr);
  assert.deepEqual(JSON.parse(end.stdout.trim().split('\n').pop()), {
    lines: [
      'http_requests_total{method="GET",endpoint="/orders/[id]",status_code="200"} 3',
      'http_requests_total{method="GET",endpoint="unmatched",status_code="499"} 1',
    ],
    live: 0,
  });
});

test('the edge runtime and a build: nothing starts', { timeout: 60000 }, async () => {
  for (const env of [
    { NEXT_RUNTIME: 'edge' },
    { NEXT_RUNTIME: 'nodejs', NEXT_PHASE: 'phase-production-build' },
  ]) {
    assert.deepEqual((await outcome(env)).lines, []);
  }
});
