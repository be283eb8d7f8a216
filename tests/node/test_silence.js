'use strict';
// A configuration that exports nothing opens no connection and no socket, whatever happens: errors,
// slow traces, rules, sampled callers, worker threads, flushes, the end. The receiver counts
// connections; with any other ratio the same program connects.

const assert = require('node:assert/strict');
const net = require('node:net');
const test = require('node:test');
const { ENTRY, run } = require('./programs.js');

const PROGRAM = `
const fs = require('node:fs');
const http = require('node:http');
const { Worker, isMainThread } = require('node:worker_threads');
const { telemetryListener } =
  require('${ENTRY.replace('bindings/node/lib/index.js', 'middleware/http/index.js')}');
const SAMPLED = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const NO_IDS = process.env.OTEL_TRACES_EXPORTER === 'none';
const assert = require('node:assert/strict');

function work(name) {
  const called = t.extract({ traceparent: SAMPLED, tracestate: 'ot=th:0' });
  for (const options of [{ root: true }, { parent: called }]) {
    const root = t.startSpan(name, { tier: 'gold' }, { ...options, startTime: new Date(1000) });
    const late = t.runWithContext(root, () => {
      assert.ok(NO_IDS || t.getCurrentTraceId().length === 32);
      assert.throws(() => t.withSpan('failing', () => { throw new Error(name); }));
      return t.startSpan('late');
    });
    root.end(new Date(61000));
    late.end();
  }
}

async function everything(name) {
  work(name);
  await t.flush(5000);
  for (const change of [t.setEnabled, t.setSampleRatio]) {
    change(0);
    change(false);
    change(1);
    change(true);
  }
  work('switched');
  await t.flush(5000);
}

function finished(worker) {
  return new Promise((resolve, reject) => worker.once('error', reject).once('exit', resolve));
}

const answer = telemetryListener((req, res) => res.writeHead(500).end(), { route: () => '/' });

async function main() {
  t.init();
  await everything('main');
  assert.equal(await finished(new Worker(__filename)), 0);
  // A request without a network: nothing of this process may look like a connection.
  const socket = new (require('node:net').Socket)();
  const request = new http.IncomingMessage(socket);
  Object.assign(request, {
    method: 'GET', url: '/', httpVersion: '1.1', headers: { traceparent: SAMPLED } });
  const response = new http.ServerResponse(request);
  answer(request, response);
  response.emit('close');
  await everything('after the thread');
  const links = fs.readdirSync('/proc/self/fd').map((fd) => {
    try { return fs.readlinkSync('/proc/self/fd/' + fd); } catch { return ''; }
  });
  const exported = t.telemetryStatus().spans.exported;
  console.log(JSON.stringify({ exported, tcp: inet(links), shutdown: await t.shutdown(5000) }));
  t.init();
  work('again');
}

// Sockets of the internet protocols: Node's own pipes for output are sockets, too.
function inet(links) {
  const own = new Set(links.filter((link) => link.startsWith('socket:')).map((link) =>
    link.slice(8, -1)));
  const tables = ['tcp', 'tcp6', 'udp', 'udp6'].map((name) =>
    fs.readFileSync('/proc/self/net/' + name, 'utf8'));
  const rows = tables.join('').split('\\n').map((line) => line.trim().split(/\\s+/)[9]);
  return rows.filter((inode) => own.has(inode)).length;
}

if (isMainThread) main();
else t.init(), everything('worker');
`;

const NOTHING = {
  'a ratio of 0': { OTEL_TRACE_SAMPLE: '0.0' },
  'a ratio of 0 by the sampler': {
    OTEL_TRACES_SAMPLER: 'traceidratio',
    OTEL_TRACES_SAMPLER_ARG: '0',
  },
  'a ratio of 0 and a target': {
    OTEL_TRACE_SAMPLE: '0',
    DJP_TELEMETRY_TARGET_SPANS_PER_SECOND: '1000',
  },
  'a canary of 0': { OTEL_TRACE_SAMPLE: '1.0', DJP_TELEMETRY_CANARY_RATIO: '0' },
  always_off: { OTEL_TRACES_SAMPLER: 'always_off' },
  'no exporter': { OTEL_TRACES_EXPORTER: 'none', OTEL_TRACE_SAMPLE: '1.0' },
  'no exporter and a sampling server': {
    OTEL_TRACES_EXPORTER: 'none',
    OTEL_TRACES_SAMPLER: 'jaeger_remote',
  },
};
const SOMETHING = { 'any other ratio': { OTEL_TRACE_SAMPLE: '0.000000001' } };

/** Runs the program with a receiver that accepts, counts and closes every connection. */
async function outcome(protocol, settings) {
  const seen = { connections: 0, bytes: 0 };
  const server = net.createServer((socket) => {
    seen.connections++;
    socket.on('error', () => {});
    socket.on('data', (data) => {
      seen.bytes += data.length;
      socket.destroy();
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${server.address().port}`;
  const env = {
    TELEMETRY_ENABLED: 'true',
    TELEMETRY_BACKEND: 'hybrid',
    OTEL_EXPORTER_OTLP_ENDPOINT: url,
    DJP_TELEMETRY_REMOTE_SAMPLING_ENDPOINT: url,
    OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
    OTEL_EXPORTER_OTLP_TIMEOUT: '1000',
    OTEL_BSP_SCHEDULE_DELAY: '20',
    DJP_TELEMETRY_TAIL_SAMPLING_RULES:
      'attribute tier=gold; name failing; route /* > 1ms; slowest 50%; rare 1s',
    ...settings,
  };
  try {
    const done = await run(PROGRAM, { env });
    assert.equal(done.code, 0, done.stderr);
    return { seen, told: JSON.parse(done.stdout) };
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

for (const protocol of ['grpc', 'http/protobuf']) {
  for (const [how, settings] of Object.entries(NOTHING)) {
    test(`${how}, ${protocol}: not one byte leaves the process`, { timeout: 60000 }, async () => {
      const { seen, told } = await outcome(protocol, settings);
      assert.deepEqual(seen, { connections: 0, bytes: 0 });
      assert.deepEqual(told, { exported: 0, tcp: 0, shutdown: true });
    });
  }
  for (const [how, settings] of Object.entries(SOMETHING)) {
    test(`${how}, ${protocol}: the same program does connect`, { timeout: 60000 }, async () => {
      const { seen } = await outcome(protocol, settings);
      assert.ok(seen.connections >= 1 && seen.bytes > 0);
    });
  }
}
