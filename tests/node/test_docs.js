'use strict';
// The examples in the documents are programs. Each JavaScript block runs unchanged in a separate
// process, in a project with the package and its peers and without variables of telemetry, and
// prints what the comments after console.log() state. Tables of calls are compared with the code.

const assert = require('node:assert');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, test } = require('node:test');
const { cleanEnvironment, withoutStart } = require('./programs.js');

const ROOT = path.resolve(__dirname, '../..');
const PAGES = [
  'README.md',
  'docs/node.md',
  'docs/node-metrics.md',
  'docs/node-logging.md',
  'docs/express.md',
  'docs/samplers.md',
];
const BLOCK = /^```js\n(.*?)^```$/gms;
const PROMISE = /console\.log\(.*\)[;)]* \/\/ (.+)$/;
const PEERS = ['express', 'fastify', 'pino', 'winston'];
const DEADLINE_MS = 30000;
// Servers of the examples use a free port and do not keep the process alive.
const LISTEN = `{
  const { Server } = require('node:net');
  const listen = Server.prototype.listen;
  Server.prototype.listen = function (...given) {
    return listen.call(this, 0, '127.0.0.1',
      given.find((item) => typeof item === 'function')).unref();
  };
}
`;

const read = (page) => fs.readFileSync(path.join(ROOT, page), 'utf8');
const project = makeProject();
after(() => fs.rmSync(project, { recursive: true, force: true }));

/** The folder of an application: its node_modules has the package and its peers. */
function makeProject() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'djp-docs-'));
  const modules = path.join(folder, 'node_modules');
  fs.mkdirSync(modules);
  fs.symlinkSync(ROOT, path.join(modules, 'djp-telemetry'));
  for (const name of PEERS) {
    const place = path.join(ROOT, 'node_modules', name);
    if (fs.existsSync(place)) fs.symlinkSync(place, path.join(modules, name));
  }
  return folder;
}

function examples(page) {
  const text = read(page);
  return Array.from(text.matchAll(BLOCK), (match) => ({
    name: `${page}:${text.slice(0, match.index).split('\n').length + 1}`,
    source: match[1],
  }));
}

/** Returns the expected output: the comments after console.log(). */
function promised(source) {
  return source.split('\n').flatMap((line) => (PROMISE.test(line) ? [PROMISE.exec(line)[1]] : []));
}

function missingPeer(source) {
  const name = PEERS.find(
    (peer) =>
      source.includes(`require('${peer}')`) &&
      !fs.existsSync(path.join(project, 'node_modules', peer)),
  );
  return name !== undefined && `${name} is not installed`;
}

let programs = 0;

/** Runs a program of the project until it ends. */
function execute(source) {
  const file = path.join(project, `program${(programs += 1)}.js`);
  fs.writeFileSync(file, /\.listen\(/.test(source) ? LISTEN + source : source);
  const env = cleanEnvironment({});
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [file], {
      env,
      cwd: project,
      timeout: DEADLINE_MS,
      killSignal: 'SIGKILL',
    });
    const done = { stdout: '', stderr: '' };
    child.stdout.on('data', (data) => (done.stdout += data));
    child.stderr.on('data', (data) => (done.stderr += data));
    child.on('error', reject);
    child.on('close', (code, signal) =>
      resolve({ ...done, ...withoutStart(done.stderr), code, signal }),
    );
  });
}

for (const { name, source } of PAGES.flatMap(examples)) {
  test(
    `the example at ${name}`,
    { skip: missingPeer(source), timeout: DEADLINE_MS + 5000 },
    async () => {
      const done = await execute(source);
      assert.deepStrictEqual([done.code, done.signal, done.stderr], [0, null, ''], done.stdout);
      const printed = done.stdout.split('\n');
      const missing = promised(source).filter((text) => !printed.includes(text));
      assert.deepStrictEqual(missing, [], `promised, but printed was:\n${done.stdout}`);
    },
  );
}

