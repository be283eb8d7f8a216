'use strict';
// tests/vectors/http_server.json through Express: the same spans, statuses and labels as in every
// other language.

const test = require('node:test');
const assert = require('node:assert/strict');
const http = require('node:http');
const net = require('node:net');
const {
  EXPRESS,
  begin,
  listen,
  raw,
  requestsTotal,
  samples,
  serverSpans,
  sleep,
  telemetry,
  wire,
} = require('./http_driver.js');
const { telemetryMiddleware } = require('../../middleware/express');
const { cases } = require('../vectors/http_server.json');
const { families } = require('../vectors/http_metrics.json');
const { telemetryListener } = require('../../middleware/http');
const { startClient } = require('../../bindings/node/lib/client_span.js');

const LABELS = [
  'http_request_method',
  'url_scheme',
  'http_route',
  'http_response_status_code',
  'network_protocol_version',
  'error_type',
];

class Boom extends Error {
  get name() {
    return 'Boom';
  }
}

/** {id} in the syntax of Express. */
function ours(value) {
  if (typeof value === 'string')
    return value.replace(/\{(\w+)\}/g, ':$1').replace(/^CLASS$/, 'Boom');
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, typeof item === 'string' ? ours(item) : item]),
  );
}

function handler(item) {
  return (req, res) => {
    if (item.behaviour === 'throw') throw new Boom('no');
    if (item.behaviour === 'leave') return;
    if (item.behaviour === 'answer') {
      req.resume().on('end', () => res.status(item.status).send('done'));
      return;
    }
    res.status(item.status).write('part');
    if (item.behaviour === 'throw_late') throw new Boom('late');
  };
}

/** Two chunks and the last one. */
function chunks(body) {
  const parts = [body.slice(0, 4), body.slice(4), ''];
  return parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('');
}

function bytesOf(item) {
  if (item.chunked)
    return wire(item.method, item.path, ['transfer-encoding: chunked']) + chunks(item.body);
  return item.body
    ? wire(item.method, item.path, [`content-length: ${item.body.length}`]) + item.body
    : wire(item.method, item.path);
}

async function perform(port, item) {
  if (item.behaviour === 'leave') {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(bytesOf(item)));
    await sleep(60);
    socket.destroy();
    return;
  }
  const answer = await raw(port, bytesOf(item), (text) =>
    text.includes(
      item.behaviour === 'leave_late'
        ? 'part'
        : item.behaviour === 'throw_late'
          ? '\0'
          : '\r\n\r\n',
    ),
  );
  assert.ok(answer.startsWith(`HTTP/1.1 ${item.status} `), answer);
}

async function check(item, port, semconv) {
  const before = await requestsTotal();
  const samplesBefore = await samples('http_');
  await perform(port, item);
  const found = await serverSpans();
  assert.equal(found.length, 1);
  const [span] = found;
  const {
    'http.duration_seconds': seconds,
    'error.message': message,
    ...attributes
  } = span.attributes;
  assert.equal(span.status, item.span_status);
  assert.deepEqual(
    span.events.map((event) => event.name),
    item.exception ? ['exception'] : [],
  );
  if (semconv !== 'stable') {
    assert.equal(span.name, 'http.server');
    assert.ok(Math.abs(seconds - span.seconds) < 1e-6);
    const wanted = semconv === 'both' ? { ...item.old, ...item.stable } : item.old;
    assert.deepEqual(attributes, ours(wanted));
    assert.equal(typeof message, item.exception ? 'string' : 'undefined');
  } else {
    assert.equal(span.name, ours(item.stable_name));
    assert.deepEqual(attributes, ours(item.stable));
    assert.equal(message, undefined);
  }
  const label = item.metrics.map(ours).join(' ');
  const labels = item.conventions.map((value, i) => `${LABELS[i]}="${ours(value)}"`).join(',');
  const [method, endpoint] = item.metrics;
  const size = {
    old: `http_request_size_bytes_sum{method="${method}",endpoint="${ours(endpoint)}"}`,
    stable: `http_server_request_body_size_bytes_sum{${labels}}`,
  };
  const duration = `http_server_request_duration_seconds_count{${labels}}`;
  const after = await samples('http_');
  assert.equal(
    (await requestsTotal())[label],
    semconv === 'stable' ? undefined : (before[label] || 0) + 1,
    label,
  );
  assert.equal(
    after[duration],
    semconv === 'old' ? undefined : (samplesBefore[duration] || 0) + 1,
    duration,
  );
  for (const [names, series] of Object.entries(size)) {
    const there = (semconv === names || semconv === 'both') && item.size !== null;
    const grown = there ? (samplesBefore[series] || 0) + item.size : samplesBefore[series];
    assert.equal(after[series], grown, series);
  }
}

