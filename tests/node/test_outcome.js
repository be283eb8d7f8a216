'use strict';
// The end of a request: a client that leaves is not an error; a connection that the service closes
// is a failure of the service; the status is the one that was sent. And servers that never close.

const test = require('node:test');
const assert = require('node:assert/strict');
const { EventEmitter } = require('node:events');
const http = require('node:http');
const http2 = require('node:http2');
const net = require('node:net');
const { Readable, Writable, pipeline } = require('node:stream');
const inject = require('light-my-request');
const {
  EXPRESS,
  begin,
  listen,
  raw,
  request,
  requestsTotal,
  samples,
  serverSpans,
  sleep,
  wire,
} = require('./http_driver.js');
const { telemetryMiddleware } = require('../../middleware/express');
const {
  instrumentServer,
  recordRequestError,
  telemetryListener,
} = require('../../middleware/http');

/**
 * Returns the outcome of a request: [status of the metrics, status of the span, its status code,
 * who left, errors].
 */
async function told(span) {
  const total = Object.keys(await requestsTotal()).map((label) => label.split(' ').pop());
  const { attributes } = span;
  const messages = span.events.map((event) => event.attributes['exception.message']);
  return {
    counted: total.join(),
    status: span.status,
    code: attributes['http.status_code'],
    left: attributes['http.client_disconnected'],
    errors: messages.join(),
  };
}

const CLIENT_LEFT = { counted: '499', status: 'unset', code: undefined, left: true, errors: '' };

function each(name, body) {
  for (const version of EXPRESS) {
    test(`${version.name}: ${name}`, { timeout: 60000 }, async (t) => {
      await body(t, version, async (routes) => {
        await begin();
        const app = version.express();
        app.set('env', 'test');
        app.use(telemetryMiddleware());
        await routes(app);
        const { port, server, close } = await listen(app);
        t.after(close);
        return { port, server };
      });
    });
  }
}

/**
 * Sends the start of `count` requests and leaves while they run, with or without closing the
 * connection cleanly.
 */
async function leave({ port, server }, text, abruptly, count = 1) {
  const begun = new Promise((resolve) => server.on('request', () => --count === 0 && resolve()));
  const client = net.connect(port, '127.0.0.1', () => client.write(text));
  client.on('error', () => {});
  await begun;
  await sleep(20);
  if (abruptly) client.resetAndDestroy();
  else client.destroy();
}

const PART =
  'POST /up HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n' +
  'content-length: 100\r\n\r\n{"a":';
const CHUNK =
  'POST /up HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n' +
  'transfer-encoding: chunked\r\n\r\n5\r\n{"a":';

/** Reads a body as upload libraries do, and reports errors itself. */
function upload(req, res, next) {
  const sink = new Writable({ write: (chunk, encoding, done) => done() });
  req.on('aborted', () => next(new Error('Request aborted')));
  req.on('error', (error) =>
    next(Object.assign(new Error('Unexpected end of form'), { cause: error })),
  );
  req.pipe(sink).on('finish', () => res.send('ok'));
}

for (const [how, text, abruptly] of [
  ['with a length', PART, false],
  ['in chunks', CHUNK, false],
  ['by a reset', PART, true],
]) {
  each(`an upload ${how} that is given up is no error`, async (t, { express }, serve) => {
    const parsers = {
      small: [express.json({ limit: 10 }), (req, res) => res.send('x')],
      json: [express.json(), (req, res) => res.send('x')],
      upload: [upload],
      waits: [async (req, res) => (req.resume(), await sleep(200), res.status(500).send('late'))],
      iterates: [
        (req, res, next) =>
          (async () => {
            for await (const chunk of req) void chunk;
          })().then(() => res.send('x'), next),
      ],
    };
    for (const [name, handlers] of Object.entries(parsers)) {
      for (const status of [0, 500]) {
        const at = await serve((app) => {
          app.post('/up', ...handlers);
          if (status > 0)
            app.use(
              (error, req, res, next) => res.headersSent || res.status(status).send('handled'),
            );
        });
        await leave(at, text, abruptly);
        const [span] = await serverSpans();
        assert.deepEqual(await told(span), CLIENT_LEFT, `${name}, answered with ${status}`);
        assert.equal(span.attributes['http.route'], '/up');
      }
    }
  });
}

