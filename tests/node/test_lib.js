'use strict';
// The exports of the package: each has a type, and the ES module has the same.

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const telemetry = require('../../bindings/node/lib/index.js');

const LIB = path.join(__dirname, '../../bindings/node/lib');

test('every export has a type, and the ES module the same exports', async () => {
  const types = ['index.d.ts', 'metrics.d.ts']
    .map((file) => fs.readFileSync(path.join(LIB, file), 'utf8'))
    .join('\n');
  const declared = new Set(
    Array.from(
      types.matchAll(/^export (?:declare )?(?:function|const|class) (\w+)/gm),
      (match) => match[1],
    ),
  );
  assert.deepStrictEqual(
    Object.keys(telemetry).filter((name) => !declared.has(name)),
    [],
  );
  assert.deepStrictEqual(
    [...declared].filter((name) => !(name in telemetry)),
    [],
  );
  const module = await import('../../bindings/node/lib/index.mjs');
  assert.deepStrictEqual(
    Object.keys(module)
      .filter((name) => name !== 'default')
      .sort(),
    Object.keys(telemetry).sort(),
  );
  for (const name of Object.keys(telemetry)) assert.strictEqual(module[name], telemetry[name]);
});
