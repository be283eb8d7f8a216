'use strict';
// Route templates for paths in other letter cases, expressions, patterns, lists, routers behind
// functions, rewritten URLs and routers that are added later. The label is a text of the program;
// no request creates another.

const test = require('node:test');
const assert = require('node:assert/strict');
const http = require('node:http');
const olderRouter = require('router22');
const {
  EXPRESS,
  begin,
  listen,
  raw,
  request,
  requestsTotal,
  serverSpans,
} = require('./http_driver.js');
const { metricsHandler, telemetryMiddleware } = require('../../middleware/express');
const { instrumentServer } = require('../../middleware/http');
const { writtenMounts } = require('../../middleware/express/written.js');

const answer = (req, res) => res.send('ok');

/** Returns the templates of requests, in order; '' for none. */
async function templatesOf(port, asked) {
  const found = [];
  for (const one of asked) {
    const [path, options] = Array.isArray(one) ? one : [one];
    await request(port, path, options);
    const [span] = await serverSpans();
    found.push(span.attributes['http.route'] || '');
  }
  return found;
}

function each(name, body, versions = EXPRESS) {
  for (const version of versions) {
    test(`${version.name}: ${name}`, { timeout: 30000 }, async (t) => {
      await begin();
      const app = version.express();
      app.set('env', 'test');
      app.use(telemetryMiddleware());
      const { port, close } = await listen(app);
      t.after(close);
      await body(app, port, version, t);
    });
  }
}

const FOUR = EXPRESS.filter((version) => !version.five);

each('letter case and encoded slashes make no labels', async (app, port, { express }) => {
  app.use('/files', answer);
  app.use('/Users/:id', express.Router().get('/Items/:item', answer));
  assert.deepEqual(
    await templatesOf(port, ['/files/1', '/FILES/2', '/fIlEs/3', '/files']),
    Array(4).fill('/files'),
  );
  const paths = ['/users/a/items/1', '/USERS/A%2Fb/ITEMS/x%2Fy', '/Users/Items/Items/Users'];
  assert.deepEqual(await templatesOf(port, paths), Array(3).fill('/Users/:id/Items/:item'));
});

each('mount paths that are expressions', async (app, port, { express }) => {
  const users = /^\/users\/\d+\/?$/;
  const tenant = /^\/t-[a-z]+(?=\/|$)/;
  app.use(users, answer);
  app.use(tenant, express.Router().get('/items', answer));
  assert.deepEqual(
    await templatesOf(port, ['/users/42', '/users/43/', '/t-acme/items', '/t-other/items']),
    [String(users), String(users), `${tenant}/items`, `${tenant}/items`],
  );
});

each(
  'patterns, optional parameters and wildcards of Express 4',
  async (app, port, { express }) => {
    const at = (path, inner) => app.use(path, express.Router().get(inner, answer));
    at('/v1/:id(\\d+)', '/items');
    at('/genre/:lang(en|de)', '/x');
    at('/opt/:a/:b?', '/end');
    app.use('/star/*', answer);
    app.use('/more/:rest*', answer);
    at('/dates/:from-:to', '/end');
    at('/file.:ext', '/end');
    at('/group/(a|b)', '/end');
    const paths = [
      '/v1/1/items',
      '/v1/7/items',
      '/genre/en/x',
      '/opt/1/2/end',
      '/star/a/b/tail',
      '/more/a/b',
    ];
    const more = ['/dates/a-b/end', '/file.json/end', '/group/a/end'];
    assert.deepEqual(await templatesOf(port, [...paths, ...more]), [
      '/v1/:id(\\d+)/items',
      '/v1/:id(\\d+)/items',
      '/genre/:lang(en|de)/x',
      '/opt/:a/:b?/end',
      '/star/*',
      '/more/:rest*',
      '/dates/:from-:to/end',
      '/file.:ext/end',
      '/group/(a|b)/end',
    ]);
  },
  FOUR,
);

each('lists with expressions, for routes and for mounts', async (app, port, { express }) => {
  const numbered = /^\/list\/[2-9]$/;
  app.get(['/list/one', numbered], answer);
  app.use(['/m/one', /^\/m\/[2-9]/, '/m/:name/x'], express.Router().get('/end', answer));
  assert.deepEqual(
    await templatesOf(port, ['/list/one', '/list/5', '/m/one/end', '/m/7/end', '/m/abc/x/end']),
    ['/list/one', String(numbered), '/m/one/end', `${/^\/m\/[2-9]/}/end`, '/m/:name/x/end'],
  );
});

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

each('a router that keeps no paths is asked, and is filled by no client', async (app, port) => {
  const inner = olderRouter();
  inner.get('/end', answer);
  const outer = olderRouter();
  outer.use('/Files', answer);
  outer.use('/a/:x/a/:y', inner);
  outer.use('/dates/:from-:to', inner);
  outer.use('/wide/*rest/then', inner);
  outer.use('/opt{/:one}/fix', inner);
  outer.use(/^\/re\d+/, inner);
  app.use('/old', outer);
  const asked = {
    '/old/Files/1': '/old/files',
    '/old/FILES/1': '/old/files',
    '/old/a/a/a/a/end': '/old/a/:x/a/:y/end',
    '/old/A/b%2Fc/a/d/end': '/old/a/:x/a/:y/end',
    '/old/dates/d-a-t-e/end': '/old/dates/:from-:to/end',
    '/old/wide/x/y/then/end': '/old/wide/*rest/then/end',
    '/old/opt/fix/end': '/old/opt/fix/end',
    '/old/opt/1/fix/end': '/old/opt/:one/fix/end',
    '/old/re1/end': '',
  };
  assert.deepEqual(await templatesOf(port, Object.keys(asked)), Object.values(asked));
});

