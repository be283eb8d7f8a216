'use strict';
// The soak test for a few seconds; `make soak-node` runs it for ten minutes.

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const path = require('node:path');
const { test } = require('node:test');

const { cleanEnvironment } = require('./programs.js');

test(
  'a short soak',
  { timeout: 200000, skip: (process.env.LD_PRELOAD || '').includes('asan') },
  (t) => {
    const done = spawnSync(
      process.execPath,
      ['--expose-gc', path.join(__dirname, 'soak.js'), '--seconds', '40'],
      {
        env: cleanEnvironment(),
        encoding: 'utf8',
        timeout: 150000,
      },
    );
    assert.ok(done.status === 0 && done.stdout.endsWith('passed\n'), done.stdout + done.stderr);
    for (const line of done.stdout.trim().split('\n')) t.diagnostic(line);
  },
);
