'use strict';
// Limits of the size of an attribute, at their edges; and values that are endless or grow with
// input of clients, in processes with limited memory.

const assert = require('node:assert/strict');
const path = require('node:path');
const { after, before, test } = require('node:test');
const { isDeepStrictEqual } = require('node:util');
const { LIMIT, own, restart, take, telemetry } = require('./support.js');
const { run } = require('./programs.js');

const NODES = 20_000;
const DEPTH = 30;

before(() => restart({ ringBytes: 16 << 20, logLevel: 'none' }));
after(() => telemetry.shutdown(LIMIT));

/** Returns a recorded value, next to one that must arrive; undefined if it was rejected. */
async function kept(value) {
  telemetry.startSpan('s', { v: value, beside: 1 }).end();
  const span = (await take()).one('s');
  assert.equal(own(span).beside, 1);
  assert.equal(span.dropped, 'v' in own(span) ? 0 : 1);
  return own(span).v;
}

for (const [count, whole] of [
  [NODES - 1, true],
  [NODES, false],
  [NODES + 1, false],
]) {
  test(`${count} values in one attribute are ${whole ? 'kept' : 'refused'}`, async () => {
    const list = Array(count).fill(1); // the list itself also counts
    const same = (found, expected) =>
      assert.ok(whole ? isDeepStrictEqual(found, expected) : found === undefined);
    same(await kept(list), list);
    same(await kept([list.slice(1)]), [list.slice(1)]);
    const set = new Set(Array.from({ length: count }, (_, i) => i));
    same(await kept(set), [...set]);
  });
}

for (const levels of [DEPTH - 1, DEPTH, DEPTH + 1, DEPTH + 2]) {
  test(`${levels} levels of lists`, async () => {
    let value = 'end';
    for (let i = 0; i < levels; i++) value = [value];
    let found = await kept(value);
    let depth = 0;
    for (; Array.isArray(found); depth++) found = found[0];
    assert.equal(depth, Math.min(levels, DEPTH));
    assert.equal(found === 'end', levels <= DEPTH);
  });
}

test('integers at the edges of 64 bits and of a double', async () => {
  for (const value of [2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n])
    assert.equal(BigInt(await kept(value)), value);
  for (const value of [2n ** 63n, -(2n ** 63n) - 1n, 10n ** 300n])
    assert.equal(await kept(value), String(value));
  assert.equal(await kept(10n ** 400n), undefined);
  assert.equal(await kept(Number.MAX_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
});

const MODULES = {
  EXPRESS: '../../middleware/express',
  HTTP: '../../middleware/http',
  LOGGING: '../../bindings/node/lib/logging',
};
const HEAD = `
const http = require('http');
${Object.entries(MODULES)
  .map(
    ([name, file]) => `const ${name} = require(${JSON.stringify(path.resolve(__dirname, file))});`,
  )
  .join('\n')}
t.init({ enabled: true, backend: 'hybrid', exporter: 'file', filePath: '/dev/null', sampleRatio: 1,
  logLevel: 'none',
  excludedPaths: '/never', cardinalityLimit: 500 });
const text = (i) => 'x'.repeat(1000) + i;
`;
const GROWING = {
  'values that contain themselves': `
    const wide = [];
    for (let i = 0; i < 10; i++) wide.push(wide);
    const members = {};
    for (let i = 0; i < 10; i++) members[i] = members;
    const map = new Map();
    for (let i = 0; i < 10; i++) map.set(String(i), new Set([map, wide]));
    let shared = ['x'.repeat(1000)];
    for (let i = 0; i < 25; i++) shared = [shared, shared];
    const cause = new Error('x');
    cause.cause = cause;
    cause.errors = Array(100).fill(cause);
    for (const value of [wide, members, map, shared, cause, { a: wide, b: map }]) {
      t.withSpan('s', { v: value }, (span) => {
        span.setAttribute('w', value).addEvent('e', { v: value });
        span.recordException(value);
      });
    }`,
  'label values without end': `
    const counter = new t.Counter('c', 'c', ['a', 'b']);
    const histogram = new t.Histogram('h', 'h', ['a']);
    for (let i = 0; i < 35000; i++) {
      counter.inc({ a: text(i), b: 1 });
      histogram.observe({ a: text(i) }, 1);
      if (i % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    for (let i = 0; i < 20000; i++) {
      counter.labels(text(i), 2);
      counter.remove(text(i), 2);
      // weak references live as long as their job
      if (i % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
    }`,
  'label values without end while telemetry is off': `
    await t.shutdown(1000);
    const counter = new t.Counter('c', 'c', ['a']);
    for (let i = 0; i < 35000; i++) counter.labels(text(i)).inc();`,
  'names, keys and scopes without end': `
    for (let i = 0; i < 35000; i++) {
      t.startSpan(text(i), { [text(i)]: text(i) }).end();
      if (i % 10 === 0) t.getTracer(text(i), '1').startSpan('s').end();
    }`,
  'loggers: ids, names and texts without end': `
    const log = LOGGING.createLogger({ service: 's', destination: { write: () => true } });
    for (let i = 0; i < 30000; i++) log.info('m', { userId: text(i), [text(i)]: 1 });
    for (let i = 0; i < 30000; i++) {
      const request = { headers: { 'x-request-id': String(i) } };
      LOGGING.correlationMiddleware()(request, { setHeader() {} }, () => {});
    }`,
  'contexts, baggage and trace state without end': `
    let context = t.setBaggage('k', 'v');
    for (let i = 0; i < 3000; i++) context = t.setBaggage('k' + i, text(i), context);
    for (let i = 0; i < 30000; i++) t.extract({
      traceparent: '00-' + String(i + 1).padStart(32, '0') + '-b7ad6b7169203331-01',
        tracestate: text(i) + '=1', baggage: 'k=' + text(i) });
    t.extract({ baggage: 'k=v,'.repeat(3e6), tracestate: 'a=b,'.repeat(3e6) });`,
  'paths of requests without end': `
    const app = require(${JSON.stringify(require.resolve('express'))})();
    app.use(EXPRESS.telemetryMiddleware());
    const { Router } = require(${JSON.stringify(require.resolve('express'))});
    app.use('/t/:tenant', Router().get('/x/:id', (req, res) => res.end()));
    const { Readable, Writable } = require('stream');
    const call = (url, method) => new Promise((resolve) => {
      const req = Object.assign(new Readable({ read() {} }), {
        url, method, headers: { host: 'x' }, socket: {}, httpVersion: '1.1', httpVersionMajor: 1 });
      const res = new http.ServerResponse(req);
      res.end = () => { res.headersSent || (res._header = 'HTTP/1.1 200 OK'); res.finished = true;
        res.emit('finish'); res.emit('close'); resolve(); };
      app.handle(req, res, resolve);
    });
    for (let i = 0; i < 4000; i++) await call('/t/' + text(i) + '/x/' + i, i % 2 ? 'GET' : 'M' + i);
    const server = HTTP.telemetryListener((req, res) => {}, { normalisePaths: true });
    for (let i = 0; i < 30000; i++) t.recordHttpRequest('M' + i, '/e' + text(i), 200, 1);`,
};

for (const [name, source] of Object.entries(GROWING)) {
  test(`inside of a limit of memory: ${name}`, { timeout: 180_000 }, async () => {
    const end = await run(
      `${HEAD}(async () => {${source}\nawait t.shutdown(10000); console.log('ended');})();`,
      {
        preload: ['--max-old-space-size=32', '--max-semi-space-size=2'],
      },
    );
    assert.deepEqual([end.stdout, end.code], ['ended\n', 0], end.stderr.slice(0, 500));
  });
}
