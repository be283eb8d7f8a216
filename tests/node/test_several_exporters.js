'use strict';
// Several exporters at once: each gets every span, and one that is down holds up no other.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, test } = require('node:test');
const { run, temporary } = require('./programs.js');
const { Sink } = require('./sink.js');
const { restart, telemetry } = require('./support.js');

const { flush, startSpan, takeSpans, telemetryStatus } = telemetry;
const PROGRAM = `
t.init();
for (let i = 0; i < 20; i++) t.startSpan('span ' + i).end();
t.flush(30000).then((good) => {
  const status = t.telemetryStatus();
  const further = status.signals['traces.console'];
  const counts = [status.books.exported, further.books.exported];
  process.stderr.write(JSON.stringify([good, status.settings.exporter.value, ...counts]));
});`;
const NAMES = Array.from({ length: 20 }, (_, i) => `span ${i}`);

after(() => telemetry.shutdown(10000));

for (const exporters of ['otlp,console', ' console , otlp_proto_http ']) {
  test(`a receiver and the console: ${exporters}`, { timeout: 120000 }, async () => {
    const sink = await new Sink().start();
    const env = sink.environment({
      OTEL_TRACES_EXPORTER: exporters,
      DJP_TELEMETRY_CONSOLE_FORMAT: 'json',
    });
    const done = await run(PROGRAM, { env });
    await sink.stop();
    assert.equal(done.code, 0, done.stderr);
    assert.equal(done.stderr, '[true,"otlp,console",20,20]');
    const lines = done.stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line).name);
    assert.deepEqual(lines.sort(), NAMES.slice().sort());
    assert.deepEqual(sink.spans.map((span) => span.name).sort(), NAMES.slice().sort());
  });
}

test('a receiver that is down holds up no other', { timeout: 120000 }, async () => {
  const sink = await new Sink().start();
  sink.mode = 'hang';
  const filePath = path.join(temporary(), 'spans.jsonl');
  await restart({
    exporter: ['otlp', 'file', 'memory'],
    endpoint: sink.url,
    protocol: 'http/protobuf',
    filePath,
    flushInterval: 0.05,
  });
  startSpan('everywhere').end();
  assert.equal(await flush(1000), false); // waits for all of them
  assert.deepEqual(
    takeSpans().map((span) => span.name),
    ['everywhere'],
  );
  assert.match(fs.readFileSync(filePath, 'utf8'), /"everywhere"/);
  const { signals } = telemetryStatus();
  assert.equal(signals.traces.books.exported, 0);
  assert.equal(signals['traces.file'].books.exported, 1);
  assert.equal(signals['traces.memory'].transport, 'memory');
  sink.release();
  await sink.stop();
});
