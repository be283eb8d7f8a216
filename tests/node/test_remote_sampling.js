'use strict';
// Remote sampling with a server of the test: decisions in JavaScript follow changes and failures at
// run time. The tests of the responses are tests/python/test_remote_sampling.py and
// tests/c/control/test_remote_strategy.c.

const assert = require('node:assert');
const http = require('node:http');
const { after, afterEach, beforeEach, test } = require('node:test');
const { setTimeout: sleep } = require('node:timers/promises');
const { intoFile, fileSpans, run, temporary } = require('./programs.js');
const { LIMIT, restart, take, telemetry } = require('./support.js');

const FAST = 0.1;
const DEADLINE_MS = 60000;
const sampling = () => telemetry.telemetryStatus().sampling;
const remote = () => sampling().remote;
const record = (name, count = 1) => {
  for (let i = 0; i < count; i++) telemetry.startSpan(name).end();
};

const probability = (samplingRate) => ({
  strategyType: 'PROBABILISTIC',
  probabilisticSampling: { samplingRate },
});
const rate = (maxTracesPerSecond) => ({
  strategyType: 1,
  rateLimitingSampling: { maxTracesPerSecond },
});
const operations = (defaultSamplingProbability, named, lower = 0) => ({
  operationSampling: {
    defaultSamplingProbability,
    defaultLowerBoundTracesPerSecond: lower,
    perOperationStrategies: Object.entries(named).map(([operation, samplingRate]) => ({
      operation,
      probabilisticSampling: { samplingRate },
    })),
  },
});

/** A sampling server; `answer` is an object, a text, or null: no response. */
class Server {
  constructor() {
    this.answer = probability(1);
    this.status = 200;
    this.paths = [];
    this.cut = 0; // aborted requests
    this.port = 0;
  }

  start() {
    this.server = http.createServer((request, response) => {
      this.paths.push(request.url);
      response.on('close', () => (this.cut += response.writableFinished ? 0 : 1));
      if (this.answer === null) return;
      response.writeHead(this.status, { location: '/elsewhere' });
      response.end(typeof this.answer === 'string' ? this.answer : JSON.stringify(this.answer));
    });
    return new Promise((resolve) =>
      this.server.listen(this.port, '127.0.0.1', () => {
        this.port = this.server.address().port;
        resolve();
      }),
    );
  }

  stop() {
    return new Promise((resolve) => {
      this.server.close(resolve);
      this.server.closeAllConnections();
    });
  }

  get endpoint() {
    return `http://127.0.0.1:${this.port}`;
  }
}

let server;
beforeEach(() => (server = new Server()).start());
afterEach(async () => {
  await telemetry.shutdown(LIMIT);
  await server.stop();
});
after(() => telemetry.shutdown(LIMIT));

async function until(right) {
  for (const end = Date.now() + DEADLINE_MS; Date.now() < end; await sleep(10)) if (right()) return;
  throw new Error(`it did not happen: ${right}, ${JSON.stringify(sampling())}`);
}

const following = (options) =>
  restart({
    sampler: 'jaeger_remote',
    remoteSamplingEndpoint: server.endpoint,
    remoteSamplingInterval: FAST,
    slowThreshold: 0,
    ...options,
  });

/** Changes the response, and waits until a response to a later request is in effect. */
async function follow(answer) {
  server.answer = answer;
  const { requests } = remote();
  await until(() => remote().responses > 0 && remote().requests > requests + 1);
}

/** Returns the number of sampled roots out of so many. */
async function kept(name, count = 1000) {
  await take();
  record(name, count);
  return (await take()).length;
}

test('nothing is asked before the first span, which need not be kept', async () => {
  await following({ sampleRatio: 0.000001 });
  await sleep(300);
  assert.deepStrictEqual(server.paths, []);
  record('first');
  await until(() => sampling().ratio_set_by === 'remote');
  assert.strictEqual(server.paths[0], '/sampling?service=test');
});

