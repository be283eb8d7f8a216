'use strict';
// `node bench/node/run.js [--quick] [ROW...]`: measures every Node row of docs/performance.md, this
// package and the peers in turn, in one run on one Node. Prints absolute values, ratios and bars,
// and at every exporting row whether all spans arrived. A ROW is a group of rows.js or a word in
// the name of a contender.

const { spawn } = require('node:child_process');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');

const { versions } = require('./peers');
const { printRow, printSpecification } = require('./report');
const { DELIVERED, ROWS } = require('./rows');

const QUICK = process.argv.includes('--quick');
const ONLY = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const ROUNDS = Number(process.env.BENCH_ROUNDS || (QUICK ? 1 : 3));
const SCALE = process.env.BENCH_SCALE || (QUICK ? '0.25' : '1');

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Starts sink.js; { url, count(): the number of spans after the last arrived, close() }. */
async function startSink() {
  const child = spawn(process.execPath, [path.join(__dirname, 'sink.js')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const port = await new Promise((resolve) =>
    child.stdout.once('data', (data) => resolve(String(data).trim())),
  );
  const url = `http://127.0.0.1:${port}`;
  const read = () =>
    new Promise((resolve, reject) => {
      http
        .get(url, (response) => {
          let text = '';
          response
            .on('data', (part) => {
              text += part;
            })
            .on('end', () => resolve(JSON.parse(text)));
        })
        .on('error', reject);
    });
  const count = async (quiet = 150) => {
    let last = await read();
    for (;;) {
      await sleep(quiet);
      const now = await read();
      if (now.spans === last.spans) return now.spans;
      last = now;
    }
  };
  return { url, count, close: () => child.stdin.end() };
}

function environment(sink) {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(OTEL_|TELEMETRY_|DJP_|NODE_OPTIONS)/.test(name),
  );
  return {
    ...Object.fromEntries(kept),
    BENCH_SINK: sink.url,
    BENCH_SCALE: SCALE,
    NODE_ENV: 'production',
  };
}

/**
 * Runs a script of this folder to its end; { code, out, err }. `onReady` is called once after it
 * has printed "ready".
 */
function run(args, sink, onReady = null) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, {
      cwd: __dirname,
      env: environment(sink),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const deadline = setTimeout(() => child.kill('SIGKILL'), 180_000);
    let out = '';
    let err = '';
    child.stdout.on('data', (part) => {
      out += part;
      if (onReady && out.includes('ready')) onReady(child);
    });
    child.stderr.on('data', (part) => {
      err += part;
    });
    child.on('close', (code, signal) => {
      clearTimeout(deadline);
      resolve({ code: code ?? signal, out, err });
    });
  });
}

/** Runs one measurement; returns its numbers with `arrived`, the spans that the sink received. */
async function measure(name, flags, sink) {
  const before = await sink.count(20);
  const { code, out, err } = await run([...flags, 'contender.js', name], sink);
  if (code !== 0) {
    console.error(`${name}: ${code}: ${err.slice(-800)}`);
    return { value: NaN };
  }
  const result = JSON.parse(out.trim().split('\n').pop());
  result.arrived = (await sink.count()) - before;
  return result;
}

/** Measures all sides of a row in interleaved rounds: name -> results of the rounds. */
async function measureRow(row, sink) {
  const names = [row.ours, ...row.peers.map((each) => each.name)];
  for (const extra of [row.bare, row.of]) if (extra) names.push(extra);
  const results = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of names) {
      if (results[name].some((result) => result.missing)) continue;
      results[name].push(await measure(name, row.flags || [], sink));
    }
  }
  return results;
}

/** Measures which spans of a process arrive, for each way to end it. */
async function runDelivered(sink) {
  let missed = 0;
  for (const [scenario, sent] of Object.entries(DELIVERED)) {
    const cells = [];
    for (const side of ['ours', 'otel']) {
      const before = await sink.count();
      const ready = scenario === 'sigterm' ? (child) => child.kill('SIGTERM') : null;
      const { code, out } = await run(['whole.js', scenario, side], sink, ready);
      const arrived = (await sink.count(700)) - before;
      const missing = out.includes('not there yet');
      if (side === 'ours' && !missing && arrived !== sent) missed++;
      const told = missing ? 'not there yet' : `${arrived} of ${sent} (ended with ${code})`;
      cells.push(`${side === 'ours' ? 'ours' : 'OpenTelemetry JS'} ${told}`);
    }
    console.log(`${`delivered, ${scenario}`.padEnd(46)} ${cells.join('   ')}`);
  }
  return missed;
}

async function runSpecification(sink) {
  for (const side of ['ours', 'otel']) {
    const runs = [];
    for (let round = 0; round < ROUNDS; round++) {
      const result = await measure(`specification_${side}`, [], sink);
      if (result.missing) break;
      runs.push(result);
    }
    printSpecification(side, runs);
  }
}

async function main() {
  const wanted = (group, names = []) =>
    ONLY.length === 0 ||
    ONLY.some((word) => group.startsWith(word) || names.some((name) => name.includes(word)));
  const machine = `${os.arch()}, ${os.cpus().length} cores, ${os.cpus()[0].model}`;
  const { node, v8 } = process.versions;
  console.log(`Node ${node} (V8 ${v8}), ${machine}; ${ROUNDS} rounds${QUICK ? ', quick' : ''}`);
  console.log(
    Object.entries(versions())
      .map(([name, version]) => `${name} ${version}`)
      .join(', '),
  );
  const sink = await startSink();
  let missed = 0;
  try {
    for (const row of ROWS) {
      if (wanted(row.group, [row.ours, ...row.peers.map((each) => each.name)]))
        missed += printRow(row, await measureRow(row, sink));
    }
    if (wanted('delivered')) missed += await runDelivered(sink);
    if (wanted('specification')) await runSpecification(sink);
  } finally {
    sink.close();
  }
  console.log(`${missed} bars missed`);
}

main();
