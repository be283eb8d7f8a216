'use strict';
// tests/vectors/http_server.json through Express: the same spans, statuses and labels as in every
// other language.

const test = require('node:test');
const assert = require('node:assert/strict');
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
  wire,
} = require('./http_driver.js');
const { telemetryMiddleware } = require('../../middleware/express');
const { cases } = require('../vectors/http_server.json');

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
