'use strict';

// The correlation context: isolation, propagation, validation of headers, and that handlers of
// Express and Fastify run inside of it.

const test = require('node:test');
const assert = require('node:assert/strict');
const { AsyncResource } = require('node:async_hooks');
const http = require('node:http');
const { setTimeout: sleep } = require('node:timers/promises');
const {
  CorrelationManager,
  correlationMiddleware,
  correlationPlugin,
  generateCorrelationId,
  getCorrelationContext,
  runWithCorrelationContext,
  setCorrelationContext,
} = require('../../bindings/node/lib/logging');

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const LIMIT = { timeout: 20_000 };

test('ids are random UUIDs', () => {
  const ids = new Set(Array.from({ length: 1000 }, generateCorrelationId));
  assert.equal(ids.size, 1000);
  for (const id of ids) assert.match(id, UUID);
});

test('outside of a run there is no context, and setting does nothing', () => {
  assert.equal(getCorrelationContext(), undefined);
  setCorrelationContext({ correlationId: 'x' });
  assert.equal(getCorrelationContext(), undefined);
});

test('values, promises, throws and rejections pass through', async () => {
  const context = { correlationId: 'c' };
  assert.equal(
    runWithCorrelationContext(context, () => 7),
    7,
  );
  assert.equal(
    await runWithCorrelationContext(context, async () => {
      await sleep(1);
      return getCorrelationContext().correlationId;
    }),
    'c',
  );
  const error = new Error('boom');
  assert.throws(
    () =>
      runWithCorrelationContext(context, () => {
        throw error;
      }),
    (thrown) => thrown === error,
  );
  await assert.rejects(
    runWithCorrelationContext(context, async () => {
      await sleep(1);
      throw error;
    }),
    (thrown) => thrown === error,
  );
  assert.equal(getCorrelationContext(), undefined);
});

test('all four fields are kept, a missing id is made', () => {
  const context = { correlationId: 'c', requestId: 'r', sessionId: 's', userId: 'u' };
  assert.deepEqual(runWithCorrelationContext(context, getCorrelationContext), context);
  assert.match(
    runWithCorrelationContext({ userId: 'u' }, getCorrelationContext).correlationId,
    UUID,
  );
  for (const odd of [
    undefined,
    null,
    5,
    'text',
    [],
    new Proxy(
      {},
      {
        get() {
          throw new Error('no');
        },
      },
    ),
  ]) {
    assert.match(runWithCorrelationContext(odd, getCorrelationContext).correlationId, UUID);
  }
});

test('setting adds to the context of this run only', () => {
  const given = { correlationId: 'outer' };
  runWithCorrelationContext(given, () => {
    setCorrelationContext({ userId: 'u' });
    assert.deepEqual(getCorrelationContext(), { correlationId: 'outer', userId: 'u' });
    runWithCorrelationContext({ correlationId: 'inner' }, () => {
      setCorrelationContext({ correlationId: 'inner2' });
      assert.deepEqual(getCorrelationContext(), { correlationId: 'inner2' });
    });
    assert.deepEqual(getCorrelationContext(), { correlationId: 'outer', userId: 'u' });
    getCorrelationContext().correlationId = 'changed outside';
    assert.equal(getCorrelationContext().correlationId, 'outer');
  });
  assert.deepEqual(given, { correlationId: 'outer' });
});

test('parallel runs are isolated', LIMIT, async () => {
  const seen = await Promise.all(
    Array.from({ length: 100 }, (_, i) =>
      runWithCorrelationContext({ correlationId: `c${i}` }, async () => {
        await sleep(i % 7);
        setCorrelationContext({ userId: `u${i}` });
        await sleep((i * 3) % 5);
        return getCorrelationContext();
      }),
    ),
  );
  seen.forEach((context, i) =>
    assert.deepEqual(context, { correlationId: `c${i}`, userId: `u${i}` }),
  );
});

for (const [kind, manager] of [
  ['class', CorrelationManager],
  ['instance', new CorrelationManager()],
]) {
  test(`CorrelationManager: ${kind}`, async () => {
    assert.match(manager.generateId(), UUID);
    assert.equal(manager.getContext(), undefined);
    assert.equal(manager.getCorrelationId(), undefined);
    assert.equal(
      manager.run('id', () => manager.getCorrelationId()),
      'id',
    );
    assert.match(
      manager.run(() => manager.getCorrelationId()),
      UUID,
    );
    await manager.run({ correlationId: 'c' }, async () => {
      await sleep(1);
      manager.set('userId', 'u');
      manager.set({ sessionId: 's' });
      manager.setContext({ requestId: 'r' });
      assert.deepEqual(getCorrelationContext(), {
        correlationId: 'c',
        requestId: 'r',
        sessionId: 's',
        userId: 'u',
      });
    });
    assert.equal(typeof manager.middleware(), 'function');
  });
}

