'use strict';
// A soak test of the Node package: requests through Express, spans, metrics and log lines, a
// receiver that stops and restarts, restarts of telemetry. Forces garbage collections and checks
// heap, external and resident memory, descriptors, threads and span counts; fails on growth.
//
//   node --expose-gc tests/node/soak.js [--seconds 600]

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { Writable } = require('node:stream');

const DEFAULT_SECONDS = 600;
const ROUND_MS = 1000;
const WARM = 0.25; // share of samples left out
const SHORT_WARM = 0.6; // below SHORT seconds: the memory of the engine settles late
const SHORT = 60;
const MIB = 1 << 20;
// Allowed growth between the medians of the first and last third after the warm-up.
const GROWTH = { heap: 4 * MIB, external: 4 * MIB, resident: 24 * MIB, descriptors: 4, threads: 2 };
const SLACK_MS = 3000; // added to deadlines for a busy machine

// ---- the receiver: a separate process, so that its memory is not measured -----------------------

async function receive() {
  const { Sink } = require('./sink.js');
  const sink = await new Sink().start();
  sink.light = true;
  process.send({ url: sink.url });
  process.on('message', async (order) => {
    if (order === 'end') {
      process.send({ count: sink.count, requests: sink.requests, bad: sink.bad.length });
      process.disconnect();
      await sink.stop();
      return;
    }
    sink.release();
    if (order === 'stop') await sink.stop();
    else if (sink.server === null) await sink.start();
    if (order !== 'stop') sink.mode = order;
  });
}

class Receiver {
  async start() {
    this.child = spawn(process.execPath, [__filename, '--receive'], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.url = (await this.answer()).url;
    return this;
  }

  answer() {
    return new Promise((resolve, reject) => {
      this.child.once('message', resolve);
      this.child.once('exit', () => reject(new Error('the receiver ended')));
    });
  }

  order(what) {
    this.child.send(what);
  }

  async end() {
    this.child.send('end');
    const told = await this.answer();
    await new Promise((resolve) => this.child.once('exit', resolve));
    return told;
  }
}

// ---- the load ----------------------------------------------------------------------------------

const ORDERS = ['ok', 'ok', 'ok', 'busy', 'ok', 'hang', 'ok', 'stop', 'ok', 'refuse'];

class Load {
  constructor(receiver) {
    this.telemetry = require('../../bindings/node/lib/index.js');
    this.receiver = receiver;
    this.done = {
      requests: 0,
      spans: 0,
      logs: 0,
      restarts: 0,
      collections: 0,
      exported: 0,
      lost: 0,
    };
    this.faults = [];
    this.agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
    this.begin();
  }

  begin() {
    this.telemetry.init({
      enabled: true,
      backend: 'hybrid',
      exporter: 'otlp',
      endpoint: this.receiver.url,
      protocol: 'http/protobuf',
      sampleRatio: 0.5,
      ringBytes: MIB,
      flushInterval: 0.1,
      exportTimeout: 1,
      cardinalityLimit: 200,
      logLevel: 'none',
      serviceName: 'soak',
    });
  }

  async listen() {
    const express = require('express');
    const { telemetryMiddleware, metricsHandler } = require('../../middleware/express/index.js');
    const { createLogger } = require('../../bindings/node/lib/logging/index.js');
    const { Counter, Gauge, Histogram, withSpan, startSpan, inject } = this.telemetry;
    const load = this;
    const nowhere = new Writable({ write: (line, _, done) => (load.done.logs++, done()) });
    const log = createLogger({ destination: nowhere });
    const counter = new Counter({ name: 'soak_jobs', help: 'Jobs', labelNames: ['kind', 'user'] });
    const gauge = new Gauge({ name: 'soak_depth', help: 'Depth' });
    const histogram = new Histogram({
      name: 'soak_seconds',
      help: 'Duration',
      labelNames: ['kind'],
    });
    const app = express();
    app.use(telemetryMiddleware());
    app.get('/metrics', metricsHandler());
    app.get('/orders/:id', async (req, res) => {
      const n = Number(req.params.id);
      await withSpan(
        'orders.load',
        { n, text: 'x'.repeat(n % 300), list: [1, 'two'] },
        async (span) => {
          await null;
          span.addEvent('loaded', { n }).setAttribute(`key.${n % 20000}`, { a: { b: n } });
          startSpan('child', undefined, { links: [span] }).end();
          load.done.spans += 2;
        },
      );
      counter.labels(`kind${n % 5}`, `user${Math.floor(Math.random() * 1e6)}`).inc();
      histogram.labels(`kind${n % 5}`).observe(Math.random());
      gauge.set(n);
      log.info('order loaded', { n });
      res.json({ n, headers: inject() });
    });
    app.get('/fails', async () => {
      throw new Error('on purpose');
    });
    app.use((error, req, res, next) => (res.headersSent ? next(error) : res.status(500).end()));
    this.server = app.listen(0, '127.0.0.1');
    await new Promise((resolve) => this.server.once('listening', resolve));
  }

  request(target, abort) {
    const options = {
      port: this.server.address().port,
      host: '127.0.0.1',
      path: target,
      agent: this.agent,
      headers: {},
    };
    if (Math.random() < 0.5)
      options.headers.traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    return new Promise((resolve) => {
      const request = http.get(options, (response) => {
        response.resume();
        response.on('close', resolve);
      });
      request.on('error', resolve);
      if (abort) request.destroy();
      this.done.requests++;
    });
  }

