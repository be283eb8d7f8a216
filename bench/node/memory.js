'use strict';
// Contenders of the memory and stall rows: JavaScript heap per span, and the longest time that the
// main thread is blocked. run.js starts the heap contenders with --expose-gc and a young generation
// so large that no collection runs between two readings.

const { PerformanceObserver } = require('node:perf_hooks');

const { best, paced, SCALE, sleep, turn } = require('./measure');
const { otel, ours } = require('./peers');
const { spans } = require('./spans');

/** Bytes of JavaScript heap, and external bytes that the collector counts. */
function taken() {
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return { heap: heapUsed, outside: external + arrayBuffers };
}

/**
 * Bytes allocated per span: the growth of the heap without a collection. `value` is the calling
 * path only (400 spans at a time, fewer than a batch, flushed between the readings); `exported`
 * includes the exports of 5,000 spans. A further collection is an error.
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
 * The longest main-thread stall, in rounds of 4,000 spans, 20 per turn of the event loop. Every
 * span, turn and final flush is timed; the stall of a round is its longest. Every round has several
 * flushes, but not every round is disturbed by the machine, so `value` is the round at the lowest
 * tenth, with `median` and `most`. The loop without spans is measured alike.
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
 * MiB of resident memory that telemetry adds after a number of spans at 50,000 a second, including
 * its start.
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
