'use strict';
// The Express middleware: the recorded data of a request, the context of its handlers, and
// unchanged behavior of the application.

const assert = require('node:assert/strict');
const { EventEmitter } = require('node:events');
const net = require('node:net');
const {
  begin,
  raw,
  request,
  requestsTotal,
  serverSpans,
  sleep,
  spans,
  telemetry,
  wire,
} = require('./http_driver.js');
const {
  metricsHandler,
  telemetryErrorHandler,
  telemetryMiddleware,
} = require('../../middleware/express');

const { eachVersion: each, serve } = require('./express_driver.js');

const PARENT = '00-12345678901234567890123456789012-1234567890123456-01';
const ids = () => [telemetry.getCurrentTraceId(), telemetry.getCurrentSpanId()];

each('parent, tracestate and baggage are continued and sent on', async (t, version) => {
  let carrier;
  const port = await serve(t, version, (app) =>
    app.get('/', (req, res) => ((carrier = telemetry.inject({})), res.send('ok'))),
  );
  const fields = [
    `traceparent: ${PARENT}`,
    'tracestate: a=1',
    'tracestate: b=2',
    'baggage: user=7',
    'connection: close',
  ];
  await raw(port, wire('GET', '/', fields));
  const [span] = await serverSpans();
  assert.equal(span.traceId, PARENT.slice(3, 35));
  assert.equal(span.parentId, PARENT.slice(36, 52));
  assert.equal(carrier.traceparent, `00-${span.traceId}-${span.spanId}-01`);
  assert.match(carrier.tracestate, /a=1,b=2$/);
  assert.equal(carrier.baggage, 'user=7');
  assert.deepEqual(ids(), ['', '']);
});

each('the context follows body parsers, promises, timers and emitters', async (t, version) => {
  const emitter = new EventEmitter();
  const seen = [];
  const note = (where) => seen.push([where, ...ids()]);
  const port = await serve(t, version, (app, express) => {
    app.use(express.json());
    app.use((req, res, next) => (note('middleware'), next()));
    app.post('/all', async (req, res) => {
      note('handler');
      await sleep(1);
      note('await');
      emitter.once('go', () => note('emitter'));
      await new Promise((resolve) => setImmediate(() => (emitter.emit('go'), resolve())));
      await Promise.all([Promise.resolve().then(() => note('promise'))]);
      res.json(req.body);
    });
  });
  const answer = await request(port, '/all', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"a":1}',
  });
  assert.equal(answer.body, '{"a":1}');
  const [span] = await serverSpans();
  assert.deepEqual(
    seen.map(([where]) => where),
    ['middleware', 'handler', 'await', 'emitter', 'promise'],
  );
  assert.ok(
    seen.every(([, trace, id]) => trace === span.traceId && id === span.spanId),
    JSON.stringify(seen),
  );
});

each(
  'concurrent requests keep their own spans, and inner spans are children',
  async (t, version) => {
    const seen = new Map();
    const port = await serve(t, version, (app) =>
      app.get('/c/:n', async (req, res) => {
        const first = telemetry.getCurrentSpanId();
        await telemetry.withSpan('inner', async () => sleep(5));
        seen.set(req.params.n, [first, telemetry.getCurrentSpanId()]);
        res.send('ok');
      }),
    );
    await Promise.all(Array.from({ length: 30 }, (_, i) => request(port, `/c/${i}`)));
    await sleep(20);
    const all = await spans();
    const server = new Map(
      all.filter((span) => span.kind === 2).map((span) => [span.spanId, span]),
    );
    assert.equal(server.size, 30);
    assert.ok([...seen.values()].every(([first, last]) => first === last && server.has(first)));
    const inner = all.filter((span) => span.name === 'inner');
    assert.equal(new Set(inner.map((span) => span.parentId)).size, 30);
    assert.ok(inner.every((span) => server.get(span.parentId).traceId === span.traceId));
  },
);

