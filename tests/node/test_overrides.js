'use strict';
// Overrides of running telemetry: by the program and by a file, in this process and in others.

const assert = require('node:assert');
const { fork } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { after, test } = require('node:test');
const { setTimeout: sleep } = require('node:timers/promises');
const { ENTRY, cleanEnvironment, fileSpans, intoFile, temporary } = require('./programs.js');
const { LIMIT, restart, take, telemetry } = require('./support.js');

after(() => telemetry.shutdown(LIMIT));

const sampling = () => telemetry.telemetryStatus().sampling;
const SAMPLED = 1;

test('off and on again', async () => {
  await restart({ backend: 'hybrid' });
  const open = telemetry.startSpan('open');
  assert.strictEqual(telemetry.setEnabled(false), true);
  const none = telemetry.startSpan('none');
  assert.deepStrictEqual([none.isRecording(), none.traceId], [false, '0'.repeat(32)]);
  none.end();
  open.end();
  assert.deepStrictEqual([sampling().recording, sampling().recording_set_by], [false, 'program']);
  assert.strictEqual(telemetry.setEnabled(true), true);
  telemetry.startSpan('seen').end();
  const spans = await take();
  assert.deepStrictEqual(
    spans.map((span) => span.name),
    ['seen'],
  );
  assert.strictEqual(telemetry.telemetryStatus().dropped.switched_off, 1);
});

test('requests are counted while spans are off', async () => {
  await restart({ backend: 'hybrid' });
  const { endRequest, startRequest } = require('../../bindings/node/lib/http_server.js');
  telemetry.setEnabled(false);
  for (let i = 0; i < 3; i++)
    endRequest(startRequest(), 'GET', '/off', 'http', '1.1', 200, 0, '', -1);
  const text = String(telemetry.metricsText());
  assert.match(text, /http_requests_total\{[^}]*\/off[^}]*\} 3/);
  assert.strictEqual((await take()).length, 0);
});

/**
 * Asserts that exactly the spans with the sampled flag were exported, with the propagated
 * tracestate, whatever was switched in between.
 */
async function agree(start) {
  const told = new Map();
  for (let i = 0; i < 3000; i++) {
    if (i % 3 === 0) telemetry.setSampleRatio([1, 0.5, 0.25, 0.125][(i / 3) % 4]);
    const span = start(i);
    if (span.traceFlags & SAMPLED) told.set(span.spanId, span.traceState);
    span.end();
    if (i % 500 === 0) await sleep(1);
  }
  const spans = await take();
  assert.ok(spans.length > 500 && spans.length < 2900, `${spans.length} spans`);
  assert.deepStrictEqual(new Set(spans.map((span) => span.spanId)), new Set(told.keys()));
  for (const span of spans) assert.strictEqual(span.traceState, told.get(span.spanId));
}

test('decisions here and in the core agree while the ratio changes', async () => {
  for (const sampleErrors of [true, false]) {
    await restart({ sampleErrors, slowThreshold: 0, sampleRatio: 0.5 });
    await agree((i) => telemetry.startSpan(`s${i}`));
  }
});

test('so they do below remote parents', async () => {
  await restart({ parentBased: false, slowThreshold: 0, sampleRatio: 0.5 });
  await agree((i) => {
    const id = require('node:crypto').randomBytes(24).toString('hex');
    const parent = telemetry.extract({ traceparent: `00-${id.slice(0, 32)}-${id.slice(32)}-01` });
    return telemetry.startSpan(`s${i}`, null, { parent });
  });
});

/**
 * Failing traces below remote parents with the lowest and the highest randomness: the propagated
 * flags, and the exported spans.
 */
async function outsideAndInside(flags) {
  const told = [];
  for (const digit of ['0', 'f']) {
    const parent = telemetry.extract({
      traceparent: `00-${'1'.repeat(18)}${digit.repeat(14)}-${'2'.repeat(16)}-${flags}`,
    });
    const root = telemetry.startSpan(digit, null, { parent });
    const child = telemetry.startSpan(digit, null, { parent: root });
    assert.deepStrictEqual(
      [root.isRecording(), child.isRecording()],
      [digit === 'f', digit === 'f'],
    );
    child.setStatus('error').end();
    told.push(root.traceFlags & SAMPLED, child.traceFlags & SAMPLED);
    root.end();
  }
  return [told, (await take()).map((span) => span.name)];
}

test('a canary leaves the others alone', async () => {
  await restart({ canaryRatio: 0.5, sampleRatio: 0.001 });
  assert.deepStrictEqual(await outsideAndInside('01'), [
    [1, 1, 1, 1],
    ['f', 'f'],
  ]);
  assert.deepStrictEqual(await outsideAndInside('00'), [
    [0, 0, 0, 0],
    ['f', 'f'],
  ]);
  assert.deepStrictEqual([sampling().canary, sampling().canary_set_by], [0.5, 'configuration']);
  const { started } = telemetry.telemetryStatus().spans;
  assert.strictEqual(telemetry.setCanaryRatio(0), true);
  assert.deepStrictEqual([sampling().canary, sampling().canary_set_by], [0, 'program']);
  for (let i = 0; i < 100; i++) {
    const span = telemetry.startSpan('outside');
    assert.ok(!span.isRecording() && /[1-9a-f]/.test(span.traceId) && !(span.traceFlags & SAMPLED));
    telemetry.startSpan('below', null, { parent: span }).end();
    span.end();
  }
  assert.strictEqual((await take()).length, 0);
  assert.strictEqual(telemetry.telemetryStatus().spans.started, started); // not even written
  assert.strictEqual(telemetry.setCanaryRatio(2), false);
  assert.strictEqual(telemetry.setCanaryRatio(null), true);
  assert.strictEqual(sampling().canary, 0.5);
});

