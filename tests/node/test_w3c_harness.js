'use strict';
// The W3C trace-context harness, end to end: an Express service handles POST /test by posting to
// the given addresses, and the headers there must be correct in each of the 41 cases. Header fields
// are sent byte for byte, including duplicates and case.

const test = require('node:test');
const assert = require('node:assert/strict');
const net = require('node:net');
const { EXPRESS, begin, listen, raw, telemetry } = require('./http_driver.js');
const { telemetryMiddleware } = require('../../middleware/express');

const CASES = ['traceparent', 'tracestate']
  .flatMap((name) => require(`../vectors/${name}.json`).cases)
  .filter((item) => item.harness);
const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
const VALID = '00-12345678901234567890123456789012-1234567890123456-01';

/** Stores the header fields of every POST in order, by path. */
function collector() {
  const received = new Map();
  const server = net.createServer((socket) => {
    let text = '';
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      if (end === -1) return;
      const lines = text.slice(0, end).split('\r\n');
      const fields = lines
        .slice(1)
        .map((line) => [
          line.slice(0, line.indexOf(':')).trim().toLowerCase(),
          line.slice(line.indexOf(':') + 1).trim(),
        ]);
      if (text.length < end + 4 + Number(Object.fromEntries(fields)['content-length'] || 0)) return;
      const path = lines[0].split(' ')[1];
      received.set(path, [...(received.get(path) || []), fields]);
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
    });
  });
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve({ server, received, port: server.address().port })),
  );
}

/** Makes one request over a new socket; resolves to its status. */
async function post(port, path, body, headers) {
  const lines = [
    `POST ${path} HTTP/1.1`,
    'host: localhost',
    'content-type: application/json',
    `content-length: ${body.length}`,
    'connection: close',
  ];
  const fields = headers.map(([name, value]) => `${name}: ${value}`);
  const answer = await raw(port, `${[...lines, ...fields, '', ''].join('\r\n')}${body}`);
  return Number(answer.split(' ')[1]);
}

/** The service under test: uses only inject(). */
function service(express) {
  const app = express();
  app.use(telemetryMiddleware());
  app.use(express.json());
  app.post('/test', async (req, res, next) => {
    try {
      for (const item of req.body) {
        const { port, pathname } = new URL(item.url);
        await post(
          Number(port),
          pathname,
          JSON.stringify(item.arguments),
          Object.entries(telemetry.inject({})),
        );
      }
      res.send('ok');
    } catch (error) {
      next(error);
    }
  });
  return app;
}

/** Returns the members that the service did not add. */
function members(values) {
  return values
    .flatMap((value) => value.split(','))
    .map((item) => item.trim())
    .filter((item) => item !== '' && !item.startsWith('ot='));
}

/** Returns what the collector received: [{traceId, parentId, flags, states}]. */
async function sentOn(port, there, name, headers, callbacks = 1) {
  const path = `/callback/${name}`;
  const before = (there.received.get(path) || []).length;
  const items = Array(callbacks).fill({
    url: `http://127.0.0.1:${there.port}${path}`,
    arguments: [],
  });
  assert.equal(await post(port, '/test', JSON.stringify(items), headers), 200);
  const arrived = (there.received.get(path) || []).slice(before);
  assert.equal(arrived.length, callbacks);
  return arrived.map((fields) => {
    const traceparents = fields.filter(([field]) => field === 'traceparent');
    assert.equal(traceparents.length, 1);
    const [, traceId, parentId, flags] = TRACEPARENT.exec(traceparents[0][1]);
    assert.ok(/[^0]/.test(traceId) && /[^0]/.test(parentId));
    const states = fields.filter(([field]) => field === 'tracestate').map(([, value]) => value);
    return { traceId, parentId, flags: parseInt(flags, 16), states };
  });
}

async function check(port, there, name, { headers, continued, parent, flags, tracestate }) {
  const sent = headers.map(([, value]) => value.split('-')[1]);
  for (const found of await sentOn(port, there, name, headers)) {
    if (continued === null) assert.ok(!sent.includes(found.traceId));
    else {
      assert.equal(found.traceId, continued);
      assert.notEqual(found.parentId, parent);
      assert.equal(found.flags & 3 & flags, flags & 3);
    }
    assert.deepEqual(members(found.states), members([tracestate]));
  }
}

test('all cases are here', () => {
  assert.equal(new Set(CASES.map((item) => item.case)).size, 41);
});

for (const { name, express } of EXPRESS) {
  test(name, { timeout: 60000 }, async (t) => {
    await begin();
    const there = await collector();
    const { port, close } = await listen(service(express));
    t.after(async () => {
      await close();
      there.server.close();
    });
    for (const item of CASES) {
      await t.test(item.case, async () => {
        for (const one of item.requests) await check(port, there, item.case, one);
      });
    }
    await t.test('every callback has its own parent', async () => {
      const zero = VALID.replace(/-\d{32}-/, `-${'0'.repeat(32)}-`);
      for (const [headers, continued] of [
        [[['traceparent', VALID]], VALID.slice(3, 35)],
        [[], null],
        [[['traceparent', zero]], null],
      ]) {
        const found = await sentOn(port, there, 'advanced', headers, 3);
        assert.equal(new Set(found.map((one) => one.traceId)).size, 1);
        if (continued !== null) assert.equal(found[0].traceId, continued);
        assert.ok(found.every((one) => one.parentId !== '1234567890123456'));
      }
    });
  });
}