test('strategies change while running', async () => {
  await following();
  record('first');
  await follow(probability(0.25));
  assert.deepStrictEqual([sampling().ratio, remote().strategy], [0.25, 'probability 0.25']);
  const quarter = await kept('any');
  assert.ok(quarter > 150 && quarter < 350, `${quarter}`);
  await follow(operations(0, { all: 1, some: 0.5 }));
  assert.strictEqual(await kept('all'), 1000);
  assert.strictEqual(await kept('none'), 0);
  const half = await kept('some');
  assert.ok(half > 400 && half < 600, `${half}`);
  await follow(rate(5));
  const limited = await kept('any');
  assert.ok(limited >= 1 && limited < 500, `${limited}`);
  await follow(operations(0, { seldom: 0 }, 0.001));
  assert.deepStrictEqual([await kept('seldom'), await kept('seldom')], [1, 0]);
  await follow(probability(1));
  assert.strictEqual(await kept('any'), 1000);
});

test('the flag that is sent downstream is the decision', async () => {
  await following();
  record('first');
  for (const answer of [operations(0.5, { all: 1 }), rate(1000), probability(0.5)]) {
    await follow(answer);
    await take();
    const told = new Set();
    for (let i = 0; i < 300; i++) {
      const span = telemetry.startSpan(i % 3 ? 'other' : 'all');
      if (span.traceFlags & 1) told.add(span.spanId);
      span.end();
    }
    const spans = await take();
    assert.deepStrictEqual(new Set(spans.map((span) => span.spanId)), told);
  }
});

test('a refusal, nonsense and a server that is gone change nothing', async () => {
  await following();
  record('first');
  await follow(probability(0.5));
  for (const [status, answer, message] of [
    [404, probability(1), 'it responded 404'],
    [302, probability(1), 'it responded 302, a redirect, which is not followed'],
    [200, 'no', 'its response is refused: a JSON object is missing'],
    [200, ' '.repeat(2 << 20), 'its response is larger than 1048576 bytes'],
    [200, probability(2), 'its response is refused: samplingRate is not a number from 0 to 1'],
  ]) {
    const { failures } = remote();
    Object.assign(server, { status, answer });
    await until(() => remote().failures > failures);
    assert.deepStrictEqual([remote().last_error, sampling().ratio], [message, 0.5]);
    server.status = 200;
    await follow(probability(0.5));
    assert.strictEqual(remote().consecutive_failures, 0);
  }
  await server.stop();
  const { failures } = remote();
  await until(() => remote().failures > failures);
  assert.strictEqual(sampling().ratio, 0.5);
  server.answer = probability(0.125);
  await server.start();
  await until(() => sampling().ratio === 0.125);
  assert.ok(!server.paths.includes('/elsewhere'));
});

test('a question that hangs holds up neither exports nor the end', async () => {
  server.answer = null;
  await following();
  record('first');
  await until(() => server.paths.length === 1);
  for (let i = 0; i < 20; i++) assert.ok((await kept('span', 1)) === 1);
  assert.strictEqual(remote().failures, 0, 'the question was over before the exports were');
  assert.strictEqual(await telemetry.shutdown(LIMIT), true);
  await until(() => server.cut === 1);
});

test(
  'a process that ends while a question hangs keeps its spans',
  { timeout: 2 * DEADLINE_MS },
  async () => {
    server.answer = null;
    const folder = temporary();
    const env = {
      ...intoFile(folder),
      OTEL_TRACE_SAMPLE: '',
      OTEL_TRACES_SAMPLER: 'parentbased_jaeger_remote',
      OTEL_TRACES_SAMPLER_ARG:
        `endpoint=${server.endpoint},` + 'pollingIntervalMs=5000,initialSamplingRate=1',
    };
    const out = await run("t.init(); t.startSpan('only').end();", { env, folder });
    assert.strictEqual(out.code, 0, out.stderr);
    assert.deepStrictEqual(fileSpans(folder), ['only']);
  },
);

test('the program has the last word', async () => {
  await following();
  record('first');
  await follow(operations(0.5, { x: 1 }));
  assert.strictEqual(telemetry.setSampleRatio(0.25), true);
  await follow(operations(0.1, { x: 1 }));
  assert.deepStrictEqual([sampling().ratio, sampling().ratio_set_by], [0.25, 'program']);
  assert.strictEqual(telemetry.setSampleRatio(null), true);
  assert.deepStrictEqual([sampling().ratio, sampling().ratio_set_by], [null, 'remote']);
  assert.strictEqual(await kept('x'), 1000);
});
