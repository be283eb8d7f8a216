'use strict';
// The types are those of the code: a service that uses the whole surface compiles under `tsc --strict`, and names every export.

const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const telemetry = require('../../bindings/node/lib/index.js');

const LIB = path.join(__dirname, '../../bindings/node/lib');

function find(name) {
  try {
    return require.resolve(name);
  } catch {
    return null;
  }
}

const compiler = find('typescript/bin/tsc');
const nodeTypes = find('@types/node/package.json');
const skip = (compiler === null || nodeTypes === null) && 'typescript and @types/node are not installed';

test('a typed service compiles', { skip, timeout: 120000 }, () => {
  const flags = [
    '--strict',
    '--noEmit',
    '--target',
    'es2022',
    '--module',
    'node16',
    '--moduleResolution',
    'node16',
    '--types',
    'node',
  ];
  flags.push('--typeRoots', path.join(nodeTypes, '../..'));
  const options = { cwd: path.join(__dirname, '../..'), encoding: 'utf8', timeout: 110000 };
  execFileSync(process.execPath, [compiler, ...flags, path.join(__dirname, 'typed_service.ts')], options);
});

test('every subpath has types, however the compiler looks for modules', { skip, timeout: 120000 }, () => {
  const root = path.join(__dirname, '../..');
  const folder = fs.mkdtempSync(path.join(require('node:os').tmpdir(), 'djp-types-'));
  fs.mkdirSync(path.join(folder, 'node_modules'));
  fs.symlinkSync(root, path.join(folder, 'node_modules/djp-telemetry'));
  const { exports } = require('../../package.json');
  const names = Object.keys(exports).filter((name) => exports[name].types !== undefined);
  assert.ok(names.length >= 6);
  const file = path.join(folder, 'main.ts');
  const lines = names.map((name, i) => `import * as m${i} from 'djp-telemetry${name.slice(1)}'; export { m${i} };`);
  fs.writeFileSync(file, lines.join('\n'));
  const common = [
    '--strict',
    '--noEmit',
    '--target',
    'es2022',
    '--skipLibCheck',
    '--preserveSymlinks',
    '--types',
    'node',
  ];
  common.push('--typeRoots', path.join(nodeTypes, '../..'));
  for (const [module, resolution] of [
    ['commonjs', 'node10'],
    ['node16', 'node16'],
    ['esnext', 'bundler'],
  ]) {
    const flags = [...common, '--module', module, '--moduleResolution', resolution];
    execFileSync(process.execPath, [compiler, ...flags, file], { cwd: folder, encoding: 'utf8', timeout: 110000 });
  }
});

test('every option has a type by its name', () => {
  const text = fs.readFileSync(path.join(LIB, 'index.d.ts'), 'utf8');
  const body = /interface CamelCaseOptions \{([^]*?)\n\}/.exec(text)[1];
  const typed = new Set(Array.from(body.matchAll(/^ {2}(\w+)\?:/gm), (match) => match[1]));
  const { native } = require('../../bindings/node/lib/loader.js');
  const camel = (name) => name.replace(/_([a-z0-9])/g, (_, letter) => letter.toUpperCase());
  const options = native.sdkKeywords().map(camel);
  assert.deepStrictEqual(options.filter((name) => !typed.has(name)).sort(), []);
  assert.deepStrictEqual([...typed].filter((name) => !options.includes(name)).sort(), []);
});

test('every export has a type, and the ES module the same exports', async () => {
  const types = ['index.d.ts', 'metrics.d.ts'].map((file) => fs.readFileSync(path.join(LIB, file), 'utf8')).join('\n');
  const declared = new Set(
    Array.from(types.matchAll(/^export (?:declare )?(?:function|const|class) (\w+)/gm), (match) => match[1]),
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

test('without the native part the whole surface is there and records nothing', { timeout: 60000 }, () => {
  const program = `
    const assert = require('node:assert');
    const t = require(${JSON.stringify(path.join(LIB, 'index.js'))});
    assert.strictEqual(t.impl, 'noop');
    t.init();
    const span = t.startSpan('s', { a: 1 }).setAttribute('b', 2).addEvent('e').setStatus('error');
    assert.strictEqual(span.isRecording(), false);
    span.end();
    assert.strictEqual(t.withSpan('w', { a: 1 }, () => 5), 5);
    assert.throws(() => t.withSpan('w', () => { throw new RangeError('x'); }), RangeError);
    assert.strictEqual(t.getTracer('x').withSpan('w', () => 6), 6);
    assert.deepStrictEqual([t.getCurrentTraceId(), t.inject({ a: 1 })], ['', { a: 1 }]);
    assert.strictEqual(t.runWithContext(t.extract({ traceparent: 'x' }), () => 7), 7);
    t.recordJobSpan('q', 'j', 1);
    t.instrumentOutgoing()();
    const http = require(${JSON.stringify(path.join(LIB, 'http_server.js'))});
    assert.strictEqual(http.startRequest('x'), null);
    http.endRequest(null, 'GET', '/', 'http', '1.1', 200, 0, '', -1);
    assert.strictEqual(http.runRequest(null, (a, b) => a + b, 1, 2), 3);
    t.flush(10).then(async (done) => console.log(done, await t.shutdown(10)));`;
  const env = { ...process.env, DJP_TELEMETRY_NATIVE: 'off' };
  assert.strictEqual(
    execFileSync(process.execPath, ['-e', program], { env, encoding: 'utf8', timeout: 30000 }),
    'true true\n',
  );
});
