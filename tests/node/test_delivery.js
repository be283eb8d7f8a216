'use strict';
// Delivery to a receiver, whatever happens to the process, its threads and the receiver. Programs
// in separate processes export to a loopback receiver that decodes with the official classes; the
// counts of each program must match the received spans.

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { after, afterEach, beforeEach, describe, test } = require('node:test');

const { ENTRY, cleanEnvironment, run, temporary } = require('./programs.js');
const { Sink } = require('./sink.js');

const ROOT = path.resolve(__dirname, '../..');
const ADDON = 'build/Release/djp_telemetry.node';
const ARRIVAL_MS = 30000;
const children = new Set();
let sink;

/** A running program: its lines of standard output, and its end. */
function start(source, env) {
  const folder = temporary();
  const file = path.join(folder, 'program.js');
  fs.writeFileSync(
    file,
    `const ENTRY = ${JSON.stringify(ENTRY)};\nconst t = require(ENTRY);\n${source}`,
  );
  const child = spawn(process.execPath, [file], { env: cleanEnvironment(env), cwd: folder });
  children.add(child);
  const program = { child, lines: [], stderr: '' };
  let rest = '';
  child.stdout.on('data', (data) => {
    const lines = (rest + data).split('\n');
    rest = lines.pop();
    program.lines.push(...lines);
  });
  child.stderr.on('data', (data) => (program.stderr += data));
  program.ended = new Promise((resolve) =>
    child.on('close', (code, signal) => {
      children.delete(child);
      resolve({ code, signal });
    }),
  );
  program.line = async (text) => {
    await sink.until(
      () => program.lines.includes(text),
      ARRIVAL_MS,
      `no line ${text} (${program.stderr})`,
    );
  };
  return program;
}

const program = (source, env) =>
  run(`const ENTRY = ${JSON.stringify(ENTRY)};\n${source}`, { env: sink.environment(env) });

/**
 * Checks a status of a program: every started span is counted. `count` is the number that the
 * program counted.
 */
function assertBalanced(status, count, delivered) {
  const { started, ...rest } = status.books;
  const shown = JSON.stringify(status.books);
  assert.equal(
    started,
    Object.values(rest).reduce((sum, part) => sum + part, 0),
    shown,
  );
  assert.deepEqual([rest.live, rest.waiting], [0, 0], shown);
  const { spans, dropped } = status;
  const { oplog_full: unstarted, ...others } = dropped;
  const lost = Object.values(others).reduce((sum, one) => sum + one, 0);
  const text = JSON.stringify({ count, delivered, spans, dropped });
  assert.equal(spans.started + unstarted, count, `begun: ${text}`);
  assert.equal(
    spans.started,
    spans.exported + spans.not_sampled + spans.live + lost,
    `ended: ${text}`,
  );
  assert.equal(spans.exported, delivered, `delivered: ${text}`);
  assert.deepEqual([spans.not_sampled, spans.live], [0, 0], text);
}

/** Returns the received numbers, without repeats. */
function numbers(name) {
  const found = sink.spans.filter((span) => span.name === name).map((span) => span.n);
  assert.equal(new Set(found).size, found.length, 'a span arrived twice');
  return found.sort((a, b) => a - b);
}

const upTo = (count) => Array.from({ length: count }, (_, i) => i);

beforeEach(async () => {
  sink = await new Sink().start();
});
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  await sink.stop();
  assert.deepEqual(sink.bad, [], 'the receiver could read everything');
});
after(() => assert.equal(children.size, 0));

