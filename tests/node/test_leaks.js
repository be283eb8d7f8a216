'use strict';
// Objects of a call, request or metric are freed: WeakRefs are cleared once the application holds
// no reference, on every path that stores one temporarily. Runs in one process that exposes the
// garbage collector.

const assert = require('node:assert/strict');
const path = require('node:path');
const { test } = require('node:test');
const { run } = require('./programs.js');

const MODULES = {
  EXPRESS: '../../middleware/express',
  HTTP: '../../middleware/http',
  METRICS: '../../bindings/node/lib/metrics.js',
  LOGGING: '../../bindings/node/lib/logging',
};
const HEAD = `
const http = require('http');
${Object.entries(MODULES)
  .map(
    ([name, file]) => `const ${name} = require(${JSON.stringify(path.resolve(__dirname, file))});`,
  )
  .join('\n')}
const turn = () => new Promise((resolve) => setImmediate(resolve));
const on = { enabled: true, backend: 'hybrid', exporter: 'memory', sampleRatio: 1,
  logLevel: 'none' };
t.init(on);
const seen = [];
const watch = (object) => (seen.push(new WeakRef(object)), object);
/** How many different objects of those that were watched still live. */
async function living() {
  for (let i = 0; i < 20 && seen.some((one) => one.deref() !== undefined); i++) {
    await turn(); gc(); await turn(); }
  return new Set(seen.map((one) => one.deref()).filter((one) => one !== undefined)).size;
}
const get = (port, path, agent) => new Promise((resolve, reject) => {
  http.get({ port, path, agent, host: '127.0.0.1' }, (res) =>
    res.resume().on('close', resolve)).on('error', reject);
});
`;

const PATHS = {
  'values of attributes, events and exceptions': `
    const cycle = { a: 1 };
    cycle.self = cycle;
    for (let i = 0; i < 20; i++) {
      t.withSpan('s', { o: watch({ deep: [watch({ x: 'é'.repeat(5000) })] }) }, (span) => {
        span.setAttribute('k', watch([1n << 70n, 'a\\ud800', new Date()]));
        span.addEvent('e', watch({ m: new Map([[1, watch({})]]) }));
        span.recordException(watch(Object.assign(new Error('x'), {
          cause: watch(new Error('y')) })));
        span.setAttribute('cycle', cycle);
      });
    }`,
  'spans and contexts, left and never left': `
    for (let i = 0; i < 20; i++) {
      const span = watch(t.startSpan('never ended'));
      t.runWithContext(watch(t.setBaggage('k', 'v')), () => t.inject({}));
      await t.withSpan('s', async (inner) => {
        watch(inner); await turn(); t.startSpan('child', undefined, { parent: span }).end(); });
      t.startSpan('linked', undefined, { links: [{ context: span }] }).end();
      watch(t.extract({ traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        baggage: 'a=b' }));
    }
    t.startSpan('the last current').end();
    t.getCurrentTraceId();`,
  'functions that were wrapped, and generators that were left': `
    for (let i = 0; i < 20; i++) {
      const own = watch(function () { return i; });
      watch(t.traced('n', own))();
      const steps = t.withSpan('g', function* () { yield watch({}); yield 2; });
      steps.next();
      watch(steps);
    }`,
  'tracers and their options': `
    for (let i = 0; i < 20; i++) watch(t.getTracer('one', '1',
      watch({ attributes: watch({ a: 1 }) }))).startSpan('s').end();`,
  'metrics, their label objects and functions': `
    for (let i = 0; i < 20; i++) {
      const gauge = watch(new t.Gauge({
        name: 'g' + (i % 3), help: 'h', labelNames: ['a'], collect: watch(() => {}) }));
      const labels = watch({ a: 'x' + (i % 3) });
      gauge.set(labels, 1);
      watch(gauge.labels(labels)).setFunction(watch(() => 2));
      const stop = watch(new t.Histogram('h', 'h', ['a'])).startTimer(labels);
      stop(watch({ a: 'y' }));
      new t.Counter('c', 'c').inc(1, watch({ traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) }));
    }
    t.metricsText();
    await METRICS.exposeMetrics();`,
  'loggers and what they wrote': `
    for (let i = 0; i < 20; i++) {
      const log = watch(LOGGING.createLogger({
        service: 's', destination: watch({ write: () => true }), rateLimit: 2 }));
      for (let k = 0; k < 2; k++) log.info('m', watch({ o: watch({ password: 'x' }) }));
      watch(log.child(watch({ a: 1 }))).error(watch(new Error('x')));
      await log.flush();
      LOGGING.runWithCorrelationContext(watch({ userId: 'u' + i }), () => LOGGING.traceMixin()());
    }`,
  'requests of Express on one connection, answered, failed and left': `
    const app = require(${JSON.stringify(require.resolve('express'))})();
    app.use(EXPRESS.telemetryMiddleware({ metricsPath: '/metrics' }));
    app.get('/ok/:id', (req, res) => { watch(req); watch(res); res.end('ok'); });
    app.get('/fails', (req) => { watch(req); throw watch(new Error('x')); });
    app.use((error, req, res, next) => res.status(500).end());
    const server = await new Promise((resolve) => {
      const s = app.listen(0, '127.0.0.1', () => resolve(s)); });
    const { port } = server.address();
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    for (let i = 0; i < 20; i++)
      for (const path of ['/ok/' + i, '/fails', '/none', '/metrics']) await get(port, path, agent);
    await turn();
    const open = await living();
    agent.destroy();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    if (open > 3)
      throw new Error(open + ' of ' + seen.length + ' requests live on an idle connection');`,
  'servers that were instrumented, and outgoing requests': `
    const stop = t.instrumentOutgoing({ spans: true });
    for (let i = 0; i < 10; i++) {
      const server = watch(HTTP.instrumentServer(http.createServer(watch((req, res) => {
        watch(req); res.end(); }))));
      await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
      await get(server.address().port, '/', false);
      const { port } = server.address();
      const close = { headers: { connection: 'close' } };
      await fetch('http://127.0.0.1:' + port, close).then((r) => r.text());
      await new Promise((resolve) => { server.close(resolve); server.closeAllConnections(); });
    }
    stop();`,
};

for (const [name, source] of Object.entries(PATHS)) {
  for (const state of ['on', 'off']) {
    test(`${name}, telemetry ${state}`, { timeout: 120_000 }, async () => {
      const end = await run(
        `${HEAD}
        (async () => {
          if (${JSON.stringify(state)} === 'off') await t.shutdown(5000);
          await (async () => {${source}})();
          await t.flush(5000);
          t.takeExported();
          for (let i = 0; i < 5; i++) await turn();
          console.log(await living(), seen.length);
        })();`,
        { preload: ['--expose-gc'] },
      );
      assert.equal(end.code, 0, end.stderr);
      const [alive, all] = end.stdout.trim().split(' ').map(Number);
      assert.ok(all >= 20, `${all}`);
      // The newest of a kind may be remembered: of a current span its ids, of a connection its last
      // request.
      assert.ok(alive <= 3, `${alive} of ${all} objects live`);
    });
  }
}
