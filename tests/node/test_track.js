'use strict';
// The notes of routers during a request: routers behind functions and at several places, rewritten
// URLs, routes that are added or exchanged later, and handlers below a mount path.

const assert = require('node:assert/strict');
const http = require('node:http');
const { listen, request, serverSpans } = require('./http_driver.js');
const { answer, eachApp: each, templatesOf } = require('./express_driver.js');
const { metricsHandler, telemetryMiddleware } = require('../../middleware/express');
const { instrumentServer } = require('../../middleware/http');

each('routers behind functions, and applications behind hosts', async (app, port, { express }) => {
  const versions = [express.Router(), express.Router()];
  for (const router of versions) router.get('/items/:id', answer);
  app.use('/api/:tenant', (req, res, next) =>
    versions[Number(req.headers['x-version'])](req, res, next),
  );
  const hosts = { 'a.test': express(), 'b.test': express() };
  hosts['a.test'].get('/who/:a', answer);
  hosts['b.test'].use('/deep', express.Router().get('/who/:b', answer));
  app.use((req, res, next) => (hosts[req.headers.host] || next)(req, res, next));
  const asked = [
    ['/api/t/items/5', { headers: { 'x-version': '0' } }],
    ['/api/t/items/5', { headers: { 'x-version': '1' } }],
    ['/who/1', { headers: { host: 'a.test' } }],
    ['/deep/who/1', { headers: { host: 'b.test' } }],
  ];
  const expected = ['/api/:tenant/items/:id', '/api/:tenant/items/:id', '/who/:a', '/deep/who/:b'];
  assert.deepEqual(await templatesOf(port, asked), expected);
});

each('an address that was rewritten, whatever came first', async (app, port, { express }) => {
  app.use((req, res, next) => {
    req.url = req.url.replace(/^\/(en|de)(?=\/)/, '');
    next();
  });
  app.use('/items', express.Router().get('/:id', answer));
  const paths = ['/en/items/5', '/items/5', '/de/items/5'];
  assert.deepEqual(await templatesOf(port, paths), Array(3).fill('/items/:id'));
});

each(
  'a router at several places, the second one later, and routes that come later',
  async (app, port, { express }) => {
    const router = express.Router().get('/x', answer);
    app.use('/one', router);
    assert.deepEqual(await templatesOf(port, ['/one/x']), ['/one/x']);
    app.use('/two/:w', router);
    router.get('/y/:z', answer);
    router.use('/self', router);
    const paths = [
      '/two/2/x',
      '/one/x',
      '/one/y/1',
      '/two/2/self/x',
      '/one/self/self/y/1',
      '/nowhere',
    ];
    const expected = [
      '/two/:w/x',
      '/one/x',
      '/one/y/:z',
      '/two/:w/self/x',
      '/one/self/self/y/:z',
      '',
    ];
    assert.deepEqual(await templatesOf(port, paths), expected);
  },
);

each('an application that exchanges all of its routes', async (app, port, { express }) => {
  const routers = [express.Router(), express.Router()];
  routers[0].get('/a/:first', answer);
  routers[1].get('/a/:second', answer);
  const holder = express.Router();
  app.use('/x', holder);
  for (const [i, router] of routers.entries()) {
    holder.stack = router.stack;
    assert.deepEqual(
      await templatesOf(port, ['/x/a/1', '/x/a/2']),
      Array(2).fill(`/x/a/:${['first', 'second'][i]}`),
    );
  }
  app.use('/y', routers[0]);
  assert.deepEqual(await templatesOf(port, ['/y/a/1', '/x/a/1', '/y/a/1']), [
    '/y/a/:first',
    '/x/a/:second',
    '/y/a/:first',
  ]);
});

