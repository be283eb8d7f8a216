'use strict';
// The entry of Next for the edge runtime.

const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');

test('the edge entry needs nothing of Node', async () => {
  const file = path.resolve(__dirname, '../../middleware/next/edge.js');
  assert.ok(!/require\(/.test(fs.readFileSync(file, 'utf8')));
  assert.equal(await require(file).register({ enabled: true }), undefined);
});
