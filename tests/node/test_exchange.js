'use strict';
// The context of events of a request: those of its body, of streams that it is piped into, of its
// end and that of its response. If nothing is recorded, only the context of the request is
// propagated.

const test = require('node:test');
const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const http = require('node:http');
const http2 = require('node:http2');
const net = require('node:net');
const path = require('node:path');
const { PassThrough, Writable, pipeline } = require('node:stream');
const { promisify } = require('node:util');
const {
  EXPRESS,
  begin,
  listen,
  request,
  serverSpans,
  sleep,
  telemetry,
} = require('./http_driver.js');
const { telemetryMiddleware } = require('../../middleware/express');
const { instrumentServer, telemetryListener } = require('../../middleware/http');

const ROOT = path.resolve(__dirname, '../..');
const PARENT = '00-12345678901234567890123456789012-1234567890123456-01';
const POST = { method: 'POST', body: 'abc', headers: { 'content-type': 'text/plain' } };

/** Every kind of server, with one listener. */
const SERVERS = [
  ['a listener', (handler) => http.createServer(telemetryListener(handler))],
  ['a server', (handler) => instrumentServer(http.createServer(handler))],
  ...EXPRESS.map(({ name, express }) => [
    name,
    (handler) => {
      const app = express();
      app.use(telemetryMiddleware(), handler);
      return http.createServer(app);
    },
  ]),
];

async function until(found) {
  const deadline = Date.now() + 10000;
  while (!found() && Date.now() < deadline) await sleep(5);
}

/** Returns the emitted events, each with whether its listener ran in the context of its request. */
function notes() {
  const seen = {};
  return { seen, note: (name) => (seen[name] = telemetry.getCurrentSpanId()) };
}