each('errors: thrown, given to next, rejected, answered by the application', async (t, version) => {
  class Late extends Error {}
  const port = await serve(t, version, (app) => {
    app.get('/thrown', () => {
      throw new TypeError('thrown');
    });
    app.get('/next', (req, res, next) => setImmediate(next, new RangeError('given')));
    app.get('/rejected', async (req, res, next) => {
      await null;
      if (version.five) throw new Late('rejected');
      next(new Late('rejected'));
    });
    app.get('/text', (req, res, next) => next('only text'));
    app.get('/client', (req, res, next) =>
      next(Object.assign(new Error('bad input'), { status: 400 })),
    );
  });
  const found = {};
  for (const path of ['/thrown', '/next', '/rejected', '/text', '/client']) {
    await request(port, path);
    const [span] = await serverSpans();
    assert.equal(span.attributes['http.route'], path);
    found[path] = [
      span.attributes['http.status_code'],
      span.status,
      ...span.events.map((event) => event.attributes['exception.message']),
    ];
  }
  assert.deepEqual(found, {
    '/thrown': [500, 'error', 'thrown'],
    '/next': [500, 'error', 'given'],
    '/rejected': [500, 'error', 'rejected'],
    '/text': [500, 'error', 'only text'],
    '/client': [400, 'unset'],
  });
});

each('an error handler of the application keeps its answer', async (t, version) => {
  const port = await serve(t, version, (app) => {
    app.get('/handled/:to', (req, res, next) => next(new TypeError(`for ${req.params.to}`)));
    app.use(telemetryErrorHandler());
    app.use((error, req, res, next) =>
      res.status(Number(req.url.split('/').pop())).send('handled'),
    );
  });
  for (const [status, kind, events] of [
    [502, 'error', 1],
    [422, 'unset', 0],
  ]) {
    assert.equal((await request(port, `/handled/${status}`)).status, status);
    const [span] = await serverSpans();
    assert.deepEqual(
      [span.status, span.events.length, span.attributes['http.route']],
      [kind, events, '/handled/:to'],
    );
  }
});

each('streaming ends at the last byte, background work does not count', async (t, version) => {
  let release;
  const background = new Promise((resolve) => (release = resolve));
  const port = await serve(t, version, (app) => {
    app.get('/stream', async (req, res) => {
      for (let i = 0; i < 3; i++) {
        res.write('x');
        await sleep(30);
      }
      res.end();
      await background;
      telemetry.withSpan('background', () => {});
    });
  });
  assert.equal((await request(port, '/stream')).body, 'xxx');
  const [span] = await serverSpans(); // the handler is still waiting
  assert.ok(span.seconds > 0.08, String(span.seconds));
  release();
  await sleep(10);
  const [late] = await spans();
  assert.deepEqual([late.name, late.parentId], ['background', span.spanId]);
});

each(
  'what fails after the answer is kept, and a stream of events is not slow',
  async (t, version) => {
    await begin({ sampleRatio: 1e-9, slowThreshold: 0.3 });
    let failed;
    const port = await serve(t, version, (app) => {
      app.get('/late', (req, res) => {
        res.end('ok');
        setTimeout(() => {
          try {
            telemetry.withSpan('mail', () => {
              throw new Error('no mail');
            });
          } catch (error) {
            failed = error;
          }
        }, 30);
      });
      app.get('/events', async (req, res) => {
        res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
        await sleep(400);
        res.end('data: x\n\n');
      });
      app.get('/slow', async (req, res) => (await sleep(400), res.send('x')));
    });
    await request(port, '/late');
    while (failed === undefined) await sleep(5);
    assert.deepEqual(
      (await spans()).map((span) => [span.name, span.status]),
      [['mail', 'error']],
    );
    await request(port, '/events');
    await request(port, '/events', { headers: { accept: 'text/event-stream' } });
    await request(port, '/slow');
    assert.deepEqual(
      (await serverSpans()).map((span) => span.attributes['http.route']),
      ['/slow'],
    );
  },
);

each('304, HEAD and keep-alive', async (t, version) => {
  const port = await serve(t, version, (app) => app.get('/etag', (req, res) => res.send('same')));
  const first = await request(port, '/etag');
  const again = await request(port, '/etag', { headers: { 'if-none-match': first.headers.etag } });
  const head = await request(port, '/etag', { method: 'HEAD' });
  assert.deepEqual([again.status, head.status, head.body], [304, 200, '']);
  let seen = 0;
  const one = wire('GET', '/etag');
  const text = await raw(
    port,
    one.repeat(3),
    (all) => (seen = all.split('HTTP/1.1 200').length - 1) === 3,
  );
  assert.equal(seen, 3, text);
  const found = await serverSpans(6);
  assert.deepEqual(
    found.map((span) => span.attributes['http.status_code']).sort(),
    [200, 200, 200, 200, 200, 304],
  );
  assert.ok(
    found.every((span) => span.attributes['http.route'] === '/etag' && span.status === 'unset'),
  );
  assert.equal(new Set(found.map((span) => span.traceId)).size, 6);
});