test('the pages have their examples', () => {
  const blocks = PAGES.flatMap(examples);
  const promises = blocks.flatMap(({ source }) => promised(source));
  assert.ok(blocks.length >= 12, `${blocks.length} blocks`);
  assert.ok(promises.length >= 14, `${promises.length} promises`);
});

test(
  'the log line of the example',
  { skip: missingPeer("require('pino')"), timeout: DEADLINE_MS },
  async () => {
    const shown = JSON.parse(
      /^```\n(\{"level":"info".*)\n```$/m.exec(read('docs/node-logging.md'))[1],
    );
    const [{ source }] = examples('docs/node-logging.md');
    const written = JSON.parse((await execute(source)).stdout.split('\n')[0]);
    assert.deepStrictEqual({ ...written, timestamp: '' }, { ...shown, timestamp: '' });
    assert.deepStrictEqual(Object.keys(written), Object.keys(shown));
    assert.match(written.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  },
);

test('every function of the package is on a page', () => {
  const pages = PAGES.map(read).join('\n');
  const words = new Set(pages.match(/\w+/g));
  for (const entry of [
    'bindings/node/lib',
    'bindings/node/lib/logging',
    'bindings/node/lib/sampling.js',
    'middleware/express',
    'middleware/http',
    'middleware/next',
  ]) {
    const unknown = Object.keys(require(path.join(ROOT, entry))).filter((name) => !words.has(name));
    assert.deepStrictEqual(unknown, [], `exports of ${entry} that no page names`);
  }
});

test('every option of the table has its type, in both spellings', () => {
  const types = read('bindings/node/lib/settings.d.ts');
  const [, body] = /interface TelemetryOptions \{\n(.*?)\n\}/s.exec(types);
  const names = Array.from(body.matchAll(/^ {2}(\w+)\?:/gm), ([, name]) => name);
  const typed = [
    ...new Set(names.map((name) => name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`))),
  ];
  const table = Array.from(
    read('docs/configuration.md').matchAll(/^\| `(\w+)` \| /gm),
    ([, name]) => name,
  );
  assert.ok(table.length > 40);
  assert.deepStrictEqual(typed.sort(), [...table].sort());
  const camel = table.map((name) => name.replace(/_([a-z0-9])/g, (_, c) => c.toUpperCase()));
  assert.deepStrictEqual(names.sort(), [...new Set([...table, ...camel])].sort());
});

const compiler = path.join(ROOT, 'node_modules/typescript/bin/tsc');
const types = ['express', 'winston', 'pino', '@types/express', '@types/node'].map((name) =>
  path.join(ROOT, 'node_modules', name),
);
const untyped =
  ![compiler, ...types].every((place) => fs.existsSync(place)) &&
  'typescript and the peers are not installed';

test(
  'the types fit those of Express, pino and winston',
  { skip: untyped, timeout: 120000 },
  async () => {
    const flags =
      '--strict --exactOptionalPropertyTypes --noEmit --target es2022 --module node16 ' +
      '--moduleResolution node16 --types node';
    const file = path.join(__dirname, 'typed_peers.ts');
    const child = spawn(
      process.execPath,
      [compiler, ...flags.split(' '), '--esModuleInterop', file],
      {
        cwd: ROOT,
        timeout: 110000,
      },
    );
    let told = '';
    child.stdout.on('data', (data) => (told += data));
    const code = await new Promise((resolve) => child.on('close', resolve));
    assert.deepStrictEqual([code, told], [0, '']);
  },
);

test('links between the pages lead somewhere', () => {
  for (const page of PAGES) {
    for (const [, target] of read(page).matchAll(/\]\(([^)#]+?)(?:#[^)]*)?\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      assert.ok(
        fs.existsSync(path.join(ROOT, path.dirname(page), target)),
        `${page} links to ${target}`,
      );
    }
  }
});
