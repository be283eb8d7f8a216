'use strict';
// Several copies of the package in one process, and bundles that contain a part of it, share one
// SDK and one current span.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { run, temporary } = require('./programs.js');

const ROOT = path.resolve(__dirname, '../..');
const ADDON = 'build/Release/djp_telemetry.node';
const HEAD =
  "const begin = { enabled: true, backend: 'hybrid', exporter: 'memory', sampleRatio: 1 };";

/** Returns the package at another path, with a separate addon. */
function copy(folder = temporary()) {
  for (const part of ['package.json', 'bindings/node/lib', 'middleware', ADDON]) {
    fs.cpSync(path.join(ROOT, part), path.join(folder, part), { recursive: true });
  }
  return folder;
}

/**
 * Returns code of the package as a bundler writes it: at another path, next to the package if
 * `installed`.
 */
function bundle(installed) {
  const folder = temporary();
  for (const part of ['bindings/node/lib', 'middleware'])
    fs.cpSync(path.join(ROOT, part), path.join(folder, 'dist/a', part), { recursive: true });
  fs.cpSync(path.join(ROOT, 'package.json'), path.join(folder, 'dist/a/package.json'));
  fs.renameSync(
    path.join(folder, 'dist/a/bindings/node/lib'),
    path.join(folder, 'dist/a/bindings/node/code'),
  );
  for (const name of ['http', 'express', 'next']) {
    const place = path.join(folder, 'dist/a/middleware', name);
    for (const file of fs.readdirSync(place)) {
      const text = fs.readFileSync(path.join(place, file), 'utf8');
      fs.writeFileSync(
        path.join(place, file),
        text.replaceAll('bindings/node/lib', 'bindings/node/code'),
      );
    }
  }
  if (installed) {
    fs.mkdirSync(path.join(folder, 'node_modules'));
    fs.symlinkSync(ROOT, path.join(folder, 'node_modules/djp-telemetry'));
  }
  return folder;
}

const REQUEST = `const http = require('http');
  function answer(listener) {
    return new Promise((resolve) => {
      const server = http.createServer(listener).listen(0, '127.0.0.1', () =>
        http.get({ port: server.address().port, host: '127.0.0.1' }, (res) =>
          res.resume().on('end', () => setTimeout(() => server.close(resolve), 20))));
    });
  }`;

test('spans, log lines, baggage and metrics of two copies are those of one', async () => {
  const other = copy();
  const done = await run(`${HEAD}
    const u = require(${JSON.stringify(path.join(other, 'bindings/node/lib/index.js'))});
    const { traceMixin } =
      require(${JSON.stringify(path.join(other, 'bindings/node/lib/logging'))});
    t.init(begin); u.init({ enabled: false });
    t.withSpan('outer', (outer) =>
      t.runWithContext(t.setBaggage('k', 'v'), () => u.withSpan('inner', (inner) => {
      new u.Counter({ name: 'seen_total', help: 'x' }).inc();
      console.log(JSON.stringify([inner.traceId === outer.traceId,
        traceMixin()().span_id === inner.spanId, u.getBaggage('k'),
        inner instanceof t.Span, t.getCurrentSpan() === inner, u.telemetryStatus().enabled,
          t.metricsText().includes('seen_total 1')]));
    })));`);
  assert.equal(
    done.stdout,
    `${JSON.stringify([true, true, 'v', true, true, true, true])}\n`,
    done.stderr,
  );
});

test('modules that are loaded anew go on with the telemetry that is there', async () => {
  const done = await run(`${HEAD}
    t.init(begin);
    t.withSpan('outer', (outer) => {
      for (const key of Object.keys(require.cache))
        if (key.includes('/bindings/node/lib/')) delete require.cache[key];
      const u = require(${JSON.stringify(path.join(ROOT, 'bindings/node/lib/index.js'))});
      console.log(u.startSpan('inner').traceId === outer.traceId);
    });`);
  assert.equal(done.stdout, 'true\n', done.stderr);
});

test('a request is recorded once by middleware of two copies', async () => {
  const other = copy();
  const done = await run(`${HEAD} ${REQUEST}
    const first = require(${JSON.stringify(path.join(ROOT, 'middleware/http'))});
    const second = require(${JSON.stringify(path.join(other, 'middleware/http'))});
    t.init(begin);
    answer(first.telemetryListener(second.telemetryListener((req, res) =>
      res.end()))).then(async () => {
      await t.flush();
      console.log(t.telemetryStatus().spans.exported);
    });`);
  assert.equal(done.stdout, '1\n', done.stderr);
});

for (const [name, order] of [
  ['after the package', ['package', 'bundle']],
  ['before the package', ['bundle', 'package']],
]) {
  test(`a bundle with the middleware inside and the package outside, loaded ${name}`, async () => {
    const folder = bundle(true);
    const load = {
      package: "const t = require('djp-telemetry');",
      bundle: "const { telemetryListener } = require('./dist/a/middleware/http');",
    };
    fs.writeFileSync(
      path.join(folder, 'app.js'),
      `${order.map((one) => load[one]).join('\n')}\n${HEAD} ${REQUEST}
      t.init(begin);
      answer(telemetryListener((req, res) => res.end(t.getCurrentTraceId()))).then(async () => {
        await t.flush();
        console.log(t.impl, t.telemetryStatus().spans.exported);
      });`,
    );
    const done = await run('require("./app.js");', { folder, entry: 'module' });
    assert.equal(done.stdout, 'native 1\n', done.stderr);
    assert.equal(done.stderr, '');
  });
}

test('a bundle that cannot find the package is named where telemetry begins', async () => {
  const folder = bundle(false);
  const done = await run(
    `require(${JSON.stringify(path.join(folder, 'dist/a/middleware/http'))});
    require(${JSON.stringify(path.join(ROOT, 'bindings/node/lib/index.js'))}).init({
      enabled: true, exporter: 'memory' });`,
    { entry: 'module' },
  );
  assert.match(
    done.stderr,
    /^djp-telemetry: A bundle has a part of djp-telemetry inside, which records nothing; mark/,
  );
});

test('a copy that was told to do without the core does', async () => {
  const done = await run(`process.env.DJP_TELEMETRY_NATIVE = 'off';
    const u = require(${JSON.stringify(path.join(copy(), 'bindings/node/lib/index.js'))});
    console.log(t.impl, u.impl, u.implReason);`);
  assert.equal(done.stdout, 'native noop DJP_TELEMETRY_NATIVE=off\n');
});