each('what the service ends is its own failure', async (t, version, serve) => {
  const failing = (after) =>
    new Readable({
      read() {
        if (after-- > 0) this.push('chunk');
        else this.destroy(Object.assign(new Error('the disk is gone'), { code: 'ECONNRESET' }));
      },
    });
  const routes = {
    '/middle': (req, res) => pipeline(failing(2), res, () => {}),
    '/once': (req, res) => pipeline(failing(0), res, () => {}),
    '/destroy': (req, res) => res.destroy(new Error('mine')),
    '/begun': (req, res) => (res.write('x'), setTimeout(() => res.destroy(new Error('mine')), 10)),
    '/limit': (req, res) => res.setTimeout(30),
    '/socket': (req) => req.socket.destroy(),
    '/ended': (req) => req.socket.end(),
    '/ended-later': (req, res) => (res.write('x'), req.socket.end()),
    '/thrown': (req, res) => {
      res.write('x');
      throw new Error('after the answer began');
    },
  };
  const failed = { status: 'error', left: undefined };
  const expected = {
    '/middle': { counted: '200', code: 200, errors: 'the disk is gone' },
    '/once': { counted: '500', code: 500, errors: 'the disk is gone' },
    '/destroy': { counted: '500', code: 500, errors: 'mine' },
    '/begun': { counted: '200', code: 200, errors: 'mine' },
    '/limit': { counted: '500', code: 500, errors: '' },
    '/socket': { counted: '500', code: 500, errors: '' },
    '/ended': { counted: '500', code: 500, errors: '' },
    '/ended-later': { counted: '200', code: 200, errors: '' },
    '/thrown': { counted: '200', code: 200, errors: 'after the answer began' },
  };
  for (const [path, handler] of Object.entries(routes)) {
    const { port } = await serve((app) => app.get(path, handler));
    await request(port, path).catch(() => undefined);
    const [span] = await serverSpans();
    assert.deepEqual(await told(span), { ...failed, ...expected[path] }, path);
  }
});

each('requests of one connection, the first of which never ends', async (t, version, serve) => {
  const at = await serve((app) => {
    app.get('/never', () => {});
    app.post('/up', version.express.json(), (req, res) => res.send('x'));
    app.get('/soon', (req, res) => res.send('waits behind'));
  });
  await leave(at, wire('GET', '/never') + wire('GET', '/soon') + PART, false, 3);
  const found = await serverSpans(3);
  const routes = found.map((span) => span.attributes['http.route']).sort();
  assert.deepEqual(routes, ['/never', '/soon', '/up']);
  assert.ok(
    found.every(
      (span) => span.attributes['http.client_disconnected'] === true && span.status === 'unset',
    ),
  );
});

each('a client that leaves in the middle of an answer', async (t, version, serve) => {
  const at = await serve((app) =>
    app.get('/stream', (req, res) => {
      const more = setInterval(() => res.write('x'.repeat(1000)), 5);
      req.on('close', () => (clearInterval(more), res.destroy(new Error('gone'))));
    }),
  );
  await leave(at, wire('GET', '/stream'), false);
  const [span] = await serverSpans();
  assert.deepEqual(await told(span), {
    counted: '200',
    status: 'unset',
    code: 200,
    left: true,
    errors: '',
  });
});

each('the status is what was sent', async (t, version, serve) => {
  const { port } = await serve((app) => {
    app.get('/late', (req, res) => (res.json({ ok: true }), res.status(500)));
    app.get('/early', (req, res) => {
      res.writeHead(503);
      res.statusCode = 200;
      res.end('no');
    });
  });
  assert.equal((await request(port, '/late')).status, 200);
  const [late] = await serverSpans();
  assert.deepEqual([late.attributes['http.status_code'], late.status], [200, 'unset']);
  assert.equal((await request(port, '/early')).status, 503);
  const [early] = await serverSpans();
  assert.deepEqual([early.attributes['http.status_code'], early.status], [503, 'error']);
});

