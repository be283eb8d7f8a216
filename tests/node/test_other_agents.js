'use strict';
// Requests by which other telemetry of the process exports: the shared cases, queries and long
// paths, and the mark of OpenTelemetry.

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { isOfAgent } = require('../../bindings/node/lib/other_agents.js');

const VECTORS = path.join(__dirname, '../vectors/other_agents.json');
const { cases } = JSON.parse(fs.readFileSync(VECTORS, 'utf8'));

const asked = (method, place, headers = {}) => isOfAgent(method, place, (name) => headers[name]);

test('the shared cases', () => {
  assert.ok(cases.length > 150);
  for (const item of cases) {
    const found = asked(item.method, item.path, item.headers);
    assert.equal(found, item.of_agent, JSON.stringify(item));
  }
});

test('a query is no part of the path', () => {
  assert.equal(asked('POST', '/v1/traces?key=1'), true);
  assert.equal(asked('POST', '/any?next=/v1/traces'), false);
});

test('a long path is not searched', () => {
  assert.equal(asked('POST', `/${'x'.repeat(1000)}/v1/traces`), true);
  assert.equal(asked('POST', `/${'x'.repeat(1000)}/v1/traces?${'y'.repeat(5000)}`), true);
  assert.equal(asked('POST', `/${'x'.repeat(1024)}/v1/traces`), false);
});

test('a user agent that is no text', () => {
  assert.equal(asked('GET', '/any', { 'user-agent': ['sentry'] }), false);
  assert.equal(asked('GET', '/any', { 'user-agent': 7 }), false);
});

test('what OpenTelemetry marks as its own work', () => {
  const key = Symbol.for('opentelemetry.js.api.1');
  const before = Object.getOwnPropertyDescriptor(globalThis, key);
  const suppressing = Symbol.for('OpenTelemetry SDK Context Key SUPPRESS_TRACING');
  try {
    for (const marked of [true, false, undefined]) {
      const active = { getValue: (asks) => (asks === suppressing ? marked : undefined) };
      globalThis[key] = { context: { active: () => active } };
      assert.equal(asked('GET', '/any'), marked === true);
    }
    globalThis[key] = {};
    assert.equal(asked('GET', '/any'), false);
  } finally {
    if (before === undefined) delete globalThis[key];
    else Object.defineProperty(globalThis, key, before);
  }
});
