'use strict';
// Fastify as documented: templates, errors that it handles itself, metrics.

const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { begin, request, requestsTotal, serverSpans } = require('./http_driver.js');

const ROOT = path.resolve(__dirname, '../..');

/** Returns the block of the page, with the modules of this package, and its application. */
function recipe() {
  const page = fs.readFileSync(path.join(ROOT, 'docs/express.md'), 'utf8');
  const [, block] = /### Fastify\n\n```js\n(.*?)^```$/ms.exec(page);
  const places = {
    'djp-telemetry': 'bindings/node/lib/index.js',
    'djp-telemetry/http': 'middleware/http/index.js',
  };
  const load = (name) => require(places[name] === undefined ? name : path.join(ROOT, places[name]));
  return new Function('require', `${block.replace(/^init\(\);$/m, '')}\nreturn app;`)(load);
}

test('the recipe: templates, errors, the scrape', { timeout: 30000 }, async (t) => {
  await begin();
  const app = recipe();
  app.get('/orders/:id', async (req) => ({ id: req.params.id }));
  app.post('/orders', async () => ({}));
  app.register(
    async (inner) => inner.get('/boom/:n', async () => Promise.reject(new RangeError('no'))),
    {
      prefix: '/in',
    },
  );
  app.get('/refused', async () => {
    throw Object.assign(new Error('bad input'), { statusCode: 422 });
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  t.after(() => app.close());
  const { port } = app.server.address();
  const found = [];
  for (const [where, options] of [
    ['/orders/7'],
    ['/orders', { method: 'POST', body: '{', headers: { 'content-type': 'application/json' } }],
    ['/in/boom/1'],
    ['/refused'],
    ['/nothing'],
  ]) {
    await request(port, where, options);
    const [span] = await serverSpans();
    const errors = span.events.map((event) => event.attributes['exception.message']);
    found.push([
      span.attributes['http.route'],
      span.attributes['http.status_code'],
      span.status,
      ...errors,
    ]);
  }
  assert.deepEqual(found, [
    ['/orders/:id', 200, 'unset'],
    ['/orders', 400, 'unset'],
    ['/in/boom/:n', 500, 'error', 'no'],
    ['/refused', 422, 'unset'],
    [undefined, 404, 'unset'],
  ]);
  assert.match((await request(port, '/metrics')).body, /^# HELP/);
  assert.equal((await requestsTotal())['GET /in/boom/:n 500'], 1);
});
