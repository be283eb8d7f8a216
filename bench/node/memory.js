'use strict';
// Contenders of the memory and stall rows: JavaScript heap that a span takes, and the longest time
// for which the main thread does nothing else. run.js starts the heap contenders with --expose-gc
// and a young generation so large that no collection can run between two readings.

const { PerformanceObserver } = require('node:perf_hooks');

const { best, paced, SCALE, sleep, turn } = require('./measure');
const { otel, ours } = require('./peers');
const { spans } = require('./spans');

/** Bytes of JavaScript heap, and bytes outside of it that the collector counts. */
function taken() {
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return { heap: heapUsed, outside: external + arrayBuffers };
}

/**
 * Bytes allocated per span: what the heap grows by while no garbage is collected. `value` is the
 * calling path alone (400 spans at a time, fewer than a batch, flushed between the readings),
 * `exported` is all of it with the exports of 5,000 spans. Collections are watched: one more than
 * asked for is an error.
 */
async function heap(start, flush) {
  await best((n) => spans(start, n), {
    seconds: 1,
    between: async () => {
      await flush();
      await turn();
    },
  });
  let collections = 0;
  new PerformanceObserver((list) => {
    collections += list.getEntries().length;
  }).observe({ entryTypes: ['gc'] });
  let asked = 0;
  const clean = async () => {
    await flush();
    globalThis.gc();
    asked++;
    await sleep(50);
  };
  const readings = [];
  for (let i = 0; i < 10; i++) {
    await clean();
    const before = taken();
    spans(start, 400);
    readings.push((taken().heap - before.heap) / 400);
  }
  await clean();
  const before = taken();
  for (let i = 0; i < 10; i++) {
    spans(start, 500);
    await turn();
    await flush();
  }
  const after = taken();
  await sleep(50);
  if (collections !== asked) throw new Error(`${collections} collections, ${asked} asked for`);
  return {
    value: readings.sort((a, b) => a - b)[5],
    exported: (after.heap - before.heap) / 5_000,
    outside: (after.outside - before.outside) / 5_000,
  };
}

/**
 * The longest main-thread stall. Rounds of 4,000 spans, 20 every turn of the event loop; every
 * span, every turn and the call of a flush at the end is timed, and a round's stall is its longest.
 * Every round holds several flushes, while what a busy machine does to the process is not in all of
 * them: so `value` is the round at the lowest tenth, beside `median` and `most`, and the loop
 * without spans is measured in the same way.
 */
async function stall(start, flush) {
  await best((n) => spans(start, n), { seconds: 1, between: turn });
  await flush();
  const stalls = [];
  for (let round = 0; round < Math.max(11, Math.round(41 * SCALE)); round++) {
    let longest = 0;
    let last = performance.now();
    for (let step = 0; step < 200; step++) {
      for (let i = 0; i < 20; i++) {
        spans(start, 1);
        const now = performance.now();
        longest = Math.max(longest, now - last);
        last = now;
      }
      await turn();
      const now = performance.now();
      longest = Math.max(longest, now - last);
      last = now;
    }
    const flushed = flush();
    longest = Math.max(longest, performance.now() - last);
    stalls.push(longest);
    await flushed;
    await sleep(5);
  }
  stalls.sort((a, b) => a - b);
  const at = (share) => stalls[Math.floor((stalls.length - 1) * share)] * 1e6;
  return { value: at(0.1), median: at(0.5), most: at(1) };
}

const sides = {
  ours: (measure) => {
    const djp = ours();
    return measure(djp.startSpan, () => djp.flush(10_000));
  },
  otel: (measure) => {
    const { tracer, provider } = otel();
    return measure(
      (name) => tracer.startSpan(name),
      () => provider.forceFlush(),
    );
  },
  bare: (measure) => {
    const span = { setAttribute() {}, end() {} };
    return measure(
      () => span,
      async () => {},
    );
  },
};

// ---- resident memory ---------------------------------------------------------------------------

/**
 * MiB of resident memory that telemetry adds after so many spans at 50,000 a second, set-up
 * included.
 */
async function resident(set, count) {
  const before = process.memoryUsage.rss();
  const { start, flush } = set();
  await paced(count / 500, () => spans(start, 500));
  await flush();
  return { value: (process.memoryUsage.rss() - before) / 2 ** 20, spans: count };
}

const contenders = {
  resident_ours: () =>
    resident(() => {
      const djp = ours();
      return { start: djp.startSpan, flush: () => djp.flush(10_000) };
    }, 200_000),
  resident_otel: () =>
    resident(() => {
      const { tracer, provider } = otel();
      return { start: (name) => tracer.startSpan(name), flush: () => provider.forceFlush() };
    }, 200_000),
};
for (const [side, run] of Object.entries(sides)) {
  contenders[`heap_${side}`] = () => run(heap);
  contenders[`stall_${side}`] = () => run(stall);
}

module.exports = { contenders };
