'use strict';
// A receiver of OTLP over HTTP on a loopback port. Decodes every request with the official protobuf
// classes and stores its spans. It can also hang or reject requests. Requests that it cannot decode
// are stored in `bad`.

const http = require('node:http');
const zlib = require('node:zlib');
const { opentelemetry } = require('@opentelemetry/otlp-transformer/build/src/generated/root');

const { ExportTraceServiceRequest } = opentelemetry.proto.collector.trace.v1;

class Sink {
  constructor() {
    // 'hang': accepts requests without a response; 'refuse': responds 400; 'busy': responds 503
    this.mode = 'ok';
    this.requests = 0; // complete ones
    this.count = 0; // accepted spans
    // { name, n, scope, at } of each, n being the attribute of that name; not when `light`
    this.spans = [];
    this.light = false; // true: only counts
    this.cut = 0; // incomplete requests
    this.bad = []; // errors of complete requests
    this.held = new Set(); // connections without a response
    this.server = null;
    this.port = 0;
  }

  /** Listens; on the same port again after stop(). */
  start() {
    this.server = http.createServer((request, response) => this.receive(request, response));
    this.server.keepAliveTimeout = 60000;
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(this.port, '127.0.0.1', () => {
        this.port = this.server.address().port;
        resolve(this);
      });
    });
  }

  /** Closes every connection; the port rejects new ones. */
  stop() {
    const { server } = this;
    if (server === null) return Promise.resolve();
    this.server = null;
    return new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  }

  /** Responds again, and closes hanging connections, so that their requests are sent again. */
  release() {
    this.mode = 'ok';
    for (const socket of this.held) socket.destroy();
    this.held.clear();
  }

  get url() {
    return `http://127.0.0.1:${this.port}/v1/traces`;
  }

  /** Returns the environment of a program that exports to this receiver. */
  environment(extra) {
    return {
      TELEMETRY_ENABLED: 'true',
      TELEMETRY_BACKEND: 'hybrid',
      OTEL_TRACE_SAMPLE: '1.0',
      OTEL_EXPORTER_OTLP_ENDPOINT: this.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
      OTEL_BSP_SCHEDULE_DELAY: '100',
      ...extra,
    };
  }

  receive(request, response) {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('aborted', () => this.cut++);
    request.on('error', () => {});
    response.on('error', () => {});
    request.on('end', () => {
      if (!request.complete) return;
      if (this.mode === 'hang') {
        this.held.add(request.socket);
        return;
      }
      this.requests++;
      const good =
        this.mode === 'ok' && this.read(request.headers['content-encoding'], Buffer.concat(parts));
      const status = this.mode === 'busy' ? 503 : good ? 200 : 400;
      response
        .writeHead(status, { 'content-type': 'application/x-protobuf', 'content-length': 0 })
        .end();
    });
  }

  read(encoding, body) {
    try {
      const { resourceSpans } = ExportTraceServiceRequest.decode(
        encoding === 'gzip' ? zlib.gunzipSync(body) : body,
      );
      for (const { scopeSpans } of resourceSpans)
        for (const { scope, spans } of scopeSpans) this.keep(scope, spans);
      return true;
    } catch (error) {
      this.bad.push(error);
      return false;
    }
  }

  keep(scope, spans) {
    this.count += spans.length;
    const at = Date.now();
    for (const { name, traceId, spanId, attributes } of this.light ? [] : spans) {
      if (traceId.length !== 16 || spanId.length !== 8) throw new Error(`ids of ${name}`);
      const number = attributes.find(({ key }) => key === 'n');
      const n = number === undefined ? undefined : Number(number.value.intValue);
      this.spans.push({ name, n, scope: scope ? scope.name : '', at });
    }
  }

  /** Returns the number of spans by name. */
  names() {
    const found = {};
    for (const { name } of this.spans) found[name] = (found[name] || 0) + 1;
    return found;
  }

  /** Waits until `what()` is true; throws after `ms`. */
  async until(what, ms, text = 'it did not happen') {
    const end = Date.now() + ms;
    while (!what()) {
      if (Date.now() > end)
        throw new Error(`${text}: ${this.count} spans in ${this.requests} requests`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

module.exports = { Sink };
