'use strict';
// Ids and settings of telemetry in log lines, for each way of reading them first: each program runs
// in a separate process.

const assert = require('node:assert/strict');
const path = require('node:path');
const { test } = require('node:test');
const { run } = require('./programs.js');

const LOGGING = JSON.stringify(path.resolve(__dirname, '../../bindings/node/lib/logging'));
const HEAD = `
const logging = require(${LOGGING});
const on = { enabled: true, exporter: 'memory', sampleRatio: 1, serviceName: 'shop',
  environment: 'test', logLevel: 'none' };
`;

async function answerOf(source) {
  const end = await run(HEAD + source);
  assert.equal(end.code, 0, end.stderr);
  return JSON.parse(end.stdout);
}

for (const [name, fields] of Object.entries({
  'a mixin': 'logging.traceMixin()()',
  'a format': 'logging.winstonFormat().transform({})',
  'the context of a line': 'logging.getStructuredLogContext()',
})) {
  test(`${name} has the ids of the current span, and none without one`, async () => {
    const [inside, outside, ids] = await answerOf(`
      t.init(on);
      t.withSpan('s', (span) => {
        const inside = ${fields};
        console.log(JSON.stringify([inside, null, {
          trace_id: span.traceId, span_id: span.spanId }]));
      });
      if (Object.keys(${fields}).length > 0) throw new Error('ids outside of a span');
    `);
    assert.equal(outside, null);
    assert.deepEqual(inside, ids);
  });
}

test('a logger has the service and the environment that telemetry was started with', async () => {
  const source = `
    const lines = [];
    const destination = { write: (text) => lines.push(JSON.parse(text)) > 0 };
    t.init(on);
    logging.createLogger({ destination }).info('after');
    logging.createLogger({ destination, service: 'own', environment: 'mine' }).info('own');
    console.log(JSON.stringify(lines.map((line) => [line.service, line.environment])));
  `;
  assert.deepEqual(await answerOf(source), [
    ['shop', 'test'],
    ['own', 'mine'],
  ]);
});
