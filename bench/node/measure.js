'use strict';
// How things are timed: short chunks with their minimum, main-thread CPU, turns of the event loop.
// Nothing here knows who is measured.

const fs = require('node:fs');

/** The share of the full running time that --quick leaves. */
const SCALE = Number(process.env.BENCH_SCALE || 1);

/** Resolves after a full turn of the event loop, so that sockets and timers get theirs. */
const turn = () => new Promise((resolve) => setImmediate(resolve));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Nanoseconds of one operation: the fastest of many chunks. `chunk(n)` does n of them and nothing
 * else; it may return a promise. `between(done)` runs after every chunk outside of what is timed:
 * there exporters get their time, so that queues never fill.
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
 * For `between`: waits for the exporter after every 400 operations, fewer than any batch
 * processor's queue or batch.
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
 * CPU nanoseconds of the calling (main) thread. Node 23.9 has a call for it; before that the
 * kernel's account of the thread is read, in steps of 10 ms, so runs must be seconds long. Garbage
 * collection that runs on helper threads is not in it; process.cpuUsage() has that.
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

/** Calls `slice()` every 10 ms for so many ticks, late ticks caught up, as a paced load does. */
async function paced(ticks, slice) {
  const start = performance.now();
  for (let tick = 1; tick <= ticks; tick++) {
    slice();
    const wait = start + tick * 10 - performance.now();
    await (wait > 0 ? sleep(wait) : turn());
  }
}

module.exports = { SCALE, best, drained, mainThreadCpu, paced, processCpu, sleep, turn };
