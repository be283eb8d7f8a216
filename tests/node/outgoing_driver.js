'use strict';
// A server with responses of every kind, and requests to it that are cancelled or fail, with the
// outcome that their span has.

const assert = require('node:assert/strict');
const http = require('node:http');
const { after, before, beforeEach, test } = require('node:test');
const { LIMIT, restart, take, telemetry } = require('./support.js');

const SOON_MS = 20;
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

/** Instrumented requests to the server, for the tests of the calling file. */
function eachRecorded() {
  let uninstall;
  before(async () => {
    server = http.createServer(answer);
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    await fetch(address()); // the first one is slow
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
}

const address = () => `http://127.0.0.1:${server.address().port}`;

/** Makes one request by http.get, which `act` may disturb; resolves at its end. */
const get = (path, options, act = () => {}) =>
  new Promise((resolve) => {
    const request = http.get(
      { host: '127.0.0.1', port: server.address().port, path, agent: false, ...options },
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
    await (await fetch(address() + path, options)).text();
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

/** Tests of requests that the caller cancels, and of requests that fail with a type. */
function testOutcomes(cancelled, failed) {
  for (const [name, act] of Object.entries(cancelled)) {
    test(`given up by the caller, no error: ${name}`, { timeout: 30000 }, async () => {
      await act();
      assert.deepEqual(await outcome(), [0, undefined, 0]);
    });
  }
  for (const [name, [type, act]] of Object.entries(failed)) {
    test(`an error: ${name}`, { timeout: 30000 }, async () => {
      await act();
      assert.deepEqual(await outcome(), [2, type, 1]);
    });
  }
}

module.exports = { SOON_MS, aborting, address, eachRecorded, get, read, soon, testOutcomes };
