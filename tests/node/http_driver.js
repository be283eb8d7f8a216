'use strict';
// Shared by the tests of the middleware: telemetry with the memory exporter, decoded with the
// official protobuf classes; servers on a free port; raw requests with deadlines.

const http = require('node:http');
const net = require('node:net');
const { opentelemetry } = require('@opentelemetry/otlp-transformer/build/src/generated/root');
const telemetry = require('../../bindings/node/lib/index.js');
const { exposeMetrics } = require('../../bindings/node/lib/metrics.js');

const { ExportTraceServiceRequest } = opentelemetry.proto.collector.trace.v1;
const DEADLINE_MS = 10000;
const EXPRESS = [
  ['Express 5', 'express'],
  ['Express 4', 'express4'],
].map(([name, module]) => ({ name, express: require(module), five: module === 'express' }));

/** Restarts telemetry with the memory exporter. */
async function begin(options) {
  await telemetry.shutdown(1000);
  telemetry.init({
    enabled: true,
    backend: 'hybrid',
    exporter: 'memory',
    sampleRatio: 1,
    ...options,
  });
  telemetry.takeExported();
}

function valueOf(value) {
  if (value.stringValue !== null && value.stringValue !== undefined) return value.stringValue;
  if (value.intValue !== null && value.intValue !== undefined) return Number(value.intValue);
  if (value.doubleValue !== null && value.doubleValue !== undefined) return value.doubleValue;
  return value.boolValue;
}

function attributesOf(message) {
  return Object.fromEntries(message.attributes.map(({ key, value }) => [key, valueOf(value)]));
}

const hex = (bytes) => Buffer.from(bytes || []).toString('hex');

function spanOf(message) {
  const attributes = attributesOf(message);
  delete attributes['sampling.reason'];
  return {
    name: message.name,
    kind: message.kind,
    traceId: hex(message.traceId),
    spanId: hex(message.spanId),
    parentId: hex(message.parentSpanId),
    status: ['unset', 'ok', 'error'][(message.status && message.status.code) || 0],
    attributes,
    events: message.events.map((event) => ({ name: event.name, attributes: attributesOf(event) })),
    seconds: (Number(message.endTimeUnixNano) - Number(message.startTimeUnixNano)) / 1e9,
  };
}

/** Returns the spans that ended since the last call. */
async function spans() {
  await telemetry.flush(5000);
  const found = [];
  for (const bytes of telemetry.takeExported()) {
    for (const resource of ExportTraceServiceRequest.decode(bytes).resourceSpans) {
      for (const scope of resource.scopeSpans) found.push(...scope.spans.map(spanOf));
    }
  }
  return found;
}

const isServer = (span) => span.kind === 2;

/** Waits until `count` server spans have ended, and briefly if there should be none. */
async function serverSpans(count = 1) {
  const found = [];
  const deadline = Date.now() + DEADLINE_MS;
  while (found.length < count && Date.now() < deadline) {
    found.push(...(await spans()).filter(isServer));
    if (found.length < count) await sleep(5);
  }
  if (count === 0) await sleep(50);
  found.push(...(await spans()).filter(isServer));
  return found;
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Returns the exposition as {series: value}, for names with the prefix. */
async function samples(prefix) {
  const { body } = await exposeMetrics();
  const lines = String(body)
    .split('\n')
    .filter((line) => line.startsWith(prefix));
  return Object.fromEntries(
    lines.map((line) => [
      line.slice(0, line.lastIndexOf(' ')),
      Number(line.slice(line.lastIndexOf(' ') + 1)),
    ]),
  );
}

/** {'GET /orders/:id 200': 1} */
async function requestsTotal() {
  const found = {};
  for (const [series, value] of Object.entries(await samples('http_requests_total'))) {
    found[[...series.matchAll(/="((?:[^"\\]|\\.)*)"/g)].map((match) => match[1]).join(' ')] = value;
  }
  return found;
}

/** Starts a server; the returned function closes it with all of its connections. */
function listen(handler) {
  const server = handler instanceof http.Server ? handler : http.createServer(handler);
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const close = () => new Promise((done) => (server.close(done), server.closeAllConnections()));
      resolve({ server, port: server.address().port, close });
    });
  });
}

/** Sends one request on a new connection: {status, headers, body}. */
function request(port, path, { method = 'GET', headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const options = {
      port,
      host: '127.0.0.1',
      path,
      method,
      headers,
      agent: false,
      timeout: DEADLINE_MS,
    };
    const sent = http.request(options, (answer) => {
      const chunks = [];
      answer.on('data', (chunk) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () =>
        resolve({
          status: answer.statusCode,
          headers: answer.headers,
          body: Buffer.concat(chunks).toString(),
        }),
      );
    });
    sent.on('timeout', () => sent.destroy(new Error('no answer within the deadline')));
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Returns the bytes of a request without a body. */
function wire(method, path, fields = [], host = 'localhost') {
  return [`${method} ${path} HTTP/1.1`, `host: ${host}`, ...fields, '', ''].join('\r\n');
}

/** Sends bytes; resolves to all data until the server, or `until(text)`, ends the connection. */
function raw(port, bytes, until = () => false) {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = net.connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'));
    socket.setTimeout(DEADLINE_MS, () =>
      socket.destroy(new Error('no answer within the deadline')),
    );
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (until(text)) socket.destroy();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
  });
}

module.exports = {
  EXPRESS,
  begin,
  spans,
  serverSpans,
  samples,
  requestsTotal,
  listen,
  request,
  raw,
  sleep,
  telemetry,
  wire,
};