each(
  'middleware that passes on beneath a mount path names nothing',
  async (app, port, { express }) => {
    const pass = (req, res, next) => next();
    app.use('/api', pass, express.Router().get('/none', answer));
    app.use('/api/v1', express.Router().get('/here/:id', answer));
    app.get('/both/:a', pass);
    app.use('/both', answer);
    app.param('slow', (req, res, next) => setImmediate(next));
    app.use('/p/:slow', express.Router().get('/x', answer));
    const asked = ['/api/v1/here/1', '/both/1', '/p/1/x', '/api/v1/there'];
    assert.deepEqual(await templatesOf(port, asked), [
      '/api/v1/here/:id',
      '/both',
      '/p/:slow/x',
      '',
    ]);
    const found = await Promise.all(
      Array.from({ length: 20 }, (_, i) => request(port, i % 2 ? '/p/1/x' : '/both/1')),
    );
    assert.equal(found.length, 20);
    const labels = (await serverSpans(20)).map((span) => span.attributes['http.route']).sort();
    assert.deepEqual(labels, [...Array(10).fill('/both'), ...Array(10).fill('/p/:slow/x')]);
  },
);

each('a mounted handler that fails gives its mount path', async (app, port) => {
  app.use('/graphql', () => {
    throw new Error('no');
  });
  app.use((error, req, res, next) => res.status(503).send('handled'));
  assert.deepEqual(await templatesOf(port, ['/graphql/x', '/GraphQL']), ['/graphql', '/graphql']);
});

each('two applications in one process keep their own state', async (app, port, { express }, t) => {
  const shared = telemetryMiddleware();
  const [first, second] = [express(), express()];
  for (const one of [first, second]) one.use(shared);
  first.get('/state', metricsHandler());
  second.get('/state', answer);
  app.get('/', answer);
  const servers = await Promise.all(
    [first, second, http.createServer(metricsHandler())].map((one) => listen(one)),
  );
  t.after(() => Promise.all(servers.map(({ close }) => close())));
  for (let i = 0; i < 2; i++) await request(servers[0].port, '/state');
  await request(servers[2].port, '/'); // a probe of a port that serves only metrics
  assert.equal((await serverSpans(0)).length, 0);
  await request(servers[1].port, '/state');
  await request(port, '/');
  const found = (await serverSpans(2)).map((span) => span.attributes['http.route']);
  assert.deepEqual(found, ['/state', '/']);
});

each('behind an instrumented server, after 100-continue', async (app, port, version, t) => {
  app.post('/up/:id', (req, res) => req.resume().on('end', () => res.send('x')));
  const server = instrumentServer(http.createServer(app));
  server.on('checkContinue', (req, res) => {
    res.writeContinue();
    server.emit('request', req, res);
  });
  const { port: other, close } = await listen(server);
  t.after(close);
  const headers = { expect: '100-continue', 'content-length': '3' };
  assert.deepEqual(
    await templatesOf(other, [['/up/1', { method: 'POST', headers, body: 'abc' }]]),
    ['/up/:id'],
  );
});

each(
  'a parameter whose callback answers, or fails, names its route',
  async (app, port, { express }) => {
    const refuse = (req, res, next, value) => {
      if (value === 'none') res.sendStatus(404);
      else
        next(value === 'bad' ? Object.assign(new Error('no number'), { status: 400 }) : undefined);
    };
    const router = express.Router({ mergeParams: true });
    router.param('id', refuse);
    router.get('/plain', answer);
    router.get(['/items/:id', '/things/:id'], (req, res, next) => next());
    router.get('/items/:id/:part', answer);
    router.use((req, res) => res.status(404).send('no such path'));
    app.param('user', refuse);
    app.use('/shops', (req, res, next) => next());
    app.get('/users/:user', answer);
    app.use('/shops', router);

    assert.deepEqual(
      await templatesOf(port, ['/users/bad', '/users/none', '/users/1']),
      Array(3).fill('/users/:user'),
    );
    assert.deepEqual(
      await templatesOf(port, ['/shops/items/bad', '/shops/items/none', '/shops/things/bad']),
      ['/shops/items/:id', '/shops/items/:id', '/shops/things/:id'],
    );
    assert.deepEqual(
      await templatesOf(port, ['/shops/items/bad/x', '/shops/plain', '/shops/else']),
      ['/shops/items/:id/:part', '/shops/plain', ''],
    );
  },
);