  /** One of eight clients that send requests until the end of the round. */
  async client(end) {
    for (let n = 0; Date.now() < end; n++) {
      const id = Math.floor(Math.random() * 1e6);
      const kind = n % 50;
      await this.request(
        kind === 0
          ? '/metrics'
          : kind === 1
            ? '/fails'
            : kind === 2
              ? `/none/${id}`
              : `/orders/${id}`,
        kind === 3,
      );
      if (kind === 4) this.telemetry.startSpan('forgotten', { n });
      if (kind === 5) await this.timed('flush', 50);
    }
  }

  async timed(what, ms) {
    const begin = Date.now();
    const result = await this.telemetry[what](ms);
    const took = Date.now() - begin;
    if (took > ms + SLACK_MS) this.faults.push(`${what}(${ms}) took ${took} ms`);
    return result;
  }

  /** Ends telemetry, checks its counts, and starts it again. */
  async restart() {
    await this.timed('shutdown', 500);
    const { spans, dropped } = this.telemetry.telemetryStatus();
    const { oplog_full: unstarted, ...others } = dropped;
    const lost = Object.values(others).reduce((sum, one) => sum + one, 0);
    if (spans.started !== spans.exported + spans.not_sampled + spans.live + lost) {
      this.faults.push(`the books do not agree: ${JSON.stringify({ spans, dropped })}`);
    }
    this.done.restarts++;
    this.done.exported += spans.exported;
    this.done.lost += lost + unstarted;
    this.begin();
  }

  async round(number) {
    this.receiver.order(ORDERS[number % ORDERS.length]);
    const end = Date.now() + ROUND_MS;
    await Promise.all(Array.from({ length: 8 }, () => this.client(end)));
    if (number % 5 === 4) await this.restart();
    global.gc();
    global.gc();
    this.done.collections += 2;
  }

  async end() {
    await this.restart();
    await this.telemetry.shutdown(1000);
    this.agent.destroy();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

// ---- watching ----------------------------------------------------------------------------------

function measure() {
  const { heapUsed, external, rss } = process.memoryUsage();
  const descriptors = fs.readdirSync('/proc/self/fd').length;
  return {
    heap: heapUsed,
    external,
    resident: rss,
    descriptors,
    threads: fs.readdirSync('/proc/self/task').length,
  };
}

const middle = (values) => values.slice().sort((a, b) => a - b)[values.length >> 1];

/**
 * Returns the growth between the medians of the first and last third after the warm-up, and the
 * slope per sample.
 */
function growth(samples, what, seconds) {
  const warm = seconds < SHORT ? SHORT_WARM : WARM;
  const values = samples.slice(Math.floor(samples.length * warm)).map((sample) => sample[what]);
  const third = Math.max(1, Math.floor(values.length / 3));
  const mean = values.reduce((sum, one) => sum + one, 0) / values.length;
  const center = (values.length - 1) / 2;
  const slope =
    values.reduce((sum, one, i) => sum + (i - center) * (one - mean), 0) /
    Math.max(
      1,
      values.reduce((sum, _, i) => sum + (i - center) ** 2, 0),
    );
  return { risen: middle(values.slice(-third)) - middle(values.slice(0, third)), slope };
}

function report(load, samples, told, seconds) {
  let failed = load.faults.length > 0 || told.bad > 0 || load.done.exported === 0;
  console.log(
    `rounds ${samples.length} in ${Math.round(seconds)} s under Node ${process.versions.node}; ` +
      JSON.stringify(load.done),
  );
  console.log(`received ${told.count} spans in ${told.requests} requests`);
  for (const [what, limit] of Object.entries(GROWTH)) {
    const { risen, slope } = growth(samples, what, seconds);
    const unit = limit >= MIB ? MIB : 1;
    const show = (value) => (value / unit).toFixed(unit === 1 ? 0 : 1);
    const minutely = (slope * samples.length * 60) / seconds;
    failed ||= risen > limit;
    console.log(
      `${what.padEnd(12)} ${show(samples[0][what])} -> ` +
        `${show(samples[samples.length - 1][what])}, risen ${show(risen)} of ` +
        `${show(limit)} allowed${unit === MIB ? ' MiB' : ''}, slope ${show(minutely)} a minute`,
    );
  }
  for (const fault of load.faults) console.log(`FAULT ${fault}`);
  console.log(failed ? 'FAILED' : 'passed');
  return failed ? 1 : 0;
}

async function soak(seconds) {
  const receiver = await new Receiver().start();
  const load = new Load(receiver);
  await load.listen();
  const samples = [];
  const begin = Date.now();
  while ((Date.now() - begin < seconds * 1000 || samples.length < 8) && load.faults.length === 0) {
    await load.round(samples.length);
    samples.push(measure());
  }
  const took = (Date.now() - begin) / 1000;
  receiver.order('ok');
  await load.end();
  return report(load, samples, await receiver.end(), took);
}

function argument(name, otherwise) {
  const at = process.argv.indexOf(name);
  return at < 0 ? otherwise : process.argv[at + 1];
}

async function main() {
  if (process.argv.includes('--receive')) {
    await receive();
    return;
  }
  if (typeof global.gc !== 'function')
    throw new Error(`needs --expose-gc: node --expose-gc ${path.basename(__filename)}`);
  process.exitCode = await soak(Number(argument('--seconds', DEFAULT_SECONDS)));
}

main();
