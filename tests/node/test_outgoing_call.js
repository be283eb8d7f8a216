'use strict';
// One outgoing request: its origin, when it is recorded, the context that it carries, and handlers
// whose errors stay inside.

const assert = require('node:assert/strict');
const { after, beforeEach, test } = require('node:test');
const { LIMIT, restart, take, telemetry } = require('./support.js');
const { begin, contextOf, originOf, quiet } = require('../../bindings/node/lib/outgoing_call.js');

beforeEach(() => restart());
after(() => telemetry.shutdown(LIMIT));

test('the origin of an address, without a default port; none of what is no address', () => {
  for (const [text, origin] of [
    ['http://example.com', 'http://example.com'],
    ['http://example.com:80/a?b#c', 'http://example.com'],
    ['https://user:secret@example.com:8443/a', 'https://example.com:8443'],
    ['HTTPS://EXAMPLE.com:443', 'https://example.com'],
    ['http://[::1]:80/', 'http://[::1]'],
    ['/path', ''],
    ['', ''],
    [undefined, ''],
  ])
    assert.equal(originOf(text), origin, text);
});

test('a request is recorded if that is chosen, and then carries its own span', async () => {
  telemetry.withSpan('around', (around) => {
    assert.equal(begin({ spans: false }, 'GET', 'http://a.test', '/'), null);
    assert.equal(contextOf(null), around);
    const call = begin({ spans: true }, 'GET', 'http://a.test', '/x');
    assert.equal(contextOf(call), call.span);
    assert.notEqual(call.span.spanId, around.spanId);
    assert.equal(call.span.traceId, around.traceId);
    call.respond(200);
    call.end();
  });
  const spans = await take();
  assert.equal(spans.one('http.client').parentId, spans.one('around').spanId);
});

test('an error of a handler stays inside', () => {
  const seen = [];
  const handler = quiet((message) => {
    seen.push(message);
    throw new Error('no');
  });
  assert.equal(handler('a'), undefined);
  assert.equal(handler('b'), undefined);
  assert.deepEqual(seen, ['a', 'b']);
});