for (const [name, make] of SERVERS) {
  test(`${name}: events of the request and of the answer`, { timeout: 30000 }, async (t) => {
    await begin();
    const { seen, note } = notes();
    const { port, close } = await listen(
      make((req, res) => {
        const own = telemetry.getCurrentSpanId();
        if (req.url === '/pipe') {
          const last = new Writable({ write: (chunk, encoding, done) => (note('write'), done()) });
          req.pipe(last).on('finish', () => (note('finish'), res.end(own)));
          return;
        }
        if (req.url === '/pipeline') {
          pipeline(req, new PassThrough(), res, () => note('pipeline'));
          return;
        }
        for (const event of ['data', 'end', 'close']) req.on(event, () => note(event));
        for (const event of ['finish', 'close']) res.on(event, () => note(`res ${event}`));
        req.on('end', () => res.end(own));
      }),
    );
    t.after(close);
    for (const [where, names] of [
      ['/events', ['close', 'data', 'end', 'res close', 'res finish']],
      ['/pipe', ['finish', 'write']],
      ['/pipeline', ['pipeline']],
    ]) {
      for (const key of Object.keys(seen)) delete seen[key];
      await request(port, where, POST);
      await until(() => Object.keys(seen).length >= names.length);
      const [span] = await serverSpans();
      assert.deepEqual(seen, Object.fromEntries(names.map((key) => [key, span.spanId])), where);
    }
  });

  test(`${name}: a client that leaves, and a time limit`, { timeout: 30000 }, async (t) => {
    await begin();
    const { seen, note } = notes();
    const { port, close } = await listen(
      make((req, res) => {
        if (req.url === '/slow') {
          res.setTimeout(20, () => (note('timeout'), res.end('too late')));
          return;
        }
        req.on('aborted', () => note('aborted'));
        req.on('error', () => note('error'));
        res.on('close', () => note('res close'));
        req.resume();
      }),
    );
    t.after(close);
    const text = 'POST /left HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nabc';
    const client = net.connect(port, '127.0.0.1', () => client.write(text));
    await sleep(50);
    client.destroy();
    await until(() => Object.keys(seen).length === 3);
    const [left] = await serverSpans();
    assert.deepEqual(seen, { aborted: left.spanId, error: left.spanId, 'res close': left.spanId });
    for (const key of Object.keys(seen)) delete seen[key];
    const reader = net.connect(port, '127.0.0.1', () =>
      reader.write('GET /left HTTP/1.1\r\nhost: x\r\n\r\n'),
    );
    await sleep(50);
    reader.destroy();
    await until(() => seen['res close'] !== undefined);
    const [gone] = await serverSpans();
    assert.ok(
      Object.values(seen).every((id) => id === gone.spanId),
      JSON.stringify(seen),
    );
    assert.equal((await request(port, '/slow')).body, 'too late');
    const [slow] = await serverSpans();
    assert.equal(seen.timeout, slow.spanId);
  });

  test(
    `${name}: where nothing is recorded, what came goes on and nothing else`,
    { timeout: 60000 },
    async (t) => {
      await begin();
      const outer = telemetry.startSpan('start of the server');
      const { port, close } = await telemetry.runWithContext(
        telemetry.setBaggage('whose', 'server', outer),
        () =>
          listen(
            make((req, res) =>
              res.end(JSON.stringify([telemetry.getCurrentTraceId(), telemetry.inject({})])),
            ),
          ),
      );
      t.after(close);
      const ask = async (headers) =>
        JSON.parse((await request(port, '/excluded', { headers })).body);
      const headers = { traceparent: PARENT, tracestate: 'a=1,b=2', baggage: 'user=7,k=v;p=1' };
      const trace = PARENT.slice(3, 35);
      for (const options of [
        { excludedPaths: '/excluded' },
        { backend: 'prom' },
        { enabled: false },
        { backend: 'prom', excludedPaths: '/excluded' },
        { exporter: 'none' },
        { backend: 'otel', exporter: 'none' },
        'the switch',
      ]) {
        await begin(typeof options === 'string' ? {} : options);
        if (typeof options === 'string') telemetry.setEnabled(false);
        assert.deepEqual(await ask(headers), [trace, headers], JSON.stringify(options));
        assert.deepEqual(
          await ask({ baggage: 'only=1' }),
          ['', { baggage: 'only=1' }],
          JSON.stringify(options),
        );
        assert.deepEqual(await ask({}), ['', {}], JSON.stringify(options));
        assert.deepEqual(await ask({ traceparent: 'nonsense' }), ['', {}], JSON.stringify(options));
      }
      await telemetry.shutdown(1000);
      assert.deepEqual(await ask(headers), [trace, headers], 'after shutdown');
      assert.deepEqual(await ask({}), ['', {}], 'after shutdown');
      outer.end();
    },
  );

  test(
    `${name}: events where nothing is recorded, on one connection`,
    { timeout: 60000 },
    async (t) => {
      await begin();
      const outer = telemetry.startSpan('start of the server');
      const heard = [];
      const hear = (event) =>
        heard.push([event, telemetry.getCurrentTraceId(), telemetry.getBaggage('user')]);
      const { port, close } = await telemetry.runWithContext(
        telemetry.setBaggage('user', 'server', outer),
        () =>
          listen(
            make((req, res) => {
              const last = new Writable({
                write: (chunk, encoding, done) => (hear('write'), done()),
              });
              for (const event of ['data', 'end', 'aborted']) req.on(event, () => hear(event));
              for (const event of ['finish', 'close']) res.on(event, () => hear(`res ${event}`));
              pipeline(req, last, (error) => (hear('pipeline'), error || res.end()));
            }),
          ),
      );
      t.after(close);
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      t.after(() => agent.destroy());
      const ask = (headers, body = 'abc') =>
        new Promise((resolve) => {
          const path = '/excluded';
          const sent = http.request(
            { port, host: '127.0.0.1', path, method: 'POST', agent, headers },
            (answer) => answer.resume().on('end', resolve),
          );
          sent.on('error', resolve);
          if (body !== null) return (sent.write('a'), setTimeout(() => sent.end(body), 10));
          sent.write('a');
          setTimeout(() => sent.destroy(), 30);
        });
      const carried = { traceparent: PARENT, baggage: 'user=7' };
      for (const options of [{ excludedPaths: '/excluded' }, { enabled: false }, {}]) {
        await begin(options);
        if (options.excludedPaths === undefined) telemetry.setEnabled(false);
        for (const [headers, body, last] of [
          [carried, 'abc', 'res close'],
          [{}, 'abc', 'res close'],
          [{ ...carried, 'content-length': '90' }, null, 'res close'],
          [{ 'content-length': '90' }, null, 'res close'],
        ]) {
          heard.length = 0;
          await ask(headers, body);
          await until(() => heard.some(([event]) => event === last));
          const [trace, user] = headers.traceparent ? [PARENT.slice(3, 35), '7'] : ['', undefined];
          assert.ok(heard.length >= 4, JSON.stringify(heard));
          for (const one of heard)
            assert.deepEqual(one, [one[0], trace, user], JSON.stringify(options));
        }
      }
      outer.end();
    },
  );
}

