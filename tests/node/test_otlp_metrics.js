'use strict';
// Metrics by OTLP: what a receiver decodes with the official classes.

const assert = require('node:assert/strict');
const http = require('node:http');
const { after, test } = require('node:test');
const { opentelemetry } = require('@opentelemetry/otlp-transformer/build/src/generated/root');
const metrics = require('../../bindings/node/lib/metrics.js');
const { run } = require('./programs.js');
const { restart, telemetry } = require('./support.js');

const { ExportMetricsServiceRequest } = opentelemetry.proto.collector.metrics.v1;
const { flush, telemetryStatus } = telemetry;
const METRICS = require.resolve('../../bindings/node/lib/metrics.js');
const DELTA = 1;
const CUMULATIVE = 2;

after(() => telemetry.shutdown(10000));

/** A receiver that keeps decoded requests and compares their bytes with those of the classes. */
async function receiver(context) {
  const requests = [];
  const server = http.createServer((request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      const body = Buffer.concat(parts);
      const decoded = ExportMetricsServiceRequest.decode(body);
      const again = Buffer.from(ExportMetricsServiceRequest.encode(decoded).finish());
      requests.push({ path: request.url, decoded, isSame: again.equals(body) });
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { requests, url: `http://127.0.0.1:${server.address().port}` };
}

function metricsIn({ decoded }) {
  const found = new Map();
  for (const { scopeMetrics } of decoded.resourceMetrics)
    for (const { metrics } of scopeMetrics)
      for (const metric of metrics) found.set(metric.name, metric);
  return found;
}

const valuesOf = (point) =>
  Object.fromEntries(point.attributes.map(({ key, value }) => [key, value.stringValue]));

const options = (url) => ({
  backend: 'hybrid',
  exporter: 'memory',
  metricsExporter: 'otlp',
  metricsEndpoint: url,
  metricsProtocol: 'http/protobuf',
  metricExportInterval: 3600,
});

test('every kind of metric', { timeout: 60000 }, async (context) => {
  const server = await receiver(context);
  await restart(options(server.url));
  new metrics.Counter({ name: 'calls', help: 'Calls.', labelNames: ['a'] }).inc({ a: 'é' }, 2.5);
  new metrics.Gauge({ name: 'level', help: 'Level.', aggregator: 'max' }).set(-1);
  new metrics.Gauge({ name: 'active', help: 'Active.' }).inc(3);
  const took = new metrics.Histogram({ name: 'took', help: 'Time.', buckets: [0.5, 1] });
  took.observe(0.75);
  took.observe(8);
  new metrics.Histogram({ name: 'spread', help: 'Spread.', exponential: true }).observe(1);
  assert.equal(await flush(30000), true);
  const [first] = server.requests;
  assert.equal(first.path, '/v1/metrics');
  assert.equal(first.isSame, true);
  const found = metricsIn(first);
  const [call] = found.get('calls').sum.dataPoints;
  assert.equal(call.asDouble, 2.5);
  assert.deepEqual(valuesOf(call), { a: 'é' });
  assert.equal(found.get('calls').sum.isMonotonic, true);
  assert.equal(found.get('calls').sum.aggregationTemporality, CUMULATIVE);
  assert.equal(found.get('level').gauge.dataPoints[0].asDouble, -1);
  assert.ok(!found.get('active').sum.isMonotonic);
  assert.equal(found.get('active').sum.dataPoints[0].asDouble, 3);
  const [point] = found.get('took').histogram.dataPoints;
  assert.equal(Number(point.count), 2);
  assert.equal(point.sum, 8.75);
  assert.deepEqual(point.bucketCounts.map(Number), [0, 1, 1]);
  assert.deepEqual(point.explicitBounds, [0.5, 1]);
  const [spread] = found.get('spread').exponentialHistogram.dataPoints;
  assert.deepEqual([Number(spread.count), spread.scale], [1, 20]);
  assert.deepEqual(spread.positive.bucketCounts.map(Number), [1]);
  const { signals } = telemetryStatus();
  assert.ok(signals.metrics.books.exported >= 4);
  await telemetry.shutdown(10000);
});

test('deltas add up', { timeout: 60000 }, async (context) => {
  const server = await receiver(context);
  await restart({ ...options(server.url), metricsTemporality: 'delta' });
  const calls = new metrics.Counter({ name: 'deltas', help: 'Calls.' });
  for (const amount of [1, 2, 3]) {
    calls.inc(amount);
    assert.equal(await flush(30000), true);
  }
  const sums = server.requests.slice(0, 3).map((one) => metricsIn(one).get('deltas').sum);
  assert.deepEqual(
    sums.map(({ dataPoints }) => dataPoints[0].asDouble),
    [1, 2, 3],
  );
  assert.ok(sums.every(({ aggregationTemporality }) => aggregationTemporality === DELTA));
  await telemetry.shutdown(10000);
});

test('the interval pushes without a flush', { timeout: 60000 }, async (context) => {
  const server = await receiver(context);
  await restart({ ...options(server.url), metricExportInterval: 0.1 });
  new metrics.Counter({ name: 'ticks', help: 'Ticks.' }).inc();
  const seen = () => server.requests.filter((one) => metricsIn(one).has('ticks'));
  const end = Date.now() + 30000;
  while (seen().length < 3 && Date.now() < end)
    await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(metricsIn(seen()[2]).get('ticks').sum.dataPoints[0].asDouble, 1);
  await telemetry.shutdown(10000);
});

for (const backend of ['hybrid', 'prom']) {
  test(`a short job delivers its numbers: ${backend}`, { timeout: 60000 }, async (context) => {
    const server = await receiver(context);
    const env = {
      TELEMETRY_ENABLED: 'true',
      TELEMETRY_BACKEND: backend,
      OTEL_TRACES_EXPORTER: 'none',
      OTEL_METRICS_EXPORTER: 'otlp',
      OTEL_EXPORTER_OTLP_ENDPOINT: server.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
    };
    const program = `
t.init();
const { Counter } = require(${JSON.stringify(METRICS)});
new Counter({ name: 'rows', help: 'Rows.' }).inc(42);`;
    const done = await run(program, { env });
    assert.equal(done.code, 0, done.stderr);
    const found = server.requests.map((one) => metricsIn(one).get('rows'));
    assert.equal(found[found.length - 1].sum.dataPoints[0].asDouble, 42);
  });
}
