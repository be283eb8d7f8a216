'use strict';
// Contexts of this process as parents: how many are known, and which are replaced.

const assert = require('node:assert');
const { after, describe, test } = require('node:test');
const { LIMIT, restart, take, telemetry } = require('./support.js');

describe('contexts that were handed out', { timeout: 60000 }, () => {
  after(() => telemetry.shutdown(LIMIT));

  test('are known among five hundred later ones, each in one place', async () => {
    await restart({ sampleRatio: 1e-9 });
    const roots = Array.from({ length: 20 }, (_, i) => telemetry.startSpan(`root ${i}`));
    const contexts = roots.map((root) => root.spanContext());
    const others = Array.from({ length: 500 }, () => telemetry.startSpan('other'));
    for (const other of others) for (let i = 0; i < 20; i++) other.spanContext();
    for (const parent of contexts) {
      const child = telemetry.startSpan('child', {}, { parent: { ...parent } });
      child.setStatus('error', 'x');
      child.end();
    }
    for (const span of [...roots, ...others]) span.end();
    const kept = new Set(
      (await take()).map((span) => span.name).filter((name) => name.startsWith('root ')),
    );
    // Each place is in use with a probability of one in a hundred.
    assert.ok(kept.size >= 15, `${kept.size} of 20 roots are kept by the error of their child`);
  });
});
