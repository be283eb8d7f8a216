'use strict';
// The costs of a span that do not depend on the load of the machine: calls of native code, bytes in
// the operation log, bytes of heap. Measured without a clock, in a separate process whose addon
// counts its calls.

const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const { test } = require('node:test');
const v8 = require('node:v8');

const DEADLINE_MS = 60000;
const SPANS = 1000;
// the first ones run before compilation, which is late on a busy machine
const ROUNDS = 40;
// In units of 8 bytes. A span: start 8, three texts of 2, two numbers of 2, end 2. A request: start
// 8, end 6. After an intended change of the format or the writer, change these numbers.
const LOG_BYTES = { span: 176, request: 128 };
const HEAP_BYTES = 300; // per span: the object, clock readings, boxed numbers
const RANDOM_CALLS = 8; // per 1,000 spans; 6 words each, 1,024 at a time
const WAKES = 20; // per 1,000 spans: one if the core sleeps, one per quarter of the ring

/** Counts the calls of each function of the addon, before the package loads it. */
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

/** Returns the calls and log bytes of `count` calls of `record`. */
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
  // Well before the end of the ring, whose padding would be counted.
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
  // Space for all allocations of a round, so that no collection runs in one.
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
