'use strict';
// Applications of each installed version of Express with the middleware, and the route templates of
// their requests.

const test = require('node:test');
const { EXPRESS, begin, listen, request, serverSpans } = require('./http_driver.js');
const { telemetryMiddleware } = require('../../middleware/express');

const answer = (req, res) => res.send('ok');

/** Starts an application with the middleware; it listens until the test ends. */
async function serve(t, { express }, routes, options) {
  const app = express();
  app.set('env', 'test');
  app.use(telemetryMiddleware(options));
  await routes(app, express);
  const { port, close } = await listen(app);
  t.after(close);
  return port;
}

/** A test for each version: body(t, version). */
function eachVersion(name, body) {
  for (const version of EXPRESS) {
    test(`${version.name}: ${name}`, { timeout: 30000 }, async (t) => {
      await begin();
      await body(t, version);
    });
  }
}

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

/** A test for each version with a listening application: body(app, port, version, t). */
function eachApp(name, body, versions = EXPRESS) {
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

module.exports = { answer, eachApp, eachVersion, serve, templatesOf };
