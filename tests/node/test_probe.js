'use strict';
// Routers that keep no mount paths: templates are found by matching again, and no request adds one.

const test = require('node:test');
const assert = require('node:assert/strict');
const http = require('node:http');
const olderRouter = require('router22');
const { EXPRESS, begin, listen, requestsTotal, serverSpans } = require('./http_driver.js');
const { answer, eachApp: each, templatesOf } = require('./express_driver.js');
const { telemetryMiddleware } = require('../../middleware/express');

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
