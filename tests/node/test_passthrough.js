'use strict';
// Propagation while nothing is recorded: off, metrics only, no exporter, turned off, without the
// core. Incoming context is propagated unchanged, and log lines have its ids.

const assert = require('node:assert/strict');
const path = require('node:path');
const { test } = require('node:test');
const { ENTRY, run } = require('./programs.js');

const LIB = path.dirname(ENTRY);
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SENT = {
  traceparent: `00-${TRACE}-b7ad6b7169203331-01`,
  tracestate: 'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE',
  baggage: 'tenant=acme;p=1,k=v%20w',
};

/** Returns the incoming context as a program sees it, in code and in a request handler. */
const PROGRAM = `const http = require('http');
const { telemetryListener } =
  require(${JSON.stringify(path.join(LIB, '../../../middleware/http'))});
const { traceMixin } = require(${JSON.stringify(path.join(LIB, 'logging'))});
const sent = ${JSON.stringify(SENT)};
const line = traceMixin();
const seen = [];
const look = () => seen.push([t.inject(), line().trace_id ?? '', t.getCurrentTraceId()]);
const tracer = t.getTracer('x');
const pass = () => {
  look();
  t.withSpan('s', { a: 1 }, (span) => { span.setAttribute('b', 1).end(); look(); });
  t.withSpan('below', null, { parent: t.extract(sent) }, look);
  tracer.startActiveSpan('active', (span) => { look(); span.end(); });
  t.runWithContext(t.startSpan('made'), () =>
    seen.push([{ ...t.inject(), baggage: sent.baggage }, line().trace_id, t.getCurrentTraceId()]));
  t.traced(function* generator() { look(); })().next();
};
async function main() {
  await t.runWithContext(t.extract(sent), async () => { pass(); await null; pass(); });
  const echo = http.createServer((req, res) =>
    res.end(JSON.stringify(req.headers))).listen(0, '127.0.0.1');
  await new Promise((resolve) => echo.once('listening', resolve));
  const uninstall = t.instrumentOutgoing({ spans: true });
  const server = http.createServer(telemetryListener(async (req, res) => {
    pass();
    const response = await fetch('http://127.0.0.1:' + echo.address().port);
    const { traceparent, tracestate, baggage } = await response.json();
    seen.push([{ traceparent, tracestate, baggage }, line().trace_id ?? '', t.getCurrentTraceId()]);
    res.end();
  })).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const ask = (headers) =>
    new Promise((resolve) =>
      http.get({ port: server.address().port, host: '127.0.0.1', headers, agent }, (res) =>
        res.resume().on('end', resolve)));
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  await ask(sent);
  const passed = seen.splice(0);
  await ask({});
  console.log(JSON.stringify({
    passed, after: seen.slice(0, 1), status: t.telemetryStatus().enabled }));
  process.exit();
}`;

const STATES = {
  off: ['', {}],
  'disabled for all SDKs': ['t.init({ enabled: true });', { OTEL_SDK_DISABLED: 'true' }],
  'metrics only': ["t.init({ enabled: true, backend: 'prom' });", {}],
  'no exporter': ["t.init({ enabled: true, backend: 'otel', exporter: 'none' });", {}],
  'metrics and no exporter': [
    "t.init({ enabled: true, backend: 'hybrid', exporter: 'none' });",
    {},
  ],
  'switched off': [
    "t.init({ enabled: true, backend: 'hybrid', exporter: 'memory' }); t.setEnabled(false);",
    {},
  ],
  'without the core': ['t.init({ enabled: true });', { DJP_TELEMETRY_NATIVE: 'off' }],
  'after the end': ["t.init({ enabled: true, exporter: 'memory' });", {}, 't.shutdown()'],
};
for (const [name, [begin, env, before = 'null']] of Object.entries(STATES)) {
  test(`context goes on: ${name}`, { timeout: 90000 }, async () => {
    const done = await run(`${begin}\n${PROGRAM}\nPromise.resolve(${before}).then(main);`, { env });
    assert.equal(done.code, 0, done.stderr);
    const { passed, after } = JSON.parse(done.stdout);
    assert.ok(passed.length >= 19);
    for (const [headers, ...ids] of passed) {
      assert.deepEqual(headers, SENT);
      assert.deepEqual(ids, [TRACE, TRACE]);
    }
    assert.deepEqual(after, [[{}, '', '']], 'the next request of the connection has nothing of it');
  });
}

test('the propagators that were chosen are the ones that go on', async () => {
  const done = await run(
    `t.init({ enabled: true, backend: 'prom' });
    console.log(JSON.stringify(t.runWithContext(t.extract(${JSON.stringify(SENT)}), () =>
      t.inject())));`,
    { env: { OTEL_PROPAGATORS: 'baggage' } },
  );
  assert.deepEqual(JSON.parse(done.stdout), { baggage: SENT.baggage });
});

test('a span from before recording was switched off is not ended by a later one', async () => {
  const done =
    await run(`t.init({ enabled: true, backend: 'otel', exporter: 'memory', sampleRatio: 1 });
    t.withSpan('outer', (outer) => {
      t.setEnabled(false);
      const inner = t.startSpan('inner');
      t.withSpan('third', (span) => span.setStatus('error').end());
      inner.setAttribute('a', 1).end();
      console.log(JSON.stringify([inner.spanId === outer.spanId, inner.isRecording(),
        outer.isRecording()]));
    });`);
  assert.deepEqual(JSON.parse(done.stdout), [true, false, true]);
});

test('baggage that a program sets travels without the core, too', async () => {
  for (const entry of [ENTRY, path.join(LIB, 'noop_entry.js')]) {
    const done = await run(
      `const context = t.setBaggage('k', 'a b', t.setBaggage('gone', '1'));
      t.runWithContext(t.removeBaggage('gone', context), () =>
        console.log(JSON.stringify([t.getBaggage('k'), t.getAllBaggage(), t.inject()])));`,
      { env: { DJP_TELEMETRY_NATIVE: 'off' }, entry },
    );
    assert.deepEqual(
      JSON.parse(done.stdout),
      ['a b', { k: 'a b' }, { baggage: 'k=a%20b' }],
      done.stderr,
    );
  }
});
