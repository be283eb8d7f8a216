'use strict';
// Websocket handshakes of a recorded server: the status in any form, an unchanged socket of the
// application, and connections that end before, during and after the handshake.

const assert = require('node:assert/strict');
const http = require('node:http');
const net = require('node:net');
const { after, test } = require('node:test');
const { begin, listen, raw, serverSpans, telemetry, wire } = require('./http_driver.js');
const { instrumentServer } = require('../../middleware/http');

const HANDSHAKE = wire('GET', '/chat', [
  'connection: Upgrade',
  'upgrade: websocket',
  'sec-websocket-version: 13',
]);
const HEAD = (status) => `HTTP/1.1 ${status} X\r\nconnection: close\r\n\r\n`;

after(() => telemetry.shutdown(1000));

/** Returns the span of one handshake, which answer(socket, req) completes. */
async function spanOf(t, answer, options) {
  await begin();
  const plain = http.createServer();
  plain.on('upgrade', (req, socket) => {
    socket.on('error', () => {});
    answer(socket, req);
  });
  const { port, close } = await listen(instrumentServer(plain, options));
  t.after(close);
  await raw(port, HANDSHAKE);
  const [span] = await serverSpans();
  return span;
}

const FORMS = {
  text: (socket) => socket.end(HEAD(401)),
  bytes: (socket) => socket.end(Buffer.from(HEAD(401))),
  'an array of bytes': (socket) => socket.end(new Uint8Array(Buffer.from(HEAD(401)))),
  'a write and an end': (socket) => (socket.write(HEAD(401)), socket.end()),
  'a write in parts': (socket) => (
    socket.write(HEAD(401).slice(0, 14)),
    socket.write(HEAD(401).slice(14)),
    socket.end()
  ),
  'an encoding and a callback': (socket) => socket.write(HEAD(401), 'latin1', () => socket.end()),
  'a later status that is none': (socket) => (
    socket.write(HEAD(401)),
    socket.end('HTTP/1.1 500 X\r\n')
  ),
};
for (const [name, answer] of Object.entries(FORMS)) {
  test(`a refusal as ${name}`, { timeout: 30000 }, async (t) => {
    const span = await spanOf(t, answer);
    assert.equal(span.attributes['http.status_code'], 401);
    assert.equal(span.name, 'websocket');
    assert.equal(span.attributes['http.client_disconnected'], undefined);
    assert.notEqual(span.status, 'error');
  });
}

test('a failure of the service is an error', { timeout: 30000 }, async (t) => {
  const span = await spanOf(t, (socket) => socket.end(HEAD(503)));
  assert.deepEqual([span.attributes['http.status_code'], span.status], [503, 'error']);
});

test('what is no status line is the protocol that was agreed on', { timeout: 30000 }, async (t) => {
  const span = await spanOf(t, (socket) => socket.end('not HTTP'));
  assert.equal(span.attributes['http.status_code'], 101);
});

test('a socket that is closed without a word: no status', { timeout: 30000 }, async (t) => {
  for (const close of [(socket) => socket.destroy(), (socket) => socket.end()]) {
    const span = await spanOf(t, close);
    assert.equal(span.attributes['http.status_code'], undefined);
    assert.equal(span.attributes['http.client_disconnected'], true);
  }
});

test('after the handshake the socket has its own methods again', { timeout: 30000 }, async (t) => {
  const found = [];
  const own = (socket) =>
    ['write', 'end'].map((name) => socket[name] === net.Socket.prototype[name]);
  await spanOf(t, (socket) => {
    const before = [socket.write, socket.end];
    socket.write(HEAD(101));
    found.push(
      own(socket),
      [socket.write, socket.end].map((method, i) => method !== before[i]),
    );
    socket.end();
  });
  assert.deepEqual(found, [
    [true, true],
    [true, true],
  ]);
});

test(
  'methods that somebody else put on the socket meanwhile stay',
  { timeout: 30000 },
  async (t) => {
    let own;
    let calls = 0;
    await spanOf(t, (socket) => {
      const { write } = socket;
      own = function theirs(...given) {
        calls++;
        return write.apply(this, given);
      };
      socket.write = own;
      socket.write(HEAD(101));
      assert.equal(socket.write, own);
      socket.end();
    });
    assert.equal(calls, 1);
  },
);

test('what is excluded is no span, and its context goes on', { timeout: 30000 }, async (t) => {
  await begin();
  const plain = http.createServer();
  let trace;
  plain.on('upgrade', (req, socket) => {
    trace = telemetry.getCurrentTraceId();
    socket.end(HEAD(403));
  });
  const { port, close } = await listen(instrumentServer(plain, { exclude: ['/chat'] }));
  t.after(close);
  const traceparent = 'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  await raw(port, HANDSHAKE.replace('host:', `${traceparent}\r\nhost:`));
  assert.equal(trace, '0af7651916cd43dd8448eb211c80319c');
  assert.equal((await serverSpans(0)).length, 0);
});

test(
  'a template is found by the option, without the mark of express-ws',
  { timeout: 30000 },
  async (t) => {
    for (const [route, shown] of [
      [() => '/chat/:room/.websocket', '/chat/:room'],
      [() => '/.websocket', '/'],
      [() => '/a/.websocket/', '/a'],
      [() => '/a.websocket', '/a.websocket'],
      [() => '', undefined],
      [() => assert.fail('no'), undefined],
    ]) {
      const span = await spanOf(t, (socket) => socket.end(HEAD(101)), { route });
      assert.equal(span.attributes['http.route'], shown);
    }
  },
);