/**
 * Returns the result of the middleware for headers: the context inside of next, and the header that
 * it sets.
 */
function through(headers) {
  const set = {};
  let context;
  const res = {
    setHeader(name, value) {
      set[name.toLowerCase()] = value;
    },
  };
  correlationMiddleware()({ headers }, res, () => {
    context = getCorrelationContext();
  });
  return { context, header: set['x-correlation-id'] };
}

test('headers: x-correlation-id, else x-request-id, else a new id', () => {
  assert.deepEqual(through({ 'x-correlation-id': 'abc-123' }), {
    context: { correlationId: 'abc-123' },
    header: 'abc-123',
  });
  assert.deepEqual(through({ 'x-request-id': 'req_1' }), {
    context: { correlationId: 'req_1', requestId: 'req_1' },
    header: 'req_1',
  });
  const both = through({ 'x-correlation-id': 'c', 'x-request-id': 'r' });
  assert.deepEqual(both.context, { correlationId: 'c', requestId: 'r' });
  const none = through({});
  assert.match(none.header, UUID);
  assert.equal(none.context.correlationId, none.header);
});

test('an id that is refused is replaced by a new one, whatever the other header says', () => {
  for (const bad of ['a b', '', 'x'.repeat(129), 'bob@example.com', ['a', 'b']]) {
    const { context, header } = through({ 'x-correlation-id': bad, 'x-request-id': 'good' });
    assert.match(header, UUID, JSON.stringify(bad));
    assert.deepEqual(context, { correlationId: header, requestId: 'good' });
    const other = through({ 'x-correlation-id': 'good', 'x-request-id': bad });
    assert.deepEqual(other.context, { correlationId: 'good' });
    assert.match(through({ 'x-request-id': bad }).header, UUID);
  }
});

test('a field of the context is cut at 256 characters and loses its control characters', () => {
  const userOf = (userId) =>
    runWithCorrelationContext({ correlationId: 'c', userId }, getCorrelationContext).userId;
  for (const length of [255, 256]) assert.equal(userOf('u'.repeat(length)), 'u'.repeat(length));
  assert.equal(userOf('u'.repeat(257)), 'u'.repeat(256));
  assert.equal(userOf('a\u0000\u001f\u007f\u0085\u009f\u2028\u2029\r\nb \u00a0'), 'ab \u00a0');
  assert.equal(userOf(7), '7');
  assert.equal(userOf(7n), '7');
  for (const none of ['', undefined, null, {}, true]) assert.equal(userOf(none), undefined);
});

test('one field that cannot be read costs that field', () => {
  const given = {
    get requestId() {
      throw new Error('no');
    },
    correlationId: 'c',
    userId: 'u',
    extra: 'never taken',
  };
  assert.deepEqual(runWithCorrelationContext(given, getCorrelationContext), {
    correlationId: 'c',
    userId: 'u',
  });
});

test('an id from outside that is no plain short text is replaced', () => {
  const bad = [
    ['a', 'b'],
    '',
    'x'.repeat(129),
    'a b',
    'a\r\nset-cookie: x',
    'ü',
    '{"a":1}',
    '<script>',
    'bob@example.com',
    '\u0000',
    5,
    {},
    'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdef',
    '4532123456789010',
  ];
  for (const value of bad)
    assert.match(through({ 'x-correlation-id': value }).header, UUID, JSON.stringify(value));
  assert.match(through(undefined).header, UUID);
  for (const value of [
    'x'.repeat(128),
    '550e8400-e29b-41d4-a716-446655440000',
    '45321234-5678-4010-8123-453212345678', // with the digits of a card
    '45321234-5678-4010-8123-453212345678'.replace('4532', 'ABCD'),
    'Root=1-67891233-abcdef012345678912345678',
    'a/b+c=:._-',
  ]) {
    assert.equal(through({ 'x-correlation-id': value }).header, value);
  }
});

test('a response that takes no header is still served', () => {
  let called = 0;
  correlationMiddleware()(
    { headers: {} },
    {
      setHeader() {
        throw new Error('sent');
      },
    },
    () => {
      called += 1;
    },
  );
  correlationMiddleware()(
    { headers: {} },
    {
      headersSent: true,
      setHeader() {
        called = 99;
      },
    },
    () => {
      called += 1;
    },
  );
  assert.equal(called, 2);
});

