'use strict';
// Timing: short chunks with their minimum, main-thread CPU, turns of the event loop. Independent of
// the measured library.

const fs = require('node:fs');

/** The share of the full run time with --quick. */
const SCALE = Number(process.env.BENCH_SCALE || 1);

/** Resolves after a full turn of the event loop, in which sockets and timers run. */
const turn = () => new Promise((resolve) => setImmediate(resolve));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Nanoseconds per operation: the fastest of many chunks. `chunk(n)` runs n of them and nothing
 * else; it may return a promise. `between(done)` runs after every chunk, not timed, so that
 * exporters empty their queues.
 */
async function best(chunk, { count = 100, seconds = 1.5, between = null } = {}) {
  let fastest = Infinity;
  let done = 0;
  const end = performance.now() + seconds * 1000 * Math.max(SCALE, 0.4);
  while (performance.now() < end) {
    const begin = performance.now();
    const wait = chunk(count);
    if (wait) await wait;
    fastest = Math.min(fastest, performance.now() - begin);
    done += count;
    if (between) await between(done);
  }
  return { value: (fastest * 1e6) / count, done };
}

/**
 * For `between`: waits for the exporter after every 400 operations, fewer than the queue and batch
 * of any batch processor.
 */
function drained(flush) {
  let last = 0;
  return async (done) => {
    if (done - last < 400) return;
    last = done;
    await flush();
    await turn();
  };
}

/**
 * CPU nanoseconds of the main thread. Node 23.9 has a function for it; earlier versions read the
 * kernel's account of the thread, in steps of 10 ms, so runs must take seconds. Excludes garbage
 * collection on helper threads; process.cpuUsage() includes it.
 */
function mainThreadCpu() {
  if (process.threadCpuUsage) {
    const { user, system } = process.threadCpuUsage();
    return (user + system) * 1e3;
  }
  const stat = fs.readFileSync(`/proc/self/task/${process.pid}/stat`, 'latin1');
  const words = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(words[11]) + Number(words[12])) * 1e7;
}

function processCpu() {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1e3;
}

/**
 * Calls `slice()` every 10 ms for a number of ticks and catches up late ones, as a paced load does.
 */
async function paced(ticks, slice) {
  const start = performance.now();
  for (let tick = 1; tick <= ticks; tick++) {
    slice();
    const wait = start + tick * 10 - performance.now();
    await (wait > 0 ? sleep(wait) : turn());
  }
}

module.exports = { SCALE, best, drained, mainThreadCpu, paced, processCpu, sleep, turn };
