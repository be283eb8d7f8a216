'use strict';
// Layers of routers: letter case, expressions, lists, and the absolute form.

const test = require('node:test');
const assert = require('node:assert/strict');
const { EXPRESS, begin, listen, raw, serverSpans } = require('./http_driver.js');
const { answer, eachApp: each, templatesOf } = require('./express_driver.js');
const { telemetryMiddleware } = require('../../middleware/express');

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

each('lists with expressions, for routes and for mounts', async (app, port, { express }) => {
  const numbered = /^\/list\/[2-9]$/;
  app.get(['/list/one', numbered], answer);
  app.use(['/m/one', /^\/m\/[2-9]/, '/m/:name/x'], express.Router().get('/end', answer));
  assert.deepEqual(
    await templatesOf(port, ['/list/one', '/list/5', '/m/one/end', '/m/7/end', '/m/abc/x/end']),
    ['/list/one', String(numbered), '/m/one/end', `${/^\/m\/[2-9]/}/end`, '/m/:name/x/end'],
  );
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
