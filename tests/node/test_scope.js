'use strict';
// More tracers than the limit of the process: bounded, counted and reported; no span has the name
// of another scope.

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const path = require('node:path');
const test = require('node:test');
const { LIMIT, restart, take, telemetry } = require('./support.js');

const ENTRY = path.join(__dirname, '../../bindings/node/lib/index.js');

test.after(() => telemetry.shutdown(LIMIT));

function use(api, count) {
  for (let n = 0; n < count; n++) api.getTracer(`plugin ${n}`).startSpan(`span ${n}`).end();
}

test('tracers without end', { timeout: 60000 }, async () => {
  await restart();
  use(telemetry, 1500);
  const named = (await take()).filter((span) => span.scope.name !== '');
  assert.ok(named.length > 900 && named.length < 1024, String(named.length));
  assert.ok(named.every((span) => span.scope.name === span.name.replace('span', 'plugin')));
  assert.ok(telemetry.telemetryStatus().spans.scopes_refused > 400);
  telemetry.getTracer('plugin 1').startSpan('known').end();
  assert.equal((await take()).one('known').scope.name, 'plugin 1');
});

test('it is told once', { timeout: 60000 }, () => {
  const program = `const t = require(process.argv[1]);
    t.init({ enabled: true, backend: 'otel', exporter: 'memory', sampleRatio: 1 });
    (${use})(t, 1500);
    t.shutdown(10000);`;
  const done = spawnSync(process.execPath, ['-e', program, ENTRY], {
    encoding: 'utf8',
    timeout: 50000,
  });
  assert.equal(done.stderr.split('1023 different tracers').length, 2, done.stderr);
});
