'use strict';
// Where the operation log of an environment lies.

const assert = require('node:assert/strict');
const test = require('node:test');
const { native } = require('../../bindings/node/lib/loader.js');
const openMemory = require('../../bindings/node/lib/oplog_memory.js');
const { CONTROL_BYTES } = require('../../bindings/node/lib/oplog_form.js').LOG;

test('the first log lies in the core, a second one in a small buffer', () => {
  const first = openMemory();
  assert.ok(first instanceof ArrayBuffer);
  assert.equal(first.byteLength > 1 << 20, native !== null);
  require('../../bindings/node/lib/oplog.js');
  assert.equal(openMemory().byteLength, CONTROL_BYTES + 8 * 1024);
});