describe('delivery', { timeout: 300000 }, () => {
  test('a burst of 10,000 spans arrives as a whole', async () => {
    const done = await program(`t.init();
      for (let n = 0; n < 10000; n++)
        t.startSpan('burst', { n, text: 'some text', list: [1, 2] }).end();
      t.shutdown(20000).then((sent) => console.log(JSON.stringify([sent, t.telemetryStatus()])));`);
    assert.equal(done.code, 0, done.stderr);
    const [sent, status] = JSON.parse(done.stdout);
    assert.equal(sent, true);
    assert.deepEqual(numbers('burst'), upTo(10000));
    assertBalanced(status, 10000, 10000);
  });

  test('the same from eight threads at once, over gzip', async () => {
    const done = await program(
      `const { Worker, isMainThread } = require('worker_threads');
      t.init();
      const work = "const t = require(" + JSON.stringify(ENTRY) + "); t.init();" +
        "const { workerData } = require('worker_threads');" +
        "for (let n = 0; n < 1250; n++) t.startSpan('burst', { n: workerData * 1250 + n }).end();";
      const ends = Array.from({ length: 8 }, (_, i) => new Promise((resolve) =>
        new Worker(work, { eval: true, workerData: i }).on('exit', resolve)));
      Promise.all(ends).then(() => t.shutdown(20000)).then((sent) =>
        console.log(JSON.stringify([sent, t.telemetryStatus()])));`,
      { OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip' },
    );
    assert.equal(done.code, 0, done.stderr);
    const [sent, status] = JSON.parse(done.stdout);
    assert.equal(sent, true);
    assert.deepEqual(numbers('burst'), upTo(10000));
    assertBalanced(status, 10000, 10000);
  });
});

// ---- ways out ----------------------------------------------------------------------------------

const DEEP = `function deep(level, then) {
  return level === 0 ? then() : t.withSpan('level', { n: level }, () => deep(level - 1, then)); }`;
const STAY = 'setInterval(() => {}, 1000);';

describe('ways out', { timeout: 300000 }, () => {
  for (const [name, end, expected] of [
    ['the end of the script', '', [0, null]],
    ['process.exit in a callback', 'setTimeout(() => process.exit(3), 5);', [3, null]],
    [
      'an uncaught exception in a callback',
      'setTimeout(() => { throw new Error("boom"); }, 5);',
      [1, null],
    ],
    [
      'an unhandled rejection',
      'setTimeout(async () => { throw new Error("boom"); }, 5);',
      [1, null],
    ],
    [
      'an exception that a handler took',
      'process.on("uncaughtException", () => process.exit(8)); throw 1;',
      [8, null],
    ],
    [
      'SIGTERM',
      `${STAY} setTimeout(() => process.kill(process.pid, 'SIGTERM'), 5);`,
      [null, 'SIGTERM'],
    ],
    [
      'SIGTERM with a handler',
      `process.on('SIGTERM', () => process.exit(9)); ${STAY}
      setTimeout(() => process.kill(process.pid, 'SIGTERM'), 5);`,
      [9, null],
    ],
    [
      'SIGINT with a handler',
      `process.on('SIGINT', () => process.exit(7)); ${STAY}
      setTimeout(() => process.kill(process.pid, 'SIGINT'), 5);`,
      [7, null],
    ],
    [
      'SIGTERM at a thousand open spans',
      `for (let i = 0; i < 1000; i++) t.startSpan('open');
      ${STAY} setTimeout(() => process.kill(process.pid, 'SIGTERM'), 5);`,
      [null, 'SIGTERM'],
    ],
  ]) {
    test(`after ${name} all that ended is there`, async () => {
      const done = await program(
        `t.init(); for (let n = 0; n < 500; n++) t.startSpan('ended', { n }).end(); ${end}`,
      );
      assert.deepEqual([done.code, done.signal], expected, done.stderr);
      assert.deepEqual(numbers('ended'), upTo(500));
    });
  }

  test('process.exit inside of a deep stack of spans', async () => {
    const done = await program(`${DEEP} t.init();
        for (let n = 0; n < 500; n++) t.startSpan('ended', { n }).end();
      deep(200, () => { t.startSpan('inmost').end(); process.exit(4); });`);
    assert.deepEqual([done.code, done.signal], [4, null], done.stderr);
    // The 200 open spans never ended and are not exported. Spans that ended inside of them do not
    // wait, because their trace is sampled.
    assert.deepEqual(sink.names(), { ended: 500, inmost: 1 });
  });

  test('SIGINT without a handler ends the process as it did before', async () => {
    const done = await program(`t.init(); t.startSpan('ended', { n: 0 }).end();
      t.flush(10000).then(() => process.kill(process.pid, 'SIGINT')); ${STAY}`);
    assert.deepEqual([done.code, done.signal], [null, 'SIGINT'], done.stderr);
    assert.deepEqual(numbers('ended'), [0]);
  });

  test('a thread that is terminated leaves what it had ended', async () => {
    const done = await program(`const { Worker } = require('worker_threads'); t.init();
      const work = "const t = require(" + JSON.stringify(ENTRY) + "); t.init();" +
        "const { parentPort } = require('worker_threads');" +
        "for (let n = 0; n < 500; n++) t.startSpan('ended', { n }).end();" +
        "t.startSpan('open'); t.startSpan('started').setAttribute('never', 'published');" +
        "parentPort.postMessage(1); for (;;);";
      const worker = new Worker(work, { eval: true });
      worker.on('message', () => worker.terminate().then(() => t.shutdown(10000)).then((sent) =>
        console.log(JSON.stringify([sent, t.telemetryStatus()]))));`);
    assert.equal(done.code, 0, done.stderr);
    const [, status] = JSON.parse(done.stdout);
    assert.deepEqual(numbers('ended'), upTo(500));
    assert.deepEqual(sink.names(), { ended: 500 });
    assert.equal(status.spans.exported, 500);
    assert.deepEqual([status.books.live, status.books.waiting, status.books.exported], [0, 0, 500]);
  });

  for (const [name, signal, kill] of [
    ['process.abort()', 'SIGABRT', 'process.abort()'],
    ['SIGKILL', 'SIGKILL', "process.kill(process.pid, 'SIGKILL')"],
  ]) {
    test(`${name} in the middle of writing: nothing that arrived is damaged`, async () => {
      for (let round = 0; round < 3; round++) {
        const running = start(
          `t.init(); console.log('go'); const end = Date.now() + ${200 + 50 * round};
          for (let n = ${round * 1e8}; ; n++) {
            t.startSpan('written', { n, text: 'x'.repeat(n % 100) }).addEvent('e', { n }).end();
            if ((n & 255) === 0 && Date.now() > end) {
            t.startSpan('open', { n }).setAttribute('half', 1); ${kill}; }
          }`,
          sink.environment({ OTEL_BSP_SCHEDULE_DELAY: '1' }),
        );
        const { signal: got } = await running.ended;
        assert.equal(got, signal, running.stderr);
      }
      assert.ok(sink.count > 0, 'something was sent before');
      assert.equal(sink.names().open, undefined);
      numbers('written');
    });
  }
});

// ---- a blocked loop, a receiver in trouble -----------------------------------------------------

describe('while something is stuck', { timeout: 300000 }, () => {
  test('what ended before the event loop blocks arrives while it is blocked', async () => {
    const running = start(
      `t.init(); setTimeout(() => {
        for (let n = 0; n < 500; n++) t.startSpan('before', { n }).end();
        require('fs').writeSync(1, 'blocked\\n');
        const end = Date.now() + 3000; while (Date.now() < end);
        require('fs').writeSync(1, 'free ' + Date.now() + '\\n');
      }, 10);`,
      sink.environment(),
    );
    await running.line('blocked');
    await sink.until(() => sink.count >= 500, ARRIVAL_MS);
    assert.deepEqual(await running.ended, { code: 0, signal: null });
    assert.deepEqual(numbers('before'), upTo(500));
    const free = Number(running.lines.find((line) => line.startsWith('free ')).slice(5));
    const latest = Math.max(...sink.spans.map((span) => span.at));
    assert.ok(
      latest < free,
      `the last span came ${latest - free} ms after the loop was free again`,
    );
  });

  test('without a receiver shutdown ends in time, says no, and tells what was lost', async () => {
    await sink.stop();
    const done =
      await program(`t.init(); for (let n = 0; n < 100; n++) t.startSpan('lost', { n }).end();
      const begin = Date.now(); t.shutdown(1000).then((sent) =>
        console.log(JSON.stringify([sent, Date.now() - begin, t.telemetryStatus()])));`);
    assert.equal(done.code, 0, done.stderr);
    const [sent, ms, status] = JSON.parse(done.stdout);
    assert.equal(sent, false);
    assert.ok(ms < 1000 + 2000, `${ms} ms`);
    assertBalanced(status, 100, 0);
    assert.match(done.stderr, /djp-telemetry: .*100 span/i);
  });

  test('a receiver that was away gets everything after its return', async () => {
    const running = start(
      `t.init(); for (let n = 0; n < 100; n++) t.startSpan('during', { n }).end();
      t.flush(300).then((sent) => { console.log('flushed ' + sent);
        process.stdin.once('data', () =>
          t.shutdown(20000).then((ok) => { console.log('shut ' + ok); process.exit(0); })); });`,
      sink.environment(),
    );
    await sink.stop();
    await running.line('flushed false');
    await sink.start();
    running.child.stdin.write('\n');
    await running.line('shut true');
    await running.ended;
    assert.deepEqual(numbers('during'), upTo(100));
  });

  test('a writer that outruns its reader while the receiver hangs: the books balance', async () => {
    sink.mode = 'hang';
    const running = start(
      `t.init(); let count = 0;
      const text = 'x'.repeat(200);
      while (count < 300000) t.startSpan('fast', { n: count++, text }).end();
      console.log('full');
      process.stdin.once('data', () => {
        t.shutdown(20000).then((sent) => {
          console.log('answer ' + JSON.stringify([sent, count, t.telemetryStatus()]));
            process.exit(0); });
      });`,
      sink.environment({
        DJP_TELEMETRY_RING_BYTES: '1048576',
        OTEL_EXPORTER_OTLP_TIMEOUT: '20000',
      }),
    );
    await running.line('full');
    sink.release();
    running.child.stdin.write('\n');
    assert.deepEqual(await running.ended, { code: 0, signal: null }, running.stderr);
    const [, count, status] = JSON.parse(
      running.lines.find((line) => line.startsWith('answer ')).slice(7),
    );
    assert.ok(
      status.dropped.oplog_full + status.dropped.ring_full > 0,
      JSON.stringify(status.dropped),
    );
    assertBalanced(status, count, sink.count);
    numbers('fast');
  });

  test('everything refused is counted as refused', async () => {
    sink.mode = 'refuse';
    const done =
      await program(`t.init(); for (let n = 0; n < 100; n++) t.startSpan('refused', { n }).end();
      t.shutdown(5000).then((sent) => console.log(JSON.stringify([sent, t.telemetryStatus()])));`);
    const [sent, status] = JSON.parse(done.stdout);
    assert.equal(sent, false);
    assert.equal(status.dropped.rejected, 100);
    assertBalanced(status, 100, 0);
  });
});

// ---- several lives -----------------------------------------------------------------------------

describe('several lives', { timeout: 300000 }, () => {
  test('again after shutdown, and what is recorded between is nothing', async () => {
    const done = await program(`(async () => {
      const told = [];
      for (let round = 0; round < 5; round++) {
        t.init();
        const late = t.startSpan('late');
        for (let n = 0; n < 200; n++) t.startSpan('round', { n: round * 200 + n }).end();
        told.push([await t.shutdown(10000), t.telemetryStatus().spans.exported]);
        late.setAttribute('x', 1).end();
        t.startSpan('between').end();
      }
      console.log(JSON.stringify(told));
    })();`);
    assert.equal(done.code, 0, done.stderr);
    assert.deepEqual(numbers('round'), upTo(1000));
    assert.deepEqual(sink.names(), { round: 1000 });
    assert.deepEqual(JSON.parse(done.stdout), Array(5).fill([true, 200]));
  });

  /** Another copy of the package, with the same addon file or a separate one. */
  function copyPackage(place) {
    const copy = temporary();
    for (const part of ['package.json', 'bindings/node/lib']) {
      fs.cpSync(path.join(ROOT, part), path.join(copy, part), { recursive: true });
    }
    fs.mkdirSync(path.join(copy, 'build/Release'), { recursive: true });
    place(path.join(ROOT, ADDON), path.join(copy, ADDON));
    return copy;
  }

  for (const [name, place] of [
    ['with one addon', fs.symlinkSync],
    ['with an addon each', fs.copyFileSync],
  ]) {
    test(`two copies of the package in one process, ${name}`, async () => {
      const copy = copyPackage(place);
      const entry = path.join(copy, 'bindings/node/lib/index.js');
      const done = await program(`const u = require(${JSON.stringify(entry)});
        t.init(); u.init();
        for (let n = 0; n < 500; n++) {
          t.startSpan('one', { n }).end(); u.startSpan('other', { n }).end(); }
        t.withSpan('outer', () => u.withSpan('inner', () => {}));
        Promise.all([t.shutdown(10000), u.shutdown(10000)]).then((sent) =>
          console.log(JSON.stringify([sent, u === t, u.impl])));`);
      assert.equal(done.code, 0, done.stderr);
      assert.deepEqual(JSON.parse(done.stdout), [[true, true], true, 'native']);
      assert.deepEqual([numbers('one'), numbers('other')], [upTo(500), upTo(500)]);
      assert.deepEqual(sink.names(), { one: 500, other: 500, outer: 1, inner: 1 });
      fs.rmSync(copy, { recursive: true });
    });
  }

  test('two copies end with the process, none is forgotten', async () => {
    const copy = copyPackage(fs.copyFileSync);
    const entry = path.join(copy, 'bindings/node/lib/index.js');
    const done = await program(`const u = require(${JSON.stringify(entry)}); t.init(); u.init();
      t.startSpan('one', { n: 0 }).end(); u.startSpan('other', { n: 0 }).end();
        setTimeout(() => { throw 1; }, 5);`);
    assert.equal(done.code, 1, done.stderr);
    assert.deepEqual(sink.names(), { one: 1, other: 1 });
    fs.rmSync(copy, { recursive: true });
  });

  test('only a thread begins, and its end is not the end of what it recorded', async () => {
    const done = await program(`const { Worker } = require('worker_threads');
      const work = "const t = require(" + JSON.stringify(ENTRY) + "); t.init();" +
        "for (let n = 0; n < 500; n++) t.startSpan('in thread', { n }).end();";
      new Worker(work, { eval: true }).on('exit', () => console.log('gone'));`);
    assert.deepEqual([done.code, done.stdout], [0, 'gone\n'], done.stderr);
    assert.deepEqual(numbers('in thread'), upTo(500));
  });
});