each('an answer in full, and then the connection is cut', async (t, version, serve) => {
  const { port } = await serve((app) =>
    app.post('/up', (req, res) => {
      res.status(413).send('too large');
      req.destroy();
    }),
  );
  await raw(port, PART).catch(() => undefined);
  const [span] = await serverSpans();
  assert.deepEqual(await told(span), {
    counted: '413',
    status: 'unset',
    code: 413,
    left: undefined,
    errors: '',
  });
});

each('a client that closes its side and still gets an answer', async (t, version, serve) => {
  const { port, server } = await serve((app) =>
    app.get('/half', async (req, res) => (await sleep(30), res.send('x'))),
  );
  server.httpAllowHalfOpen = true;
  const client = net.connect(port, '127.0.0.1', () => client.end(wire('GET', '/half')));
  const text = await new Promise((resolve) => client.once('data', (data) => resolve(String(data))));
  assert.match(text, /^HTTP\/1\.1 200/);
  const [span] = await serverSpans();
  assert.deepEqual(await told(span), {
    counted: '200',
    status: 'unset',
    code: 200,
    left: undefined,
    errors: '',
  });
});

each('what Node answers by itself', async (t, version, serve) => {
  const { port, server } = await serve((app) =>
    app.post('/up', version.express.json(), (req, res) => res.send('x')),
  );
  server.headersTimeout = server.requestTimeout = 50;
  server.setTimeout(0);
  const broken = `${CHUNK}\r\nnonsense\r\n`;
  assert.match(await raw(port, broken), /^HTTP\/1\.1 400/);
  const [span] = await serverSpans();
  assert.deepEqual(await told(span), {
    counted: '400',
    status: 'unset',
    code: 400,
    left: undefined,
    errors: '',
  });
});

each('the error itself, whoever answers it', async (t, version, serve) => {
  const { port } = await serve((app) => {
    app.get('/first', () => {
      throw new Error('the reason');
    });
    app.get('/wrapped', (req, res, next) => next(new Error('inner')));
    app.use('/wrapped', (error, req, res, next) => next(new Error('outer', { cause: error })));
    app.use((error, req, res, next) => res.status(502).json({ error: 'sorry' }));
  });
  for (const [path, message] of [
    ['/first', 'the reason'],
    ['/wrapped', 'outer'],
  ]) {
    assert.equal((await request(port, path)).status, 502);
    const [span] = await serverSpans();
    assert.deepEqual(
      [span.status, span.events.map((e) => e.attributes['exception.message'])],
      ['error', [message]],
    );
    if (path === '/wrapped')
      assert.match(span.events[0].attributes['exception.stacktrace'], /Caused by: Error: inner/);
  }
});

each(
  'a websocket that a router is told of is one span, ended with its connection',
  async (t, version) => {
    for (const wrap of [(server) => server, instrumentServer]) {
      await begin();
      const app = version.express();
      app.use(telemetryMiddleware());
      app.get('/echo/:room/.websocket', (req) => void req);
      const server = http.createServer(app);
      server.on('upgrade', (req, socket) => {
        socket.write(
          'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
        );
        req.url += '/.websocket';
        const dummy = new http.ServerResponse(req);
        app.handle(req, dummy, () => socket.end());
        socket.on('data', () => socket.end()).on('error', () => {});
      });
      const { port, close } = await listen(wrap(server));
      t.after(close);
      const fields = ['connection: upgrade', 'upgrade: websocket'];
      const client = net.connect(port, '127.0.0.1', () =>
        client.write(wire('GET', '/echo/blue', fields)),
      );
      await new Promise((resolve) => client.once('data', resolve));
      assert.equal((await serverSpans(0)).length, 0);
      client.resume().end('bye');
      const [span] = await serverSpans();
      assert.deepEqual(
        [
          span.name,
          span.status,
          span.attributes['http.route'],
          span.attributes['http.status_code'],
        ],
        ['websocket', 'unset', '/echo/:room', 101],
      );
    }
  },
);

