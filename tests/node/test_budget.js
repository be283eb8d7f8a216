'use strict';
// The telemetry budget, end to end: the status has the costs of exported data, and the file
// survives a restart.

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { after, test } = require('node:test');
const { temporary } = require('./programs.js');
const { LIMIT, restart, take, telemetry } = require('./support.js');

after(() => telemetry.shutdown(LIMIT));

const budget = () => telemetry.telemetryStatus().budget;

function work(count) {
  for (let i = 0; i < count; i++) telemetry.startSpan('work').end();
}

test('costs are told', async () => {
  await restart({
    backend: 'hybrid',
    sampleRatio: 1,
    pricePerMillionSpans: 1000,
    budgetPerMonth: 1e6,
  });
  work(100);
  await take();
  const found = budget();
  assert.ok(Math.abs(found.cost_spans - 0.1) < 1e-9 && found.cost_bytes === 0);
  assert.ok(found.allowance > 0 && found.allowance <= 1e6);
  assert.ok(Math.abs(found.used_ratio - found.spent / found.allowance) < 1e-9);
  assert.match(String(telemetry.metricsText()), /djp_telemetry_cost_total\{source="spans"\} 0\.1/);
});

test('a file is shared over restarts', async () => {
  const file = path.join(temporary(), 'budget');
  const options = { sampleRatio: 1, pricePerMillionSpans: 1e6, budgetFile: file };
  for (const sum of [10, 20, 30]) {
    await restart(options);
    work(10);
    await take();
    assert.strictEqual(Math.round(budget().spent), sum);
    await telemetry.shutdown(LIMIT);
    assert.match(fs.readFileSync(file, 'utf8'), new RegExp(`spent=${sum}\\.`));
  }
});
