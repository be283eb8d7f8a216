'use strict';
// What a span costs, in figures that a busy machine does not move: calls into native code, bytes in
// the operation log, bytes of heap. Measured in a process of its own, whose addon counts its calls.
// Nothing here looks at a clock.

const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const { test } = require('node:test');
const v8 = require('node:v8');

const DEADLINE_MS = 60000;
const SPANS = 1000;
// the first ones run before the engine has compiled, later than usual on a busy machine
const ROUNDS = 40;
// In units of 8 bytes. A span: its start 8, three texts that came before 2 each, two numbers 2
// each, its end 2. A request: its start 8, its end 6. Another figure is a change of the format or
// of the writer: where it is meant, write it here.
const LOG_BYTES = { span: 176, request: 128 };
const HEAP_BYTES = 300; // of a span: itself, the readings of the clock, boxed numbers
const RANDOM_CALLS = 8; // of 1,000 spans; 6 words each, 1,024 at a time
const WAKES = 20; // of 1,000 spans: one when the core sleeps, one at each quarter of the ring

/** Counts the calls of every function of the addon, before the rest of the package takes them. */
function countCalls() {
  const { native } = require('../../bindings/node/lib/loader.js');
  const found = { calls: {}, memory: null };
  for (const [name, real] of Object.entries(native)) {
    if (typeof real !== 'function') continue;
    native[name] = (...values) => {
      found.calls[name] = (found.calls[name] || 0) + 1;
      const result = real(...values);
      if (name === 'logOpen') found.memory = result;
      return result;
    };
  }
  return found;
}

function recordSpans(telemetry, count) {
  for (let i = 0; i < count; i++) {
    const span = telemetry.startSpan('GET /orders/{id}');
    span.setAttribute('http.request.method', 'GET');
    span.setAttribute('http.route', '/orders/{id}');
    span.setAttribute('http.response.status_code', 200);
    span.setAttribute('load', 0.25);
    span.setAttribute('cloud.region', 'eu-central-1');
    span.end();
  }
}

function recordRequests({ startRequest, endRequest }, count) {
  for (let i = 0; i < count; i++) {
    endRequest(startRequest(), 'GET', '/items/{id}', 'http', '1.1', 200, 0, '', 100);
  }
}

function used() {
  global.gc();
  return v8.getHeapStatistics().used_heap_size;
}

/** The calls and the bytes of the log that `count` times of `record` take. */
function costOf(found, count, record) {
  const control = new Int32Array(found.memory, 0, 64);
  const before = control[0];
  found.calls = {};
  record(count);
  const { calls } = found;
  found.calls = {};
  return { calls, bytes: (((control[0] - before) | 0) * 8) / count };
}

async function measure() {
  const found = countCalls();
  const telemetry = require('../../bindings/node/lib/index.js');
  const server = require('../../bindings/node/lib/http_server.js');
  telemetry.init({
    enabled: true,
    backend: 'hybrid',
    exporter: 'memory',
    sampleRatio: 1,
    serviceName: 'cost',
  });
  const heap = [];
  recordSpans(telemetry, SPANS);
  recordRequests(server, SPANS);
  await telemetry.flush(DEADLINE_MS);
  // Well before the ring's end, whose padding belongs to nobody.
  const spans = costOf(found, SPANS, (count) => recordSpans(telemetry, count));
  const requests = costOf(found, SPANS, (count) => recordRequests(server, count));
  for (let i = 0; i < ROUNDS; i++) {
    await telemetry.flush(DEADLINE_MS);
    telemetry.takeExported();
    const before = used();
    recordSpans(telemetry, SPANS);
    heap.push((v8.getHeapStatistics().used_heap_size - before) / SPANS);
  }
  heap.sort((a, b) => a - b);
  await telemetry.shutdown(DEADLINE_MS);
  return { spans, requests, heap: heap[ROUNDS >> 3], units: (found.memory.byteLength - 256) / 8 };
}

if (process.argv[2] === '--measure') {
  measure().then((result) => process.stdout.write(JSON.stringify(result)));
} else {
  // Room for all that a round allocates, so that no collection falls into one.
  const flags = ['--expose-gc', '--min-semi-space-size=16', '--max-semi-space-size=16'];
  const output = execFileSync(process.execPath, [...flags, __filename, '--measure'], {
    timeout: DEADLINE_MS,
  });
  const { spans, requests, heap } = JSON.parse(output);

  for (const [what, { calls }] of Object.entries({ spans, requests })) {
    test(`${what} need no native call of their own`, () => {
      const { logRandom = 0, logWake = 0, ...others } = calls;
      assert.deepStrictEqual(others, {});
      assert.ok(
        logRandom <= RANDOM_CALLS,
        `random words were fetched ${logRandom} times for ${SPANS} ${what}`,
      );
      assert.ok(logWake <= WAKES, `the core was woken ${logWake} times for ${SPANS} ${what}`);
    });
  }

  test('bytes in the operation log', () => {
    assert.deepStrictEqual({ span: spans.bytes, request: requests.bytes }, LOG_BYTES);
  });

  test('bytes of heap', () => {
    assert.ok(heap > 0 && heap <= HEAP_BYTES, `${heap} bytes a span`);
  });
}