test('what a mount path was, from its expression', () => {
  const read = (source, flags, names) =>
    writtenMounts(
      new RegExp(source, flags),
      names.map((name) => ({ name })),
    ).map(({ text }) => text);
  const end = '\\/?(?=\\/|$)';
  assert.deepEqual(read(`^\\/a\\/(?:([^\\/]+?))${end}`, 'i', ['id']), ['/a/:id']);
  assert.deepEqual(read(`^\\/a(?:\\/([^\\/]+?))?${end}`, 'i', ['id']), ['/a/:id?']);
  assert.deepEqual(read(`^\\/a${end}|^\\/b(?:\\/(\\d+))${end}|^\\/x[a-z]+`, '', ['n']), [
    '/a',
    '/b/:n(\\d+)',
    '/^\\/x[a-z]+/',
  ]);
  for (const strange of ['(', '^\\/a(?=b)', '^\\/a\\d', '^[^/]+']) {
    let regexp;
    try {
      regexp = new RegExp(strange + end);
    } catch {
      continue;
    }
    assert.deepEqual(read(regexp.source, '', []), [String(regexp)]);
  }
});

for (const version of EXPRESS) {
  test(`${version.name}: the absolute form behind a mount`, { timeout: 30000 }, async (t) => {
    await begin();
    const app = version.express();
    app.use(telemetryMiddleware());
    app.use(['/x', '/y/:k'], version.express.Router().get(['/end', /^\/e\d$/], answer));
    const { port, close } = await listen(app);
    t.after(close);
    await raw(
      port,
      'GET http://localhost/y/1/end HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n',
    );
    const [span] = await serverSpans();
    assert.equal(span.attributes['http.route'], '/y/:k/end');
  });
}

/** Paths as of a scanner, constant. */
function* scannedPaths(count) {
  let state = 12345;
  const below = (n) => (state = (state * 1103515245 + 12345) % 2147483648) % n;
  const words = [
    'a',
    'A',
    'b',
    'l1',
    'L2',
    're77',
    'p',
    'o',
    'w',
    'i',
    'I',
    'n',
    'N',
    'end',
    'deep',
    'h',
    'zz',
    '..',
    '',
  ];
  const makers = [
    () => words[below(words.length)],
    () => `secret${below(1000)}`,
    () => `%2Fsecret${below(1000)}`,
    () => `a-secret${below(1000)}`,
    () => `SECRET.${below(1000)}%20x`,
    () => String(100 + below(1000)),
  ];
  for (let i = 0; i < count; i++) {
    const parts = Array.from({ length: 1 + below(6) }, () =>
      (below(3) > 0 ? makers[0] : makers[below(6)])(),
    );
    yield `/${parts.join('/')}`;
  }
}

for (const [name, { express, five }, makeRouter] of [
  ...EXPRESS.map((version) => [version.name, version, version.express.Router]),
  ['a router without paths', EXPRESS[0], olderRouter],
]) {
  test(`${name}: nothing of a path becomes a label`, { timeout: 60000 }, async (t) => {
    await begin();
    const app = express();
    app.set('env', 'test');
    app.use(telemetryMiddleware());
    const outer = makeRouter();
    const own = five ? ['/w/*rest', '/o{/:a}'] : ['/p/:id(\\d+)', '/o/:a?', '/w/*', '/s/:r*'];
    for (const mount of [
      '/a',
      '/A/b',
      ['/l1', '/l2/:q'],
      /^\/re[0-9]+/,
      '/a-:z',
      '/a/:y',
      ...own,
      '/:x',
    ]) {
      const inner = makeRouter({ mergeParams: true });
      inner.get('/', answer);
      inner.get(['/i/:id', /^\/z+$/], answer);
      inner.use('/n/:k', makeRouter().get('/end', answer).use('/deep', answer));
      inner.use('/h', answer);
      outer.use(mount, inner);
    }
    app.use(outer);
    const { port, close } = await listen(app);
    t.after(close);
    const agent = new http.Agent({ keepAlive: true });
    t.after(() => agent.destroy());
    for (const path of scannedPaths(1500)) {
      await new Promise((resolve, reject) => {
        http
          .get({ port, host: '127.0.0.1', path, agent }, (res) => res.resume().on('end', resolve))
          .on('error', reject);
      });
    }
    await serverSpans();
    const labels = Object.keys(await requestsTotal());
    assert.ok(labels.length > 10 && labels.length < 100, String(labels.length));
    assert.deepEqual(
      labels.filter((label) => /secret|%|[0-9]{3}.* /i.test(label)),
      [],
    );
  });
}

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
