'use strict';
// Client spans: name and attributes in each form of the semantic conventions, the status from which
// they are errors, and the recorded parts of the URL.

const assert = require('node:assert/strict');
const http = require('node:http');
const { after, before, test } = require('node:test');
const { startClient } = require('../../bindings/node/lib/client_span.js');
const { cases } = require('../vectors/http_client.json');
const { LIMIT, own, restart, take, telemetry } = require('./support.js');

let server;
let port;
let stop;

before(async () => {
  server = http.createServer((req, res) => {
    const status = Number(new URL(req.url, 'http://x').pathname.slice(1)) || 200;
    res.writeHead(status, { connection: 'close' }).end();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  ({ port } = server.address());
  stop = telemetry.instrumentOutgoing({ spans: true });
});
after(async () => {
  stop();
  await new Promise((resolve) => server.close(resolve));
  await telemetry.shutdown(LIMIT);
});

/** Makes one request and ends it. */
function requested(path, options = {}) {
  return new Promise((resolve, reject) => {
    const sent = http.request(
      { host: '127.0.0.1', port, path, agent: false, ...options },
      (answer) => answer.resume(),
    );
    sent
      .on('error', reject)
      .on('close', () => setImmediate(resolve))
      .end();
  });
}

/** Returns the span of one request. */
async function spanOf(path, options) {
  await requested(path, options);
  const found = await take();
  assert.equal(found.length, 1);
  return found[0];
}

const old = (method, status) => ({
  'http.method': method,
  'http.scheme': 'http',
  'net.peer.name': '127.0.0.1',
  'net.peer.port': port,
  'http.status_code': status,
});
const stable = (method, status) => ({
  'http.request.method': method,
  'url.scheme': 'http',
  'server.address': '127.0.0.1',
  'server.port': port,
  'http.response.status_code': status,
  'network.protocol.version': '1.1',
});
const FORMS = {
  old: ['http.client', (...given) => old(...given)],
  stable: ['PUT', (...given) => stable(...given)],
  both: ['http.client', (...given) => ({ ...old(...given), ...stable(...given) })],
};

const USUAL = new Set(['error', 'error.message', 'sampling.reason']);
const FAMILY = 'http_client_request_duration_seconds_count';

/** Records a case of the shared vectors without a connection. */
function recorded(given) {
  const call = startClient(given.method, given.url, given.target || '');
  call.respond(given.status, given.version, given.resend_count);
  if (given.cancelled) {
    call.fail(Object.assign(new Error('aborted'), { name: 'AbortError' }));
  } else if (given.error !== undefined) {
    const [code, message] = given.error;
    call.fail(Object.assign(new Error(message), { code }));
  }
  call.end();
}

for (const given of cases) {
  for (const semconv of ['old', 'stable']) {
    test(`shared case, ${semconv}: ${given.case}`, async () => {
      await restart({ semconv, backend: 'hybrid' });
      recorded(given);
      const [span, ...others] = await take();
      assert.equal(others.length, 0);
      const found = Object.entries(span.attributes).filter(([key]) => !USUAL.has(key));
      assert.deepEqual(Object.fromEntries(found), given[semconv]);
      assert.equal(span.name, semconv === 'stable' ? given.stable_name : 'http.client');
      assert.equal(span.kind, 3);
      assert.equal(span.status.code, given.span_status === 'error' ? 2 : 0);
      assert.equal(span.status.message ?? '', given.description);
      const [method, address, port_, status, type] = given.metrics;
      const version = given.stable['network.protocol.version'] ?? '';
      const sample =
        `${FAMILY}{http_request_method="${method}",server_address="${address}",` +
        `server_port="${port_}",http_response_status_code="${status}",error_type="${type}"` +
        (semconv === 'stable' ? `,network_protocol_version="${version}"` : '') +
        '} 1';
      assert.ok(telemetry.metricsText().includes(`${sample}\n`), sample);
    });
  }
}

for (const [semconv, [name, attributes]] of Object.entries(FORMS)) {
  test(`the conventions '${semconv}': name and attributes, and no others`, async () => {
    await restart({ semconv });
    const span = await spanOf('/204', { method: 'PUT' });
    assert.equal(span.name, name);
    assert.deepEqual(own(span), {
      ...attributes('PUT', 204),
      'url.full': `http://127.0.0.1:${port}/204`,
    });
  });
}

for (const [status, type] of [
  [399, undefined],
  [400, '400'],
  [499, '499'],
  [500, '500'],
  [599, '599'],
]) {
  test(`status ${status}: ${type === undefined ? 'no error' : 'an error'}`, async () => {
    await restart();
    const span = await spanOf(`/${status}`);
    assert.equal(own(span)['http.status_code'], status);
    assert.equal(own(span)['error.type'], type);
    assert.equal(span.status.code, type === undefined ? 0 : 2);
  });
}

test('an address at its edges', async () => {
  await restart();
  const shown = async (path) =>
    (await spanOf(path)).attributes['url.full'].slice(`http://127.0.0.1:${port}`.length);
  assert.equal(await shown('/?a=1'), '/?a=REDACTED');
  assert.equal(await shown('/p?'), '/p');
  assert.equal(await shown('/p?a'), '/p?REDACTED');
  assert.equal(await shown('/p?a=&b=2=3'), '/p?a=REDACTED&b=REDACTED');
  assert.equal(await shown('/p#f?a=1'), '/p');
  const origin = `http://127.0.0.1:${port}`.length;
  for (const length of [2047, 2048, 2049]) {
    const path = '/' + 'x'.repeat(length - origin - 1);
    assert.equal((await shown(path)).length, Math.min(length, 2048) - origin);
  }
});

test('nothing starts while telemetry is off', async () => {
  await telemetry.shutdown(LIMIT);
  await requested('/');
  await restart();
  assert.equal((await take()).length, 0);
});

test('what is switched off is left alone, and so is everything after the end', async () => {
  stop();
  await restart();
  const address = `http://127.0.0.1:${port}/`;
  const both = async () => {
    await requested('/');
    await fetch(address, { headers: { connection: 'close' } }).then((answer) => answer.text());
    return (await take()).length;
  };
  for (const [options, count] of [
    [{ spans: true }, 2],
    [{ spans: true, fetch: true, http: true }, 2],
    [{ spans: true, fetch: false }, 1],
    [{ spans: true, http: false }, 1],
    [{ spans: true, fetch: false, http: false }, 0],
    [{ spans: true, fetch: undefined, http: 0 }, 2],
    [{ spans: 1 }, 0],
    [{}, 0],
  ]) {
    const end = telemetry.instrumentOutgoing(options);
    assert.equal(await both(), count, JSON.stringify(options));
    end();
    assert.equal(await both(), 0);
  }
});
