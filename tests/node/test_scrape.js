'use strict';
// The scrape of a server: where it is answered, in which format and compression, and that it is not
// counted.

const assert = require('node:assert/strict');
const http = require('node:http');
const { after, test } = require('node:test');
const {
  begin,
  listen,
  request,
  requestsTotal,
  serverSpans,
  telemetry,
} = require('./http_driver.js');
const { eachVersion: each, serve } = require('./express_driver.js');
const { metricsHandler } = require('../../middleware/express');
const { instrumentServer, telemetryListener } = require('../../middleware/http');

after(() => telemetry.shutdown(1000));

for (const [name, wrap] of [
  ['a listener', (options) => telemetryListener((req, res) => res.end('own'), options)],
  [
    'a server',
    (options) =>
      instrumentServer(
        http.createServer((req, res) => res.end('own')),
        options,
      ),
  ],
]) {
  test(`${name} answers scrapes at its path and nowhere else, without counting them`, async (t) => {
    await begin();
    const { port, close } = await listen(wrap({ metricsPath: '/metrics' }));
    t.after(close);
    assert.equal((await request(port, '/a')).body, 'own');
    const { status, body } = await request(port, '/metrics?x=1');
    assert.equal(status, 200);
    assert.match(body, /^http_requests_total\{.*\} 1$/m);
    assert.equal((await request(port, '/metrics/')).body, 'own');
    assert.deepEqual(await requestsTotal(), { 'GET unmatched 200': 2 });
    assert.equal((await serverSpans(2)).length, 2);
  });

  test(`${name} without a path for metrics hands every request on`, async (t) => {
    await begin();
    const { port, close } = await listen(wrap({}));
    t.after(close);
    assert.equal((await request(port, '/metrics')).body, 'own');
    assert.deepEqual(await requestsTotal(), { 'GET unmatched 200': 1 });
  });
}

each('the scrape: negotiated, HEAD, 405, not counted itself', async (t, version) => {
  const port = await serve(t, version, (app) => {
    app.all('/metrics', metricsHandler());
    app.get('/seen', metricsHandler({ counted: true }));
  });
  const plain = await request(port, '/metrics');
  assert.equal(plain.status, 200);
  assert.match(plain.headers['content-type'], /^text\/plain; version=0\.0\.4/);
  assert.equal(plain.headers.vary, 'accept, accept-encoding');
  const open = await request(port, '/metrics', {
    headers: { accept: 'application/openmetrics-text; version=1.0.0' },
  });
  assert.match(open.headers['content-type'], /^application\/openmetrics-text/);
  assert.match(open.body, /# EOF\n$/);
  const head = await request(port, '/metrics', { method: 'HEAD' });
  assert.deepEqual([head.status, head.body], [200, '']);
  assert.ok(Number(head.headers['content-length']) > 0);
  const refused = await request(port, '/metrics', { method: 'POST' });
  assert.deepEqual([refused.status, refused.headers.allow], [405, 'GET, HEAD']);
  assert.equal((await serverSpans(0)).length, 0);
  await request(port, '/seen');
  assert.equal((await serverSpans()).length, 1);
});

each('the scrape is compressed for those who take it, on every way to it', async (t, version) => {
  const port = await serve(t, version, (app) => app.get('/metrics', metricsHandler()), {
    metricsPath: '/m',
  });
  const text = async (coding, path) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      headers: { 'accept-encoding': coding },
    });
    return [
      response.headers.get('content-encoding'),
      (await response.text()).split('\n')[0].slice(0, 6),
    ];
  };
  for (const path of ['/metrics', '/m']) {
    for (const coding of ['gzip', 'deflate, GZIP;q=0.5', '*', 'br;q=1, gzip']) {
      assert.deepEqual(await text(coding, path), ['gzip', '# HELP'], coding);
    }
    for (const coding of ['identity', 'gzip;q=0', 'gzip;q=0.000, *', 'br']) {
      assert.deepEqual(await text(coding, path), [null, '# HELP'], coding);
    }
  }
});

each('metricsPath answers the scrape', async (t, version) => {
  const port = await serve(t, version, (app) => app.get('/x', (req, res) => res.send('x')), {
    metricsPath: '/m',
  });
  await request(port, '/x');
  await serverSpans();
  const { body } = await request(port, '/m?a=b');
  assert.match(body, /http_requests_total\{method="GET",endpoint="\/x",status_code="200"\} 1/);
  assert.equal((await serverSpans(0)).length, 0);
});
