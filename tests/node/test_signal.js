'use strict';
// Signals: spans survive them, listeners of the application win, and the process ends as without
// telemetry.

const assert = require('node:assert/strict');
const { test } = require('node:test');

const telemetry = require('../../bindings/node/lib/index.js');
const { fileSpans, intoFile, run, temporary } = require('./programs.js');

const options = { skip: typeof telemetry.startSpan === 'function' ? false : 'needs spans' };

async function program(source) {
  const folder = temporary();
  const done = await run(
    `const ENTRY = require.resolve(${JSON.stringify(require('./programs.js').ENTRY)});\n${source}`,
    {
      folder,
      env: intoFile(folder),
    },
  );
  return { ...done, spans: fileSpans(folder) };
}

const KILL =
  'setInterval(() => {}, 1000); setTimeout(() => process.kill(process.pid, "SIGTERM"), 20);';

test('spans survive SIGTERM, which still ends the process as a signal', options, async () => {
  const done = await program(`t.init(); t.startSpan('last').end(); ${KILL}`);
  assert.deepEqual([done.signal, done.spans], ['SIGTERM', ['last']], done.stderr);
});

test('spans survive SIGTERM while the event loop is stuck', options, async () => {
  const stuck = 'setTimeout(() => { process.kill(process.pid, "SIGTERM"); for (;;); }, 20);';
  const done = await program(`t.init(); t.startSpan('last').end(); ${stuck}`);
  assert.deepEqual([done.signal, done.spans], ['SIGTERM', ['last']], done.stderr);
});

for (const [name, code] of [
  [
    'came and went',
    "const mine = () => {}; process.on('SIGTERM', mine); process.off('SIGTERM', mine);",
  ],
  ['went with all', "process.on('SIGTERM', () => {}); process.removeAllListeners('SIGTERM');"],
  ['raises it again', "process.once('SIGTERM', () => process.kill(process.pid, 'SIGTERM'));"],
]) {
  test(`spans survive SIGTERM after a listener that ${name}`, options, async () => {
    const done = await program(`t.init(); t.startSpan('last').end(); ${code} ${KILL}`);
    assert.deepEqual([done.signal, done.spans], ['SIGTERM', ['last']], done.stderr);
  });
}

for (const signal of ['SIGINT', 'SIGHUP', 'SIGUSR2']) {
  test(`spans survive ${signal} where nobody listens for it`, options, async () => {
    const done = await program(
      `t.init(); t.startSpan('last').end(); ${KILL.replace('SIGTERM', signal)}`,
    );
    assert.deepEqual([done.signal, done.spans], [signal, ['last']], done.stderr);
  });
}

for (const [name, before, after] of [
  ['before', 'process.on("SIGTERM", mine);', ''],
  ['after', '', 'process.on("SIGTERM", mine);'],
]) {
  test(`the application's own handler of SIGTERM, set ${name} init, wins`, options, async () => {
    const mine =
      'const mine = () => { console.log("mine"); t.startSpan("in handler").end(); ' +
      'process.exit(3); };';
    const done = await program(
      `${mine} ${before} t.init(); t.startSpan('last').end(); ${after} ${KILL}`,
    );
    assert.deepEqual([done.code, done.stdout], [3, 'mine\n'], done.stderr);
    assert.deepEqual(done.spans.sort(), ['in handler', 'last']);
  });
}

test('SIGTERM after shutdown is what it was', options, async () => {
  const done = await program(
    `t.init(); t.startSpan('last').end(); t.shutdown(1000).then(() => { ${KILL} });`,
  );
  assert.deepEqual([done.signal, done.spans], ['SIGTERM', ['last']], done.stderr);
});
