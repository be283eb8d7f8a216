'use strict';
// Contenders of the Express rows. `request_*` emits 'request' events of a server with real
// IncomingMessage and ServerResponse objects on a discarding socket: instrumentation sees them and
// no network is timed. `serve_*` listens on loopback for load.js.

const { fork } = require('node:child_process');
const { createRequire } = require('node:module');
const path = require('node:path');
const { Duplex } = require('node:stream');

const { mainThreadCpu, SCALE, turn } = require('./measure');
const { otel, otelMeters, otelModule, ours, requireOurs } = require('./peers');

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

/** Loads Express of this major version under its name, after instrumentation is installed. */
const loadExpress = (major) =>
  createRequire(path.join(__dirname, major === 4 ? 'express4' : '.', 'package.json'))('express');

/** The measured application: one route with a parameter that responds with JSON. */
function application(major, middleware = []) {
  const express = loadExpress(major);
  const app = express();
  for (const each of middleware) app.use(each);
  app.get('/orders/:id', (request, response) => {
    response.json({ id: request.params.id, state: 'shipped' });
  });
  return app;
}

const nothing = async () => {};
const WARM = 3_000;

/** The instrumentation of each side, before or around the application: { app, flush, headers }. */
const SIDES = {
  bare: (major) => ({ app: application(major), flush: nothing, sampled: true }),

  ours: (major, ratio = 1) => {
    const djp = ours({ backend: 'hybrid', sampleRatio: ratio });
    const { telemetryMiddleware } = requireOurs('djp-telemetry/express');
    return {
      app: application(major, [telemetryMiddleware()]),
      flush: () => djp.flush(10_000),
      sampled: ratio === 1,
    };
  },

  otel: (major, ratio = 1) => {
    const { provider } = otel({ ratio });
    const meterProvider = otelMeters(); // this package also records the request metrics
    const { registerInstrumentations } = otelModule('instrumentation');
    const { HttpInstrumentation } = otelModule('instrumentation-http');
    const { ExpressInstrumentation } = otelModule('instrumentation-express');
    const instrumentations = [new HttpInstrumentation(), new ExpressInstrumentation()];
    registerInstrumentations({ instrumentations, tracerProvider: provider, meterProvider });
    require('node:http');
    const flush = async () => {
      await provider.forceFlush();
      await meterProvider.forceFlush();
    };
    return { app: application(major), flush, sampled: ratio === 1 };
  },

  bundle: (major) => {
    const bundle = require('express-prom-bundle');
    const middleware = bundle({ includeMethod: true, includePath: true, includeStatusCode: true });
    return { app: application(major, [middleware]), flush: nothing, sampled: true };
  },
};
SIDES.ours_1_percent = (major) => SIDES.ours(major, 0.01);
SIDES.otel_1_percent = (major) => SIDES.otel(major, 0.01);

// ---- in process --------------------------------------------------------------------------------

/** A socket without a network: written data is counted and dropped. */
class Discard extends Duplex {
  constructor() {
    super();
    Object.assign(this, {
      written: 0,
      remoteAddress: '127.0.0.1',
      remotePort: 50000,
      localAddress: '127.0.0.1',
      localPort: 8000,
    });
  }

  _read() {}

  _write(chunk, encoding, done) {
    this.written += chunk.length;
    done();
  }
}
for (const name of ['setTimeout', 'setKeepAlive', 'setNoDelay', 'ref', 'unref']) {
  Discard.prototype[name] = function same() {
    return this;
  };
}

/** Runs one request through the server; resolves when the response is complete. */
function drive(http, server, socket, sampled) {
  return new Promise((resolve) => {
    const request = new http.IncomingMessage(socket);
    request.method = 'GET';
    request.url = '/orders/7';
    request.httpVersion = '1.1';
    request.httpVersionMajor = request.httpVersionMinor = 1;
    request.headers = { host: '127.0.0.1:8000', 'user-agent': 'bench', accept: '*/*' };
    if (sampled) request.headers.traceparent = TRACEPARENT;
    request.push(null);
    const response = new http.ServerResponse(request);
    response.assignSocket(socket);
    response.on('finish', () => {
      response.detachSocket(socket);
      request.emit('close');
      response.emit('close');
      resolve(response);
    });
    server.emit('request', request, response);
  });
}

/**
 * Nanoseconds per request: requests in sequence, a turn of the event loop after each, the fastest
 * of many chunks of 500. A chunk has more spans than a batch, so it includes exports, timers and
 * garbage collection. `mean` and `main` (main-thread CPU) are over all chunks.
 */
async function inProcess(side, major) {
  const { app, flush, sampled } = SIDES[side](major);
  const http = require('node:http');
  const server = http.createServer(app);
  const socket = new Discard();
  const many = async (count) => {
    for (let i = 0; i < count; i++) {
      const response = await drive(http, server, socket, sampled);
      if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}`);
      await turn();
    }
  };
  await many(WARM);
  const chunks = Math.max(8, Math.round(40 * SCALE));
  const before = socket.written;
  const main = mainThreadCpu();
  const start = performance.now();
  let fastest = Infinity;
  for (let chunk = 0; chunk < chunks; chunk++) {
    const begin = performance.now();
    await many(500);
    fastest = Math.min(fastest, performance.now() - begin);
  }
  const count = chunks * 500;
  const mean = ((performance.now() - start) * 1e6) / count;
  const cpu = (mainThreadCpu() - main) / count;
  if (socket.written - before < count * 100) throw new Error('answers are missing');
  await flush();
  return { value: (fastest * 1e6) / 500, mean, main: cpu, requests: count + WARM };
}

// ---- over loopback -----------------------------------------------------------------------------

/** Nanoseconds per request over keep-alive connections, with the load in a separate process. */
async function overLoopback(side, major) {
  const { app, flush, sampled } = SIDES[side](major);
  const server = require('node:http').createServer(app);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const seconds = 4 * SCALE;
  const load = fork(path.join(__dirname, 'load.js'), [
    server.address().port,
    seconds,
    sampled ? TRACEPARENT : '',
  ]);
  const done = await new Promise((resolve, reject) => {
    load.on('message', resolve);
    load.on('exit', () => reject(new Error('load ended')));
  });
  await flush();
  server.close();
  load.kill();
  return { value: 1e9 / done.rate, requests: done.requests };
}

const contenders = {};
for (const side of Object.keys(SIDES)) {
  for (const major of [4, 5]) {
    contenders[`request${major}_${side}`] = () => inProcess(side, major);
    contenders[`serve${major}_${side}`] = () => overLoopback(side, major);
  }
}

module.exports = { contenders };
