'use strict';
// The options of a middleware for excluded paths and the path of its metrics, with every form of
// option and request target.

const assert = require('node:assert/strict');
const { after, test } = require('node:test');
const {
  begin,
  listen,
  raw,
  request,
  requestsTotal,
  serverSpans,
  telemetry,
  wire,
} = require('./http_driver.js');
const { telemetryListener } = require('../../middleware/http');

after(() => telemetry.shutdown(1000));

/** Requests the targets in order; resolves to those that were recorded, by their order. */
async function recorded(t, options, targets) {
  await begin();
  let seen = 0;
  const { port, close } = await listen(
    telemetryListener((req, res) => res.end(), { route: () => `/seen/${seen}`, ...options }),
  );
  t.after(close);
  const found = [];
  for (const target of targets) {
    seen++;
    await raw(port, wire('GET', target, ['connection: close']));
    const spans = await serverSpans(0);
    if (spans.length > 0) found.push(target);
  }
  return found;
}

test(
  'excluded paths: whole ones, beginnings, in every form of list',
  { timeout: 60000 },
  async (t) => {
    const targets = ['/', '/a', '/a?b', '/a/', '/ab', '/b', '/b/c', '/c'];
    const rest = ['/', '/a/', '/ab', '/c'];
    for (const exclude of [
      ['/a', '/b*'],
      '/a, /b*',
      new Set(['/a', '/b*']),
      ['', ' /a ', 7, null, '/b*'],
    ]) {
      assert.deepEqual(await recorded(t, { exclude }, targets), rest);
    }
    assert.deepEqual(await recorded(t, { exclude: ['*'] }, targets), []);
  },
);

test('options that cannot be read exclude nothing', { timeout: 60000 }, async (t) => {
  const trap = new Proxy(
    {},
    {
      get() {
        throw new Error('no');
      },
    },
  );
  for (const options of [
    { exclude: 7 },
    { exclude: trap },
    { exclude: null },
    { metricsPath: '' },
    { metricsPath: 7 },
  ]) {
    assert.deepEqual(await recorded(t, options, ['/']), ['/']);
  }
  assert.ok(telemetryListener(() => {}, trap));
});

test('a list without end is read up to a thousand paths', async () => {
  await begin();
  let given = 0;
  function* endless() {
    for (;;) yield `/${given++}`;
  }
  telemetryListener(() => {}, { exclude: endless() });
  assert.equal(given, 1000);
});

test('a target in absolute form counts by its path', { timeout: 60000 }, async (t) => {
  const targets = [
    'http://localhost',
    'http://localhost/',
    'http://localhost/a',
    'http://localhost?q',
    'http://localhost/b',
  ];
  assert.deepEqual(await recorded(t, { exclude: ['/'] }, targets), [
    'http://localhost/a',
    'http://localhost/b',
  ]);
  assert.deepEqual(
    await recorded(t, { exclude: ['/a'] }, targets),
    targets.filter((target) => !target.endsWith('/a')),
  );
});

test('a route that is no text, or throws, is no route', async (t) => {
  await begin();
  for (const route of [
    () => 7,
    () => null,
    () => '',
    () => assert.fail('thrown'),
    undefined,
    '/text',
  ]) {
    const { port, close } = await listen(telemetryListener((req, res) => res.end(), { route }));
    t.after(close);
    await request(port, '/raw');
  }
  assert.deepEqual(await requestsTotal(), { 'GET unmatched 200': 6 });
});

test(
  'a slow request is kept, a stream of events that is open for long is not slow',
  { timeout: 30000 },
  async (t) => {
    await begin({ sampleRatio: 0.000001, slowThreshold: 0.03 });
    const types = {
      '/events': 'text/event-stream; charset=utf-8',
      '/slow': 'text/plain',
      '/near': 'text/event-streams',
    };
    const { port, close } = await listen(
      telemetryListener((req, res) => {
        if (types[req.url] !== undefined) res.setHeader('content-type', types[req.url]);
        res.write('x');
        setTimeout(() => res.end(), 60);
      }),
    );
    t.after(close);
    const kept = async (path, headers) => {
      await request(port, path, { headers });
      return (await serverSpans(0)).length;
    };
    assert.equal(await kept('/slow'), 1);
    assert.equal(await kept('/plain', { accept: 'text/html' }), 1);
    assert.equal(await kept('/events'), 0);
    assert.equal(await kept('/plain', { accept: 'text/event-stream' }), 0);
  },
);
