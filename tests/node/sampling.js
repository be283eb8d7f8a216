'use strict';
// Head decisions for the test that compares languages. `sampling.js IDS OUT RATIO` reads trace ids
// of 16 bytes from IDS. It writes the decisions of the addon for roots to OUT.core, the flags of
// root spans with these ids to OUT.root, and those of spans below a remote parent to OUT.below.
// Prints how many roots the core sampled and dropped, as JSON.

const fs = require('node:fs');
const { native } = require('../../bindings/node/lib/loader.js');
const telemetry = require('../../bindings/node/lib/index.js');

const PER_SPAN = 6; // random words per root: trace id, span id
const STEP = 10000; // spans between two flushes, so that no buffer fills up
const [, , idsFile, outFile, ratio] = process.argv;
const ids = fs.readFileSync(idsFile);
const count = ids.length / 16;

function hex(i) {
  return ids.toString('hex', 16 * i, 16 * i + 16);
}

/** Gives the ids to the next spans, in place of random words. */
function feed() {
  let next = 0;
  native.logRandom = (words) => {
    words.fill(1);
    for (let at = 0; at + PER_SPAN <= words.length && next < count; at += PER_SPAN, next++) {
      for (let k = 0; k < 4; k++) words[at + k] = ids.readInt32BE(16 * next + 4 * k);
    }
  };
}

async function settle() {
  if (!(await telemetry.flush(30000))) throw new Error('not everything was taken');
  telemetry.takeExported();
}

async function roots() {
  const out = Buffer.alloc(count);
  feed();
  for (let i = 0; i < count; i++) {
    const span = telemetry.startSpan('root');
    if (i % 997 === 0 && span.traceId !== hex(i))
      throw new Error(`span ${i} has trace id ${span.traceId}`);
    out[i] = span.traceFlags & 1;
    span.end();
    if (i % STEP === STEP - 1) await settle();
  }
  await settle();
  fs.writeFileSync(`${outFile}.root`, out);
  return telemetry.telemetryStatus();
}

async function below() {
  const out = Buffer.alloc(count);
  const parent = { traceId: '', spanId: '00f067aa0ba902b7', traceFlags: 0 };
  for (let i = 0; i < count; i++) {
    parent.traceId = hex(i);
    const span = telemetry.startSpan('below', undefined, { parent });
    out[i] = span.traceFlags & 1;
    span.end();
    if (i % STEP === STEP - 1) await settle();
  }
  fs.writeFileSync(`${outFile}.below`, out);
}

async function main() {
  telemetry.init({
    enabled: true,
    backend: 'otel',
    exporter: 'memory',
    sampler: 'traceidratio',
    sampleRatio: ratio,
    slowThreshold: 0,
  });
  const decided = Buffer.alloc(count);
  if (!native.samplerDecideMany(ids, decided)) throw new Error('the addon decided nothing');
  fs.writeFileSync(`${outFile}.core`, decided);
  const { spans, dropped } = await roots();
  await below();
  await telemetry.shutdown(10000);
  console.log(
    JSON.stringify({
      kept: spans.sampled_ratio,
      dropped: spans.not_sampled,
      oplog_full: dropped.oplog_full,
    }),
  );
}

main();
