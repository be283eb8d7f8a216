'use strict';
// Results of outgoing requests: an abort by the caller is not an error, a timeout or a cut
// connection is one; recorded parts of the URL; requests of other agents are not recorded.

const assert = require('node:assert/strict');
const http = require('node:http');
const { after, before, beforeEach, test: plainTest } = require('node:test');
const { LIMIT, restart, take, telemetry } = require('./support.js');

const SOON_MS = 20;
const test = (name, body) => plainTest(name, { timeout: 30000 }, body);
const soon = (fn) => setTimeout(fn, SOON_MS);

/** Responses that never arrive, are slow, or break off. */
function answer(incoming, outgoing) {
  const { pathname } = new URL(incoming.url, 'http://x');
  if (pathname === '/never') return;
  if (pathname === '/reset') return void incoming.socket.destroy();
  if (pathname === '/slow' || pathname === '/cut') outgoing.write('begin');
  if (pathname === '/slow') return;
  if (pathname === '/cut') return void soon(() => outgoing.socket.destroy());
  if (pathname === '/short') {
    outgoing.writeHead(200, { 'content-length': 100 }).write('begin');
    return void soon(() => outgoing.socket.end());
  }
  outgoing.end(JSON.stringify(incoming.headers));
}

let server;
let url;
let port;
let uninstall;
before(async () => {
  server = http.createServer(answer);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  ({ port } = server.address());
  url = `http://127.0.0.1:${port}`;
  await fetch(url); // the first one is slow
});
beforeEach(() => {
  uninstall?.();
  uninstall = telemetry.instrumentOutgoing({ spans: true });
  return restart();
});
after(async () => {
  uninstall();
  server.closeAllConnections();
  server.close();
  await telemetry.shutdown(LIMIT);
});

/** Makes one request by http.get, which `act` may disturb; resolves at its end. */
const get = (path, options, act = () => {}) =>
  new Promise((resolve) => {
    const request = http.get(
      { host: '127.0.0.1', port, path, agent: false, ...options },
      (response) => {
        response.on('error', () => {}).resume();
        act(request, response);
      },
    );
    request.on('error', () => {}).on('close', () => setImmediate(resolve));
    if (path.startsWith('/never')) act(request);
  });
const read = async (path, options) => {
  try {
    await (await fetch(url + path, options)).text();
  } catch {
    // The span shows it.
  }
};
const aborting = (reason) => {
  const controller = new AbortController();
  soon(() => controller.abort(reason));
  return controller.signal;
};

/** Returns status code and error.type of the one client span. */
async function outcome() {
  await new Promise((resolve) => setTimeout(resolve, 10));
  const span = (await take()).one('http.client');
  return [span.status.code, span.attributes['error.type'], span.events.length];
}

const cancelled = {
  'fetch by a signal': () => read('/never', { signal: aborting() }),
  'fetch by a signal, with a reason': () =>
    read('/never', { signal: aborting(new Error('the user left')) }),
  'fetch by a signal, with a text': () => read('/never', { signal: aborting('gone') }),
  'fetch by a signal, while the body comes': () =>
    read('/slow', { signal: aborting(new Error('the user left')) }),
  'fetch by its body': async () => (await fetch(`${url}/slow`)).body.cancel(),
  'fetch by its body, with a text': async () => (await fetch(`${url}/slow`)).body.cancel('enough'),
  'fetch by its reader, with an error': async () => {
    const reader = (await fetch(`${url}/slow`)).body.getReader();
    await reader.read();
    await reader.cancel(new TypeError('of another kind'));
  },
  'fetch by what its body is piped through': async () => {
    const first = new TransformStream({ transform: (chunk, controller) => controller.terminate() });
    await new Response((await fetch(`${url}/slow`)).body.pipeThrough(first)).text();
  },
  'http by a signal': () => get('/never', { signal: aborting() }),
  'http by a signal, while the body comes': () => get('/slow', { signal: aborting() }),
  'http by destroy': () => get('/never', {}, (request) => soon(() => request.destroy())),
  'http by abort': () => get('/never', {}, (request) => soon(() => request.abort())),
  'http by destroy, while the body comes': () => get('/slow', {}, (request) => request.destroy()),
  'http by destroy of the answer': () =>
    get('/slow', {}, (request, response) => response.destroy()),
  'http by an error that says so': () =>
    get('/never', {}, (request) =>
      soon(() => request.destroy(Object.assign(new Error('x'), { code: 'ERR_CANCELED' }))),
    ),
};
for (const [name, act] of Object.entries(cancelled)) {
  test(`given up by the caller, no error: ${name}`, async () => {
    await act();
    assert.deepEqual(await outcome(), [0, undefined, 0]);
  });
}

