'use strict';
// Outgoing requests of fetch, http and https: their headers by destination, their spans, and no
// other change.

const assert = require('node:assert');
const http = require('node:http');
const { after, before, beforeEach, describe, test } = require('node:test');
const { LIMIT, own, restart, take, telemetry } = require('./support.js');

const { instrumentOutgoing, withSpan } = telemetry;

/** Returns the response of http.request: its body as JSON. */
function request(url, options) {
  return new Promise((resolve, reject) => {
    const sent = http.request(url, options, (response) => {
      let text = '';
      response
        .on('data', (chunk) => (text += chunk))
        .on('end', () => resolve(text === '' ? {} : JSON.parse(text)));
    });
    sent.on('error', reject);
    sent.end();
  });
}

describe('outgoing requests', { timeout: 60000 }, () => {
  let server;
  let url;
  before(async () => {
    server = http.createServer((incoming, outgoing) => {
      outgoing.statusCode = incoming.url === '/missing' ? 404 : 200;
      outgoing.end(JSON.stringify(incoming.headers));
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${server.address().port}`;
  });
  beforeEach(() => restart());
  after(async () => {
    server.closeAllConnections();
    server.close();
    await telemetry.shutdown(LIMIT);
  });

  const clients = {
    fetch: async (path, options) => (await fetch(url + path, options)).json(),
    request: (path, options) => request(url + path, options),
    get: (path) =>
      new Promise((resolve, reject) =>
        http
          .get(url + path, (response) => {
            response.setEncoding('utf8').on('data', (text) => resolve(JSON.parse(text)));
          })
          .on('error', reject),
      ),
  };

  for (const [name, client] of Object.entries(clients)) {
    test(`${name} carries the current context; nothing without one or after the end`, async () => {
      const uninstall = instrumentOutgoing();
      try {
        await withSpan('s', async (span) => {
          const headers = await telemetry.runWithContext(
            telemetry.setBaggage('tenant', 'acme'),
            () => client('/'),
          );
          assert.strictEqual(headers.traceparent, `00-${span.traceId}-${span.spanId}-03`);
          assert.strictEqual(headers.baggage, 'tenant=acme');
        });
        assert.strictEqual((await client('/')).traceparent, undefined);
      } finally {
        uninstall();
      }
      await withSpan('s', async () =>
        assert.strictEqual((await client('/')).traceparent, undefined),
      );
    });

    test(`${name} only to allowed origins`, async () => {
      for (const [origins, allowed] of [
        [[url], true],
        [['https://example.test'], false],
        [[/^http:\/\/127/], true],
        [() => false, false],
        [[7], false],
      ]) {
        const uninstall = instrumentOutgoing({ origins });
        await withSpan('s', async () =>
          assert.strictEqual((await client('/')).traceparent !== undefined, allowed),
        );
        uninstall();
      }
    });

    test(`${name} with spans`, async () => {
      const uninstall = instrumentOutgoing({ spans: true });
      const headers = await withSpan('s', () => client('/missing'));
      await new Promise((resolve) => setTimeout(resolve, 20));
      uninstall();
      const spans = await take();
      const span = spans.one('http.client');
      assert.deepStrictEqual(
        [span.kind, span.parentId, span.status.code],
        [3, spans.one('s').spanId, 2],
      );
      assert.strictEqual(headers.traceparent, `00-${span.traceId}-${span.spanId}-03`);
      assert.deepStrictEqual(own(span), {
        'url.full': `${url}/missing`,
        'http.method': 'GET',
        'http.scheme': 'http',
        'net.peer.name': '127.0.0.1',
        'net.peer.port': server.address().port,
        'http.status_code': 404,
        error: true,
        'error.type': '404',
      });
    });
  }

  test('a header of the application stays', async () => {
    const uninstall = instrumentOutgoing();
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await withSpan('s', async () => {
      for (const client of [clients.fetch, clients.request])
        assert.strictEqual(
          (await client('/', { headers: { traceparent } })).traceparent,
          traceparent,
        );
      await request(url, { headers: ['a', 'b'] });
    });
    uninstall();
  });

  test('a failing request fails as it did, and its span is an error', async () => {
    const uninstall = instrumentOutgoing({ spans: true });
    await withSpan('s', async () => {
      await assert.rejects(fetch('http://127.0.0.1:9/'), TypeError);
      await assert
        .rejects(request('http://127.0.0.1:9/'), { code: 'ECONNREFUSED' })
        .catch((error) => assert.match(error.message, /bad port|ECONNREFUSED/));
    });
    uninstall();
    for (const span of (await take()).filter((one) => one.name === 'http.client'))
      assert.strictEqual(span.status.code, 2);
  });
});

test('options of any kind', () => {
  for (const options of [
    undefined,
    null,
    7,
    {},
    { fetch: false, http: false },
    {
      get fetch() {
        throw new Error('x');
      },
    },
  ]) {
    const uninstall = instrumentOutgoing(options);
    uninstall();
    uninstall();
  }
});
