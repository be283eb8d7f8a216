'use strict';
// The Pushgateway, by a server on the loopback interface.

const assert = require('node:assert/strict');
const http = require('node:http');
const { after, before, test } = require('node:test');
const { gunzipSync } = require('node:zlib');
const { prom } = require('./prom_support.js');

const seen = [];
const server = http.createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    seen.push([request.method, request.url, Buffer.concat(chunks)]);
    response.statusCode = request.url.includes('bad') ? 400 : 202;
    response.end('said');
  });
});
before(() => new Promise((resolve) => server.listen(0, '127.0.0.1', resolve)));
after(() => server.close());

test('pushes and deletes a group', async () => {
  const registry = new prom.Registry();
  new prom.Gauge({ name: 'g', help: 'h', registers: [registry] }).set(3);
  const url = `http://127.0.0.1:${server.address().port}/base`;
  const gateway = new prom.Pushgateway(url, { headers: {} }, registry);
  const { body } = await gateway.push({ jobName: 'a/b', groupings: { k: 'v w' } });
  assert.equal(body, 'said');
  await gateway.pushAdd({ jobName: 'j' });
  await gateway.delete({ jobName: 'j' });
  assert.deepEqual(
    seen.map(([method, path]) => [method, path]),
    [
      ['PUT', '/base/metrics/job/a%2Fb/k/v%20w'],
      ['POST', '/base/metrics/job/j'],
      ['DELETE', '/base/metrics/job/j'],
    ],
  );
  assert.match(`${seen[0][2]}`, /^g 3$/m);
  const headers = { 'Content-Encoding': 'gzip' };
  await new prom.Pushgateway(url, { headers }, registry).push({ jobName: 'j' });
  assert.match(`${gunzipSync(seen[3][2])}`, /^g 3$/m);
  await assert.rejects(gateway.push({ jobName: 'bad' }), /status 400, said/);
  assert.throws(() => gateway.push(), /jobName/);
});