const failed = {
  'fetch, time-out': [
    'TimeoutError',
    () => read('/never', { signal: AbortSignal.timeout(SOON_MS) }),
  ],
  'fetch, time-out of the body': [
    'TimeoutError',
    () => read('/slow', { signal: AbortSignal.timeout(SOON_MS) }),
  ],
  'http, time-out by a signal': [
    'TimeoutError',
    () => get('/never', { signal: AbortSignal.timeout(SOON_MS) }),
  ],
  'http, time-out by an event': [
    'TimeoutError',
    () =>
      get('/never', { timeout: SOON_MS }, (request) =>
        request.on('timeout', () => request.destroy()),
      ),
  ],
  'http, time-out of the body': [
    'TimeoutError',
    () =>
      get('/slow', { timeout: SOON_MS }, (request) =>
        request.on('timeout', () => request.destroy()),
      ),
  ],
  'http, the caller names an error': [
    'Error',
    () => get('/never', {}, (request) => soon(() => request.destroy(new Error('mine')))),
  ],
  'fetch, reset': ['UND_ERR_SOCKET', () => read('/reset')],
  'fetch, cut off': ['UND_ERR_SOCKET', () => read('/cut')],
  'http, reset': ['ECONNRESET', () => get('/reset')],
  'http, cut off': ['ECONNRESET', () => get('/cut')],
  'http, shorter than said': ['ECONNRESET', () => get('/short')],
  'fetch, the body that is sent fails': [
    'Error',
    () => {
      const body = new ReadableStream({
        start: (controller) => soon(() => controller.error(new Error('disk'))),
      });
      return read('/never', { method: 'POST', body, duplex: 'half' });
    },
  ],
};
for (const [name, [type, act]] of Object.entries(failed)) {
  test(`an error: ${name}`, async () => {
    await act();
    assert.deepEqual(await outcome(), [2, type, 1]);
  });
}

test('an address is shown without credentials, values of its query and fragment', async () => {
  await get('/a/b?token=secret&page=2&flag#part');
  await get('/', { path: 'http://user:password@far.example/x?k=v' });
  await get('/ok', { auth: 'user:password' });
  await read(`/${'long'.repeat(2000)}?q=secret`);
  const addresses = (await take()).map((span) => span.attributes['url.full']);
  assert.deepEqual(addresses.slice(0, 3), [
    `${url}/a/b?token=REDACTED&page=REDACTED&REDACTED`,
    'http://far.example/x?k=REDACTED',
    `${url}/ok`,
  ]);
  assert.ok(addresses[3].length <= 2048 && !addresses[3].includes('secret'));
});

test('requests of other agents are neither recorded nor changed', async () => {
  const post = (path, headers) =>
    fetch(url + path, { method: 'POST', headers, body: '{}' }).then((r) => r.json());
  const sent = [
    await post('/v1/traces', { 'content-type': 'application/x-protobuf' }),
    await post('/v1/metrics', { 'user-agent': 'OTel-OTLP-Exporter-JavaScript/0.203.0' }),
    await post('/v0.4/traces', { 'datadog-meta-lang': 'nodejs' }),
    await post('/api/42/envelope/', {}),
    await post('/intake/v2/events', { 'user-agent': 'apm-agent-nodejs/4.0.0' }),
  ];
  await get('/v0.4/traces', { method: 'PUT', headers: { 'Datadog-Meta-Lang': 'nodejs' } });
  for (const headers of sent) assert.equal(headers.traceparent, undefined);
  assert.equal((await take()).length, 0);
  assert.ok((await post('/v1/metrics', { 'content-type': 'application/json' })).traceparent);
  assert.equal((await take()).length, 1);
});

test('what OpenTelemetry marks as its own work is left alone', async () => {
  const key = Symbol.for('opentelemetry.js.api.1');
  const { [key]: before_ } = globalThis;
  const suppressed = {
    getValue: (asked) => asked === Symbol.for('OpenTelemetry SDK Context Key SUPPRESS_TRACING'),
  };
  globalThis[key] = { context: { active: () => suppressed } };
  try {
    await read('/any');
    await get('/any');
  } finally {
    globalThis[key] = before_;
  }
  assert.equal((await take()).length, 0);
});
