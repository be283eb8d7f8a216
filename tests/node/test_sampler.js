'use strict';
// The head decision of many trace ids.

const assert = require('node:assert/strict');
const { test } = require('node:test');

const telemetry = require('../../bindings/node/lib/index.js');
const { native } = require('../../bindings/node/lib/loader.js');
const { MEMORY, eachAlone } = require('./alone.js');

eachAlone();

test('a million trace ids: half of them at a ratio of a half', () => {
  const ids = new Uint8Array(16 << 20);
  const out = new Uint8Array(1 << 20);
  for (let at = 0; at < ids.length; at += 65536)
    globalThis.crypto.getRandomValues(ids.subarray(at, at + 65536));
  assert.equal(native.samplerDecideMany(ids, out), false);
  telemetry.init({ ...MEMORY, sampleRatio: 0.5 });
  assert.equal(native.samplerDecideMany(ids, out), true);
  const kept = out.reduce((sum, one) => sum + one, 0);
  assert.ok(Math.abs(kept / out.length - 0.5) < 0.01, String(kept));
  for (let i = 0; i < out.length; i += 1000) assert.equal(out[i], ids[i * 16 + 9] >= 128 ? 1 : 0);
});
