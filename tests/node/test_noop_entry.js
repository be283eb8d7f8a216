'use strict';
// The entry point for runtimes without native code: its surface, its imports, and the propagation
// of context.

const assert = require('node:assert/strict');
const fs = require('node:fs');
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

const ROOT = path.resolve(__dirname, '../..');

test('the entry point has the whole surface and needs nothing of Node', () => {
  const edge = require('../../bindings/node/lib/noop_entry.js');
  const whole = require('../../bindings/node/lib/index.js');
  for (const [name, item] of Object.entries(whole))
    assert.equal(typeof edge[name], typeof item, name);
  for (const name of ['Span', 'Tracer', 'Counter', 'Gauge', 'Histogram'].filter(
    (one) => whole[one],
  )) {
    const methods = Object.getOwnPropertyNames(whole[name].prototype).filter(
      (method) => !method.startsWith('_'),
    );
    const ours = new edge[name]();
    for (const method of methods) assert.ok(method in ours, `${name}.${method}`);
  }
  assert.equal(
    edge.withSpan('name', {}, (span) => span.setAttribute('a', 1).isRecording()),
    false,
  );
  const source = [
    'noop_entry.js',
    'noop.js',
    'w3c_trace_context.js',
    'carrier.js',
    'w3c_baggage.js',
  ].map((name) => fs.readFileSync(path.join(ROOT, 'bindings/node/lib', name), 'utf8'));
  const own =
    /require\('(?!\.\/((noop|carrier|w3c_trace_context|w3c_baggage)\.js|noop_status\.json))/;
  for (const text of source) {
    assert.doesNotMatch(text, own);
    assert.doesNotMatch(text, /process\.|Buffer/);
  }
});

test('context is handed on, with and without an AsyncLocalStorage', async () => {
  for (const global of [
    '',
    "globalThis.AsyncLocalStorage = require('async_hooks').AsyncLocalStorage;",
  ]) {
    const done =
      await run(`${global} const t0 = require(${JSON.stringify(path.join(LIB, 'noop_entry.js'))});
      const sent = ${JSON.stringify(SENT)};
      const seen = [];
      const look = () => seen.push([t0.inject(), t0.getCurrentTraceId()]);
      t0.runWithContext(t0.extract(new Headers(sent)), () => {
        look();
        t0.withSpan('s', (span) => { span.setAttribute('a', 1).end(); look(); });
        seen.push([{ ...t0.inject({}, t0.startSpan('x')), baggage: sent.baggage },
          t0.getTracer().startSpan('y').traceId]);
      });
      console.log(JSON.stringify([seen, t0.inject(), t0.getCurrentTraceId(),
        t0.startSpan('z').traceId]));`);
    assert.equal(done.code, 0, done.stderr);
    const [seen, ...rest] = JSON.parse(done.stdout);
    for (const one of seen) assert.deepEqual(one, [SENT, TRACE]);
    assert.deepEqual(rest, [{}, '', '0'.repeat(32)]);
  }
});