function request(port, { path = '/', headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const req = http.request(
      { port, path, method: body === undefined ? 'GET' : 'POST', headers, agent: false },
      (res) => {
        let text = '';
        res.setEncoding('utf8').on('data', (chunk) => {
          text += chunk;
        });
        res.on('end', () => resolve({ text, status: res.statusCode, headers: res.headers }));
      },
    );
    req.on('error', reject);
    req.end(body);
  });
}

/** Returns Express of a major version, under any of its installed names. */
function express(major) {
  for (const name of ['express', `express${major}`]) {
    try {
      if (require(`${name}/package.json`).version.startsWith(`${major}.`)) return require(name);
    } catch {
      // The other name is tried.
    }
  }
  return null;
}

function installed(name) {
  try {
    return require(name);
  } catch {
    return null;
  }
}

for (const major of [4, 5]) {
  test(
    `Express ${major}: the handler, its awaits and its body are inside`,
    { ...LIMIT, skip: !express(major) && 'not installed' },
    async (t) => {
      const framework = express(major);
      const app = framework();
      app.use(correlationMiddleware());
      app.use(framework.json());
      app.all('/', async (req, res) => {
        const before = getCorrelationContext()?.correlationId;
        await sleep(2);
        setCorrelationContext({ userId: req.body?.user });
        await sleep(2);
        res.json({ before, after: getCorrelationContext() });
      });
      const server = app.listen(0, '127.0.0.1');
      t.after(() => server.close());
      await new Promise((resolve) => {
        server.once('listening', resolve);
      });
      const { port } = server.address();
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          request(port, {
            headers: { 'x-correlation-id': `id-${i}`, 'content-type': 'application/json' },
            body: JSON.stringify({ user: `u${i}` }),
          }),
        ),
      );
      answers.forEach((answer, i) => {
        assert.equal(answer.headers['x-correlation-id'], `id-${i}`);
        assert.deepEqual(JSON.parse(answer.text), {
          before: `id-${i}`,
          after: { correlationId: `id-${i}`, userId: `u${i}` },
        });
      });
    },
  );
}

test(
  'Fastify: hooks, handlers with and without a body, and later plugins are inside',
  { ...LIMIT, skip: !installed('fastify') && 'not installed' },
  async (t) => {
    const app = require('fastify')();
    t.after(() => app.close());
    const hooks = [];
    app.register(correlationPlugin);
    for (const hook of ['preValidation', 'preHandler', 'onSend', 'onResponse']) {
      app.addHook(hook, async () => {
        hooks.push([hook, getCorrelationContext()?.correlationId]);
      });
    }
    app.register(async (scope) => {
      scope.all('/', async (req) => {
        const before = getCorrelationContext()?.correlationId;
        setCorrelationContext({ userId: req.body?.user });
        await sleep(2);
        return { before, after: getCorrelationContext() };
      });
      scope.get('/callback', (req, reply) => {
        setTimeout(() => reply.send(getCorrelationContext()), 2);
      });
    });
    await app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = app.server.address();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        request(port, {
          headers: { 'x-correlation-id': `id-${i}`, 'content-type': 'application/json' },
          body: JSON.stringify({ user: `u${i}` }),
        }),
      ),
    );
    answers.forEach((answer, i) => {
      assert.equal(answer.headers['x-correlation-id'], `id-${i}`);
      assert.deepEqual(JSON.parse(answer.text), {
        before: `id-${i}`,
        after: { correlationId: `id-${i}`, userId: `u${i}` },
      });
    });
    const get = await request(port, { path: '/callback' });
    assert.match(get.headers['x-correlation-id'], UUID);
    assert.equal(JSON.parse(get.text).correlationId, get.headers['x-correlation-id']);
    for (const [hook, id] of hooks) assert.notEqual(id, undefined, hook);
    assert.equal(hooks.length, 21 * 4);
    const missing = await request(port, {
      path: '/missing',
      headers: { 'x-correlation-id': 'abc' },
    });
    assert.deepEqual([missing.status, missing.headers['x-correlation-id']], [404, 'abc']);
  },
);

test(
  'Fastify: a hook that goes on from elsewhere does not lose the context',
  { ...LIMIT, skip: !installed('fastify') && 'not installed' },
  async (t) => {
    const app = require('fastify')();
    t.after(() => app.close());
    const elsewhere = new AsyncResource('elsewhere');
    app.register(correlationPlugin);
    app.addHook('preParsing', (req, reply, payload, done) => elsewhere.runInAsyncScope(done));
    app.get('/', async () => getCorrelationContext() ?? {});
    await app.listen({ port: 0, host: '127.0.0.1' });
    const answer = await request(app.server.address().port, {
      headers: { 'x-correlation-id': 'abc' },
    });
    assert.deepEqual(JSON.parse(answer.text), { correlationId: 'abc' });
  },
);