test(
  'HTTP/2: events of the request, and two requests of one connection at once',
  { timeout: 30000 },
  async (t) => {
    await begin();
    const seen = [];
    const server = instrumentServer(
      http2.createServer((req, res) => {
        const own = telemetry.getCurrentSpanId();
        req.on('data', () => seen.push([own, telemetry.getCurrentSpanId()]));
        req.on('end', () => {
          seen.push([own, telemetry.getCurrentSpanId()]);
          res.end(own);
        });
      }),
    );
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const client = http2.connect(`http://127.0.0.1:${server.address().port}`);
    t.after(() => (client.close(), server.close()));
    const ask = () =>
      new Promise((resolve, reject) => {
        const stream = client.request({ ':method': 'POST', ':path': '/' });
        stream.on('error', reject).resume().on('end', resolve);
        setTimeout(() => stream.end('abc'), 10);
      });
    await Promise.all([ask(), ask(), ask()]);
    const spans = await serverSpans(3);
    assert.deepEqual(
      [...new Set(seen.map(([own]) => own))].sort(),
      spans.map((span) => span.spanId).sort(),
    );
    assert.ok(seen.every(([own, now]) => own === now && own !== ''));
  },
);

test(
  'without a core: the context goes on, and the scrape is answered',
  { timeout: 30000 },
  async () => {
    const program = `
    const http = require('http');
    const telemetry = require(${JSON.stringify(path.join(ROOT, 'bindings/node/lib/index.js'))});
    const { telemetryMiddleware, metricsHandler } =
      require(${JSON.stringify(path.join(ROOT, 'middleware/express'))});
    const app = require(${JSON.stringify(path.join(ROOT, 'node_modules/express'))})();
    telemetry.init();
    app.use(telemetryMiddleware());
    app.get('/metrics', metricsHandler());
    app.get('/x', async (req, res) =>
      res.json([await null, telemetry.getCurrentTraceId(), telemetry.inject({})]));
    const server = app.listen(0, '127.0.0.1', async () => {
      const ask = async (path, headers) => {
        const answer = await fetch('http://127.0.0.1:' + server.address().port + path, { headers });
        return [answer.status, await answer.text()];
      };
      const headers = { traceparent: '${PARENT}', tracestate: 'a=1', baggage: 'user=7' };
      console.log(JSON.stringify([await ask('/x', headers), await ask('/x', {}),
        await ask('/metrics', {})]));
      process.exit();
    });`;
    const env = { ...process.env, DJP_TELEMETRY_NATIVE: 'off', TELEMETRY_ENABLED: 'true' };
    const { stdout } = await promisify(execFile)(process.execPath, ['-e', program], {
      env,
      timeout: 25000,
    });
    const [carried, nothing, scrape] = JSON.parse(stdout);
    const headers = { traceparent: PARENT, tracestate: 'a=1', baggage: 'user=7' };
    assert.deepEqual(JSON.parse(carried[1]), [null, PARENT.slice(3, 35), headers]);
    assert.deepEqual(JSON.parse(nothing[1]), [null, '', {}]);
    assert.equal(scrape[0], 200);
    assert.match(scrape[1], /^# /);
  },
);
