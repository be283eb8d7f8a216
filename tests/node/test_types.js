'use strict';
// The types match the code: a service that uses the whole API compiles under `tsc --strict`, and
// the types contain every export.

const assert = require('node:assert');
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

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
const skip =
  (compiler === null || nodeTypes === null) && 'typescript and @types/node are not installed';

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
  execFileSync(
    process.execPath,
    [compiler, ...flags, path.join(__dirname, 'typed_service.ts')],
    options,
  );
});

test(
  'every subpath has types, however the compiler looks for modules',
  { skip, timeout: 120000 },
  () => {
    const root = path.join(__dirname, '../..');
    const folder = fs.mkdtempSync(path.join(require('node:os').tmpdir(), 'djp-types-'));
    fs.mkdirSync(path.join(folder, 'node_modules'));
    fs.symlinkSync(root, path.join(folder, 'node_modules/djp-telemetry'));
    const { exports } = require('../../package.json');
    const names = Object.keys(exports).filter((name) => exports[name].types !== undefined);
    assert.ok(names.length >= 6);
    const file = path.join(folder, 'main.ts');
    const lines = names.map(
      (name, i) => `import * as m${i} from 'djp-telemetry${name.slice(1)}'; export { m${i} };`,
    );
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
      execFileSync(process.execPath, [compiler, ...flags, file], {
        cwd: folder,
        encoding: 'utf8',
        timeout: 110000,
      });
    }
  },
);

test('every option has a type by its name', () => {
  const text = fs.readFileSync(path.join(LIB, 'settings.d.ts'), 'utf8');
  const body = /interface TelemetryOptions \{([^]*?)\n\}/.exec(text)[1];
  const typed = new Set(Array.from(body.matchAll(/^ {2}(\w+)\?:/gm), (match) => match[1]));
  const { native } = require('../../bindings/node/lib/loader.js');
  const camel = (name) => name.replace(/_([a-z0-9])/g, (_, letter) => letter.toUpperCase());
  const options = [...new Set(native.sdkKeywords().flatMap((name) => [name, camel(name)]))];
  assert.deepStrictEqual(options.filter((name) => !typed.has(name)).sort(), []);
  assert.deepStrictEqual([...typed].filter((name) => !options.includes(name)).sort(), []);
});

test(
  'without the native part the whole surface is there and records nothing',
  { timeout: 60000 },
  () => {
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
  },
);

// ---- comments and the status -------------------------------------------------------------------

/** Returns the exported names of a file of types, and their members, without a comment. */
function uncommented(ts, file) {
  const source = ts.createSourceFile(
    file,
    fs.readFileSync(file, 'utf8'),
    ts.ScriptTarget.Latest,
    true,
  );
  const documented = new Map(); // names with a comment: overloads share one
  const note = (name, node) => {
    const has = ts.getJSDocCommentsAndTags(node).length > 0;
    documented.set(name, has || documented.get(name) === true);
  };
  for (const node of source.statements) {
    const shown = node.modifiers !== undefined || ts.isClassDeclaration(node);
    if (!shown || ts.isExportDeclaration(node) || ts.isImportDeclaration(node)) continue;
    const name = ts.isVariableStatement(node)
      ? node.declarationList.declarations[0].name.text
      : node.name.text;
    note(`${name} ${ts.SyntaxKind[node.kind]}`, node);
    for (const member of node.members ?? []) {
      const hidden = (member.modifiers ?? []).some(
        (one) => one.kind === ts.SyntaxKind.PrivateKeyword,
      );
      if (hidden || (member.name !== undefined && ts.isPrivateIdentifier(member.name))) continue;
      note(`${name}.${member.name === undefined ? 'constructor' : member.name.text}`, member);
    }
  }
  return {
    missing: [...documented].filter(([, has]) => !has).map(([name]) => name),
    count: documented.size,
  };
}

test('every exported type, function and member has a comment', { skip }, () => {
  const ts = require('typescript');
  let count = 0;
  const middleware = ['express', 'http', 'next'].map((name) => `../../../middleware/${name}/index`);
  for (const name of [
    'index',
    'metrics',
    'sampling',
    'settings',
    'status',
    'logging/index',
    ...middleware,
  ]) {
    const found = uncommented(ts, path.join(LIB, `${name}.d.ts`));
    assert.deepStrictEqual(found.missing, [], `${name}.d.ts`);
    count += found.count;
  }
  assert.ok(count > 500);
});

const STATES = `
  const t = require(${JSON.stringify(path.join(LIB, 'index.js'))});
  const seen = [];
  const on = { enabled: true, exporter: 'memory', sampleRatio: 1 };
  const given = [
    { enabled: false },
    ...['noop', 'prom', 'otel', 'hybrid'].map((backend) => ({ ...on, backend })),
    { ...on, backend: 'otel', sampler: 'jaeger_remote',
      remoteSamplingEndpoint: 'http://127.0.0.1:9/' },
    { ...on, backend: 'otel', sampler: 'rule_based(root => drop)', attributeCountLimit: 3,
      spanRateLimit: 1 },
    { ...on, backend: 'otel', exporter: 'otlp', endpoint: 'http://127.0.0.1:9/v1/traces',
      exportTimeout: 0.05 },
  ];
  (async () => {
    seen.push(t.telemetryStatus());
    for (const options of given) {
      t.init({ ...options, logLevel: 'none' });
      t.startSpan('a').end();
      await t.flush(100);
      seen.push(t.telemetryStatus());
      await t.shutdown(100);
      seen.push(t.telemetryStatus());
    }
    console.log(JSON.stringify(seen));
  })();`;

test(
  'the status is as its type says in every state, no key missing and none unknown',
  { skip, timeout: 120000 },
  () => {
    const run = (env) =>
      JSON.parse(
        execFileSync(process.execPath, ['-e', STATES], {
          encoding: 'utf8',
          timeout: 60000,
          env: { PATH: process.env.PATH, LD_PRELOAD: process.env.LD_PRELOAD ?? '', ...env },
        }),
      );
    const edge = require('../../bindings/node/lib/noop_entry.js').telemetryStatus();
    const states = [...run({}), ...run({ DJP_TELEMETRY_NATIVE: 'off' }), edge];
    assert.ok(states.length > 30);
    const folder = fs.mkdtempSync(path.join(require('node:os').tmpdir(), 'djp-status-'));
    const compile = (name, list) => {
      const file = path.join(folder, name);
      const lines = list.map(
        (state, i) => `export const s${i}: TelemetryStatus = ${JSON.stringify(state)};`,
      );
      const types = JSON.stringify(path.join(LIB, 'status'));
      fs.writeFileSync(
        file,
        [`import type { TelemetryStatus } from ${types};`, ...lines].join('\n'),
      );
      const flags = [
        '--strict',
        '--noEmit',
        '--target',
        'es2022',
        '--module',
        'node16',
        '--moduleResolution',
        'node16',
      ];
      const done = spawnSync(process.execPath, [compiler, ...flags, file], {
        cwd: folder,
        encoding: 'utf8',
      });
      return done.stdout;
    };
    assert.strictEqual(compile('states.ts', states), '');
    const { books, ...withoutBooks } = edge;
    assert.match(compile('missing.ts', [withoutBooks]), /'books' is missing/);
    const more = { ...edge, books: { ...books, kept: 1 } };
    assert.match(compile('unknown.ts', [more]), /'"kept"' does not exist/);
  },
);