test('a listener whose framework answers errors by itself', { timeout: 30000 }, async (t) => {
  await begin();
  const handler = telemetryListener((req, res) => {
    recordRequestError(res, new RangeError('caught'));
    res.statusCode = Number(req.url.slice(1));
    res.end();
  });
  const { port, close } = await listen(handler);
  t.after(close);
  for (const [status, errors] of [
    [500, ['caught']],
    [404, []],
  ]) {
    await request(port, `/${status}`);
    const [span] = await serverSpans();
    assert.deepEqual(
      span.events.map((event) => event.attributes['exception.message']),
      errors,
    );
  }
  for (const nothing of [null, undefined, 7, {}, new EventEmitter()])
    recordRequestError(nothing, new Error('x'));
});

test('HTTP/2: methods that a client makes up take no room', { timeout: 60000 }, async (t) => {
  await begin({ semconv: 'both' });
  const server = instrumentServer(http2.createServer((req, res) => res.end()));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = http2.connect(`http://127.0.0.1:${server.address().port}`);
  t.after(() => (client.destroy(), server.close()));
  const letters = (i) => String.fromCharCode(65 + (i % 26), 65 + Math.floor(i / 26));
  for (let i = 0; i < 200; i++) {
    const stream = client.request({ ':method': `MADE${letters(i)}`, ':path': '/' });
    stream.end();
    await new Promise((resolve) => stream.resume().on('close', resolve));
  }
  const spans = await serverSpans(200);
  const original = new Set(spans.map((span) => span.attributes['http.request.method_original']));
  assert.ok(spans.every((span) => span.attributes['http.request.method'] === '_OTHER'));
  assert.ok(original.size >= 10 && original.size <= 65, String(original.size));
  assert.deepEqual(Object.keys(await requestsTotal()), ['_OTHER unmatched 200']);
  const series = Object.keys(await samples('http_server_request_duration_seconds_count'));
  assert.equal(series.length, 1);
  assert.match(series[0], /method="_OTHER",.*network_protocol_version="2"/);
});

test('HTTP/2: a reset by the client, and one of our own', { timeout: 30000 }, async (t) => {
  const server = instrumentServer(
    http2.createServer((req, res) => {
      if (req.url === '/own') res.stream.destroy(new Error('mine'));
      else if (req.url === '/late')
        req.on('aborted', () => (res.writeHead(500), res.end())).resume();
      else req.resume();
    }),
  );
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = http2.connect(`http://127.0.0.1:${server.address().port}`);
  t.after(() => (client.destroy(), server.close()));
  const ask = async (path, abort) => {
    await begin();
    const stream = client.request({ ':method': 'POST', ':path': path });
    stream.on('error', () => {});
    stream.write('abc');
    await sleep(50);
    if (abort) stream.close(http2.constants.NGHTTP2_CANCEL);
    const [span] = await serverSpans();
    return told(span);
  };
  assert.deepEqual(await ask('/waits', true), CLIENT_LEFT);
  assert.deepEqual(await ask('/late', true), CLIENT_LEFT);
  const own = await ask('/own', false);
  assert.deepEqual([own.counted, own.status, own.left], ['500', 'error', undefined]);
});

// Last: light-my-request changes the prototype of all responses of Express.
each(
  'no socket: what an adapter calls ends when its answer is complete',
  async (t, version, serve) => {
    await serve(() => {});
    const applications = [1, 2].map(() => {
      const app = version.express();
      app.use(telemetryMiddleware());
      app.get('/items/:id', (req, res) => res.send('x'));
      return app;
    });
    const res = new http.ServerResponse({
      method: 'GET',
      httpVersionMajor: 1,
      httpVersionMinor: 1,
    });
    const plain = {
      _writableState: {},
      writable: true,
      on() {},
      removeListener() {},
      destroy() {},
      cork() {},
      uncork() {},
    };
    res.assignSocket({
      ...plain,
      write: (data, ...rest) => rest.forEach((one) => typeof one === 'function' && one()),
    });
    const req = Object.assign(new Readable({ read() {} }), {
      method: 'GET',
      url: '/items/2',
      headers: {},
      socket: null,
    });
    req.push(null);
    applications[1](req, res);
    assert.equal((await inject(applications[0], { method: 'GET', url: '/items/1' })).payload, 'x');
    const found = await serverSpans(2);
    assert.deepEqual(
      found.map((span) => [
        span.attributes['http.route'],
        span.attributes['http.status_code'],
        span.status,
      ]),
      Array(2).fill(['/items/:id', 200, 'unset']),
    );
  },
);
