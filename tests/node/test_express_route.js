'use strict';
// Route templates of routers, mount paths with parameters, mounted applications, lists, patterns,
// handlers without a route, and several matching routes. Never a request path.

const test = require('node:test');
const assert = require('node:assert/strict');
const { EXPRESS, begin, listen, raw, request, serverSpans } = require('./http_driver.js');
const { telemetryMiddleware } = require('../../middleware/express');

const answer = (req, res) => res.send('ok');
const pass = (req, res, next) => next();
const fail = () => {
  throw new TypeError('no');
};

function addRoutes(app, { express, five }) {
  app.get('/plain', answer);
  app.get('/orders/:id', answer);
  app.get('/pass', pass);
  app.get('/many/:a', pass);
  app.get('/many/:b', answer);
  app.get('/skip/:a', (req, res, next) => next('route'));
  app.get(['/list', '/list/:x'], answer);
  app.get(/^\/pattern(.*)x$/, answer);
  app.get('/boom/:id', fail);
  app.get('/missing/:id', (req, res, next) =>
    next(Object.assign(new Error('no such thing'), { status: 404 })),
  );
  app.get('/redirect', (req, res) => res.redirect('/plain'));
  app.route('/verbs/:id').get(answer).post(answer);
  app.all(five ? '/star/*rest' : '/star/*', answer);
  app.use('/files', express.static(__dirname));
  app.use('/graphql', answer);
  app.use('/refused', (req, res) => res.status(404).send('no'));
}

function addRouters(app, { express }) {
  const inner = express.Router({ mergeParams: true });
  inner.get('/items/:item', answer);
  inner.get('/', answer);
  inner.get('/fail', fail);
  app.use('/users/:user', inner);
  const outer = express.Router();
  outer.use('/v:version', inner);
  app.use('/api/:tenant/x', outer);
  const shared = express.Router();
  shared.get('/t/:id', answer);
  app.use('/one', shared);
  app.use('/two/:w', shared);
  app.use(['/three', '/four/:k'], shared);
  const guarded = express.Router();
  guarded.get('/a', fail);
  guarded.use((error, req, res, next) => res.status(503).send('handled'));
  app.use('/guarded', guarded);
}

function addApplications(app, { express }) {
  const first = express();
  first.set('env', 'test');
  first.get('/bad/:id', fail);
  first.get('/s/:id', answer);
  app.use('/first', first);
  const second = express();
  second.get('/s/:id', answer);
  const third = express();
  third.get('/z/:q', answer);
  second.use('/deeper/:d', third);
  app.use('/second/:o', second);
}

// [path, template]; the first request is the first of its application.
const PATHS = [
  ['/plain?token=secret', '/plain'],
  ['/orders/42', '/orders/:id'],
  ['/pass', ''],
  ['/many/7', '/many/:b'],
  ['/skip/7', ''],
  ['/list', '/list'],
  ['/list/9', '/list/:x'],
  ['/pattern77x', String(/^\/pattern(.*)x$/)],
  ['/boom/1', '/boom/:id'],
  ['/missing/3', '/missing/:id'],
  ['/redirect', '/redirect'],
  ['/verbs/1', '/verbs/:id'],
  ['/files/http_driver.js', '/files'],
  ['/files/none', ''],
  ['/graphql', '/graphql'],
  ['/refused', ''],
  ['/nothing/here', ''],
  ['/%zz', ''],
  ['/users/bob/items/3', '/users/:user/items/:item'],
  ['/users/bob', '/users/:user/'],
  ['/users/bob/fail', '/users/:user/fail'],
  ['/api/acme/x/v2/items/9', '/api/:tenant/x/v:version/items/:item'],
  ['/one/t/1', '/one/t/:id'],
  ['/two/zz/t/1', '/two/:w/t/:id'],
  ['/three/t/1', '/three/t/:id'],
  ['/four/kk/t/1', '/four/:k/t/:id'],
  ['/guarded/a', '/guarded/a'],
  ['/first/bad/1', '/first/bad/:id'],
  ['/first/s/1', '/first/s/:id'],
  ['/first/bad/2', '/first/bad/:id'],
  ['/second/oo/s/2', '/second/:o/s/:id'],
  ['/second/oo/deeper/dd/z/1', '/second/:o/deeper/:d/z/:q'],
];

for (const version of EXPRESS) {
  test(`${version.name}: templates`, { timeout: 60000 }, async (t) => {
    await begin();
    const app = version.express();
    app.set('env', 'test');
    app.use(telemetryMiddleware());
    addRoutes(app, version);
    addRouters(app, version);
    addApplications(app, version);
    const { port, close } = await listen(app);
    t.after(close);
    const paths = [...PATHS, ['/star/a/b', version.five ? '/star/*rest' : '/star/*']];
    for (const round of ['first', 'again']) {
      for (const [path, template] of paths) {
        await t.test(`${path}, ${round}`, async () => {
          await request(port, path);
          const [span] = await serverSpans();
          assert.equal(span.attributes['http.route'], template === '' ? undefined : template);
        });
      }
    }
    await t.test('the absolute form', async () => {
      await raw(
        port,
        `GET http://localhost/two/zz/t/1 HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`,
      );
      const [span] = await serverSpans();
      assert.equal(span.attributes['http.route'], '/two/:w/t/:id');
    });
    await t.test('routes that are added later', async () => {
      app.get('/later/:id', answer);
      await request(port, '/later/1');
      const [span] = await serverSpans();
      assert.equal(span.attributes['http.route'], '/later/:id');
      assert.equal(span.attributes['http.status_code'], 200);
    });
  });

  test(
    `${version.name}: a path passes no value on, whatever it is`,
    { timeout: 60000 },
    async (t) => {
      await begin();
      const { express } = version;
      const app = express();
      app.use(telemetryMiddleware());
      const inner = express.Router();
      inner.get('/end', answer);
      app.use('/a/:x/a/:y', inner);
      app.use('/dates/:from-:to', inner);
      const { port, close } = await listen(app);
      t.after(close);
      for (const [path, template] of [
        ['/a/a/a/a/end', '/a/:x/a/:y/end'],
        ['/a/%61/a/y/end', '/a/:x/a/:y/end'],
        ['/dates/2020-2021/end', '/dates/:from-:to/end'],
      ]) {
        await request(port, path);
        const [span] = await serverSpans();
        assert.equal(span.attributes['http.route'], template, path);
      }
    },
  );

  test(
    `${version.name}: the option route, and the middleware inside a router`,
    { timeout: 60000 },
    async (t) => {
      await begin();
      const { express } = version;
      const app = express();
      const router = express.Router();
      router.use(
        telemetryMiddleware({
          route: (req) => (req.path.startsWith('/rpc') ? '/rpc/{method}' : undefined),
        }),
      );
      router.get('/known/:id', answer);
      router.use('/rpc', answer);
      app.use('/in/:side', router);
      app.get('/outside', answer);
      const { port, close } = await listen(app);
      t.after(close);
      const found = [];
      for (const path of ['/in/a/known/1', '/in/a/rpc/x', '/outside']) {
        await request(port, path);
        found.push(
          (await serverSpans(path === '/outside' ? 0 : 1)).map(
            (span) => span.attributes['http.route'],
          ),
        );
      }
      assert.deepEqual(found.slice(0, 1), [['/in/:side/known/:id']]);
      assert.equal(found[1].length, 1);
      assert.deepEqual(found[2], []);
    },
  );
}