for (const { name, express } of EXPRESS) {
  for (const semconv of ['old', 'stable', 'both']) {
    test(`${name}, ${semconv} names`, { timeout: 60000 }, async (t) => {
      await begin({ semconv });
      const app = express();
      app.set('env', 'test'); // Express would print every error
      app.use(telemetryMiddleware());
      for (const item of cases)
        if (item.route !== null) app[item.method.toLowerCase()](ours(item.route), handler(item));
      const { port, close } = await listen(app);
      t.after(close);
      for (const item of cases) await t.test(item.case, () => check(item, port, semconv));
    });
  }
}

/** Returns the exposed families of HTTP: name, type, labels in their order, and bounds. */
async function exposed() {
  const found = new Map();
  for (const [series] of Object.entries(await samples('http_'))) {
    const [, full, text] = /^(\w+)\{(.*)\}$/.exec(series);
    const labels = [...text.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]) => [key, value]);
    const name = full.replace(/_(bucket|sum|count)$/, '');
    if (!found.has(name)) found.set(name, { name, bounds: [] });
    const row = found.get(name);
    row.labels = labels.map(([key]) => key).filter((key) => key !== 'le');
    for (const [key, value] of labels)
      if (key === 'le' && value !== '+Inf') row.bounds.push(Number(value));
  }
  return [...found.values()].sort((a, b) => a.name.localeCompare(b.name));
}

for (const semconv of ['old', 'stable', 'both']) {
  test(`the families of ${semconv} names`, { timeout: 60000 }, async (t) => {
    await begin({ semconv });
    const { port, close } = await listen(
      telemetryListener((req, res) => req.resume().on('end', () => res.end('done'))),
    );
    t.after(close);
    await raw(port, bytesOf({ method: 'GET', path: '/', body: '1234567' }), (text) =>
      text.endsWith('done'),
    );
    await serverSpans();
    const call = startClient('GET', 'http://example.com/', '');
    call.respond(200, '1.1', 0);
    call.end();
    await telemetry.flush(10000);
    const wanted = families
      .filter((row) => row.semconv.includes(semconv))
      .map(({ name, labels, bounds = [] }) => ({ name, bounds, labels }))
      .sort((a, b) => a.name.localeCompare(b.name));
    assert.deepEqual(await exposed(), wanted);
  });
}

const active = () => samples('http_server_active_requests');
const series = (method, scheme = 'http') =>
  `http_server_active_requests{http_request_method="${method}",url_scheme="${scheme}"}`;

for (const semconv of ['stable', 'both']) {
  test(`active requests, ${semconv} names`, { timeout: 60000 }, async (t) => {
    await begin({ semconv });
    const held = [];
    const waiters = [];
    const { port, close } = await listen(
      telemetryListener((req, res) => {
        held.push(res);
        waiters.shift()();
      }),
    );
    t.after(close);
    const request = async (options) => {
      const arrived = new Promise((resolve) => waiters.push(resolve));
      const sent = http.request({ port, agent: false, ...options });
      const closed = new Promise((resolve) =>
        sent
          .on('response', (res) => res.resume())
          .on('error', () => {})
          .on('close', resolve),
      );
      sent.end();
      await arrived;
      return { sent, closed };
    };
    const first = await request({ method: 'GET' });
    const second = await request({ method: 'GET' });
    const third = await request({ method: 'PROPFIND' });
    assert.deepEqual(await active(), { [series('GET')]: 2, [series('_OTHER')]: 1 });
    const ended = held.map((res) => new Promise((resolve) => res.on('close', resolve)));
    held[0].end('done');
    await Promise.all([first.closed, ended[0]]);
    assert.equal((await active())[series('GET')], 1);
    second.sent.destroy(); // the client leaves
    held[2].writeHead(500).end();
    await Promise.all([...ended, second.closed, third.closed]);
    assert.deepEqual(await active(), { [series('GET')]: 0, [series('_OTHER')]: 0 });
  });
}

test('active requests: of an earlier start, and under the documented names', async (t) => {
  await begin({ semconv: 'stable' });
  let response;
  let arrive;
  const arrived = new Promise((resolve) => {
    arrive = resolve;
  });
  const { port, close } = await listen(
    telemetryListener((req, res) => {
      response = res;
      arrive();
    }),
  );
  t.after(close);
  const answer = raw(port, wire('GET', '/'), (text) => text.endsWith('done'));
  await arrived;
  await begin({ semconv: 'stable' });
  response.end('done');
  await answer;
  assert.deepEqual(await active(), {});
  await begin({ semconv: 'old' });
  const next = new Promise((resolve) => {
    arrive = resolve;
  });
  const other = raw(port, wire('GET', '/'), (text) => text.endsWith('done'));
  await next;
  assert.deepEqual(await active(), {});
  response.end('done');
  await other;
});
