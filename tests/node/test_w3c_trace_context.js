'use strict';
// Trace context without the core: the shared cases.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const { extract } = require('../../bindings/node/lib/w3c_trace_context.js');

test('without the core, headers are read by the same rules as with it', () => {
  const values = (headers, name) =>
    headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
  let count = 0;
  for (const file of ['traceparent.json', 'tracestate.json']) {
    const { cases } = JSON.parse(fs.readFileSync(path.join(__dirname, '../vectors', file), 'utf8'));
    for (const { requests, case: name } of cases) {
      for (const { headers, continued, flags, tracestate } of requests) {
        const found = extract(values(headers, 'traceparent'), values(headers, 'tracestate'));
        assert.equal(found === null ? null : found.traceId, continued, name);
        if (found !== null) assert.deepEqual([found.flags, found.state], [flags, tracestate], name);
        count++;
      }
    }
  }
  assert.ok(count > 60);
});
