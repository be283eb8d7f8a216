'use strict';
// The Prometheus endpoint of a program: where it listens, what it rejects, and its end.

const assert = require('node:assert');
const http = require('node:http');
const net = require('node:net');
const { after, describe, test } = require('node:test');
const { LIMIT, restart, telemetry } = require('./support.js');

function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function scrape(port) {
  return new Promise((resolve, reject) => {
    http
      .get({ host: '127.0.0.1', port, path: '/metrics', agent: false }, (response) => {
        let body = '';
        response
          .on('data', (data) => (body += data))
          .on('end', () => resolve({ status: response.statusCode, body }));
      })
      .on('error', reject);
  });
}

describe('startMetricsServer', { timeout: 60000 }, () => {
  after(() => telemetry.shutdown(LIMIT));

  test('answers a scrape until shutdown', async () => {
    await restart({ backend: 'prom' });
    telemetry.setQueueDepth('q', 2);
    const port = await freePort();
    assert.strictEqual(telemetry.startMetricsServer(port), true);
    assert.strictEqual(telemetry.startMetricsServer(port), true);
    const { status, body } = await scrape(port);
    assert.strictEqual(status, 200);
    assert.match(body, /queue_depth\{queue_name="q"\} 2/);
    await telemetry.shutdown(LIMIT);
    await assert.rejects(scrape(port), { code: 'ECONNREFUSED' });
  });

  test('is false while metrics are off, for an invalid port, and for one in use', async () => {
    await telemetry.shutdown(LIMIT);
    assert.strictEqual(telemetry.startMetricsServer(await freePort()), false);
    await restart({ backend: 'prom' });
    for (const bad of [0, 65536, -1, 1.5, NaN, '8001', null, {}, Symbol('s'), 5n])
      assert.strictEqual(telemetry.startMetricsServer(bad), false);
    assert.strictEqual(telemetry.startMetricsServer(await freePort(), 7), false);
    const lines = [];
    const { write } = process.stderr;
    process.stderr.write = (text) => lines.push(text) > 0;
    try {
      // Whether these two are available depends on the machine: both are valid ports.
      for (const port of [1, 65535]) telemetry.startMetricsServer(port, '127.0.0.1');
    } finally {
      process.stderr.write = write;
    }
    assert.deepStrictEqual(
      lines.filter((line) => line.includes('needs a port')),
      [],
    );
    const taken = net.createServer();
    await new Promise((resolve) => taken.listen(0, '0.0.0.0', resolve));
    assert.strictEqual(telemetry.startMetricsServer(taken.address().port), false);
    taken.close();
  });
});