each('pipelined requests whose connection dies are all recorded, once', async (t, version) => {
  const port = await serve(t, version, (app) => {
    app.get('/never', () => {});
    app.get('/soon', (req, res) => res.send('waits behind'));
  });
  const socket = net.connect(port, '127.0.0.1', () => {
    socket.write(['/never', '/soon', '/never'].map((path) => wire('GET', path)).join(''));
  });
  await sleep(80);
  socket.destroy();
  const found = await serverSpans(3);
  await sleep(20);
  assert.equal(found.length + (await serverSpans(0)).length, 3);
  assert.ok(
    found.every(
      (span) => span.attributes['http.client_disconnected'] === true && span.status === 'unset',
    ),
  );
});

each('excluded paths, of the environment and of the option', async (t, version) => {
  await begin({ excludedPaths: '/healthz' });
  const options = { exclude: ['/ready', '/internal/*', 7, null] };
  const port = await serve(
    t,
    version,
    (app) => app.get(/.*/, (req, res) => res.send(telemetry.getCurrentTraceId())),
    options,
  );
  for (const path of ['/healthz', '/ready?x=1', '/internal/a/b'])
    assert.equal((await request(port, path)).body, '', path);
  for (const path of ['/healthzz', '/ready/1'])
    assert.notEqual((await request(port, path)).body, '', path);
  assert.equal((await serverSpans(2)).length, 2);
});

each('telemetry off: handlers run, nothing is recorded, the scrape says so', async (t, version) => {
  await telemetry.shutdown(1000);
  const port = await serve(t, version, (app) => {
    app.get('/x', (req, res) => res.send('x'));
    app.get('/metrics', metricsHandler());
  });
  assert.equal((await request(port, '/x')).body, 'x');
  assert.match((await request(port, '/metrics')).body, /^# Metrics are off/);
  assert.equal((await serverSpans(0)).length, 0);
});

each('metrics alone', async (t, version) => {
  await begin({ backend: 'prom' });
  const port = await serve(t, version, (app) =>
    app.get('/only', (req, res) => res.send(telemetry.getCurrentTraceId())),
  );
  assert.equal((await request(port, '/only')).body, '');
  await sleep(20);
  assert.equal((await requestsTotal())['GET /only 200'], 1);
  assert.deepEqual(await spans(), []);
});

each(
  'two middlewares record a request once; replaced res.end and removed listeners do no harm',
  async (t, version) => {
    const port = await serve(t, version, (app) => {
      app.use(telemetryMiddleware());
      app.get('/twice', (req, res) => res.send('x'));
      app.get('/own', (req, res) => {
        const end = res.end;
        res.end = function own(...given) {
          return setImmediate(() => end.apply(res, given)) && res;
        };
        res.send('own');
      });
    });
    for (const path of ['/twice', '/own']) {
      assert.equal((await request(port, path)).status, 200);
      const found = await serverSpans();
      await sleep(10);
      assert.deepEqual(
        [...found, ...(await serverSpans(0))].map((span) => span.attributes['http.route']),
        [path],
      );
    }
  },
);

each('hostile options and requests', async (t, version) => {
  const evil = new Proxy(
    {},
    {
      get: () => {
        throw new Error('get');
      },
    },
  );
  for (const options of [
    null,
    7,
    'text',
    evil,
    { exclude: 7 },
    { exclude: evil },
    { route: 'x', metricsPath: 3 },
    {
      route: () => {
        throw new Error('route');
      },
    },
    { route: () => 5 },
  ]) {
    const port = await serve(
      t,
      version,
      (app) =>
        app.get('/h/:id', (req, res) => {
          req.method = 'GET';
          if (req.params.id === '2')
            Object.defineProperty(req, 'route', {
              get() {
                throw new Error('route');
              },
            });
          res.send('x');
        }),
      options,
    );
    assert.equal(
      (
        await request(port, '/h/1', {
          headers: { traceparent: 'x'.repeat(5000), baggage: '\xff=\xfe', 'content-length': '0' },
        })
      ).status,
      200,
    );
    assert.equal((await request(port, '/h/2')).status, 200);
    assert.equal((await serverSpans(2)).length, 2);
  }
});