test('decisions here and in the core agree on who is in the canary', async () => {
  await restart({ canaryRatio: 0.25, sampleRatio: 1 });
  let recorded = 0;
  for (let i = 0; i < 2000; i++) {
    const span = telemetry.startSpan('root');
    recorded += span.isRecording() ? 1 : 0;
    assert.strictEqual(span.isRecording(), (span.traceFlags & SAMPLED) === SAMPLED);
    span.end();
  }
  const spans = await take();
  assert.ok(recorded > 350 && recorded < 650, `${recorded} recorded`);
  assert.strictEqual(spans.length, recorded);
  assert.deepStrictEqual([...new Set(spans.map((span) => span.traceState))], ['ot=th:c']);
});

test('a request outside of the canary is counted and not recorded', async () => {
  await restart({ backend: 'hybrid', canaryRatio: 0 });
  const { endRequest, startRequest } = require('../../bindings/node/lib/http_server.js');
  const parent = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`;
  for (const traceparent of [undefined, parent]) {
    const span = startRequest(traceparent);
    assert.strictEqual(span.traceFlags & SAMPLED, traceparent === undefined ? 0 : 1);
    endRequest(span, 'GET', '/canary', 'http', '1.1', 500, 0, 'Error', -1);
  }
  assert.match(String(telemetry.metricsText()), /http_requests_total\{[^}]*\/canary[^}]*\} 2/);
  assert.strictEqual((await take()).length, 0);
});

test('a ratio of 0 lets nothing out, errors neither; null is the configured one', async () => {
  await restart();
  const before = telemetry.startSpan('before');
  assert.strictEqual(telemetry.setSampleRatio(0), true);
  const span = telemetry.startSpan('failed');
  assert.match(span.traceId, /[1-9a-f]/);
  for (const one of [before, span]) one.setStatus(telemetry.StatusCode.ERROR).end();
  assert.deepStrictEqual([sampling().ratio, sampling().ratio_set_by], [0, 'program']);
  assert.strictEqual(telemetry.setSampleRatio(null), true);
  telemetry.startSpan('seen').end();
  assert.deepStrictEqual(
    (await take()).map((one) => one.name),
    ['seen'],
  );
  assert.deepStrictEqual([sampling().ratio, sampling().ratio_set_by], [1, 'configuration']);
});

test('what is no ratio changes nothing', async () => {
  await restart({ sampleRatio: 0.5 });
  const bad = [
    1.1,
    -1,
    NaN,
    '0.1',
    undefined,
    {},
    1n,
    Symbol('x'),
    {
      valueOf() {
        throw new Error('no');
      },
    },
  ];
  for (const value of bad) assert.strictEqual(telemetry.setSampleRatio(value), false);
  assert.deepStrictEqual([sampling().ratio, sampling().ratio_set_by], [0.5, 'configuration']);
  await telemetry.shutdown(LIMIT);
  assert.deepStrictEqual([telemetry.setEnabled(true), telemetry.setSampleRatio(1)], [false, false]);
});

test('a file switches a running process, from off', { timeout: 60000 }, async () => {
  const folder = temporary();
  const file = path.join(folder, 'switch');
  fs.writeFileSync(file, 'off\n');
  const program = path.join(folder, 'program.js');
  fs.writeFileSync(
    program,
    `const t = require(${JSON.stringify(ENTRY)}); t.init();
    process.on('message', (name) => {
      t.startSpan(name).end(); process.send(t.telemetryStatus().sampling); });
    process.send('ready');`,
  );
  const env = {
    ...intoFile(folder),
    DJP_TELEMETRY_OVERRIDES_FILE: file,
    DJP_TELEMETRY_FLUSH_INTERVAL: '0.05',
  };
  const child = fork(program, { env: cleanEnvironment(env) });
  const answers = [];
  child.on('message', (answer) => answers.push(answer));
  const until = async (name, right) => {
    for (let last; ; last = answers.pop()) {
      if (last !== undefined && last !== 'ready' && right(last)) return;
      child.send(name);
      await sleep(20);
    }
  };
  try {
    await until('off', (now) => !now.recording && now.recording_set_by === 'overrides_file');
    assert.deepStrictEqual(fileSpans(folder), []);
    fs.writeFileSync(file, 'on\nratio=1\n');
    await until('on', (now) => now.recording && now.ratio_set_by === 'overrides_file');
    while (!fileSpans(folder).includes('on')) {
      child.send('on');
      await sleep(20);
    }
    assert.ok(!fileSpans(folder).includes('off'));
    fs.unlinkSync(file);
    await until('configured', (now) => now.ratio_set_by === 'configuration');
  } finally {
    child.kill('SIGKILL');
  }
});
