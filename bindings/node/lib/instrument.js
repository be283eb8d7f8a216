'use strict';
// Spans whose names, attributes and metrics the core defines: requests of clients, jobs, calls of
// other services. This side passes the facts, in one operation at the end.

const form = require('./oplog_form.js');
const log = require('./oplog.js');
const { Span } = require('./span.js');
const { ACTIVE, METRICS, TRACES, startInstrument } = require('./start.js');

const { control, generations } = log;
const HEAD_BYTES = 32;
const TEXT_LENGTH = 8192; // of one text, in characters
const FACTS_BYTES = HEAD_BYTES + form.LOG.TEXTS * (8 + 8 + 3 * TEXT_LENGTH);
const DURATION_MAX = 1e9; // seconds

const memory = new ArrayBuffer(FACTS_BYTES);
const buffer = Buffer.from(memory);
const words = new Int32Array(memory);
const longs = new BigInt64Array(memory);
const reals = new Float64Array(memory);

/** Encodes the payload of a RESULT at the start of `memory`; returns its bytes. */
function encode(span, end, seconds, status, flags, texts) {
  words[0] = span === null ? 0 : span.startLow;
  words[1] = span === null ? 0 : span.startHigh;
  longs[1] = end;
  reals[2] = seconds;
  words[6] = status;
  words[7] = flags;
  let at = HEAD_BYTES;
  for (let i = 0; i < texts.length; i++) {
    const text = texts[i];
    const whole = text.length > TEXT_LENGTH ? text.slice(0, TEXT_LENGTH) : text;
    const count = whole === '' ? 0 : buffer.utf8Write(whole, at + 8);
    words[at >> 2] = count;
    words[(at >> 2) + 1] = 0;
    at += 8 + ((count + 7) & ~7);
  }
  return at;
}

/** The span of an instrument while only metrics are on: its start. */
function stub() {
  const span = new Span(0, 0, 0, 0, 0, 0, 0, 0, '', null);
  stamp(span);
  return span;
}

function stamp(span) {
  longs[0] = log.clock();
  span.startLow = words[0];
  span.startHigh = words[1];
}

/**
 * Starts the span of an instrument `seconds` ago, or an object of the same shape if only metrics
 * are on; null while nothing is recorded. `texts` as in the result.
 */
function start(instrument, name, seconds, status, flags, texts) {
  const active = control[ACTIVE];
  if ((active & TRACES) === 0) return (active & METRICS) === 0 ? null : stub();
  const known = seconds >= 0 && seconds < DURATION_MAX ? seconds : 0;
  const span = startInstrument(active, instrument, name, known, () => {
    const bytes = encode(null, 0n, seconds, status, flags, texts);
    return new Uint8Array(memory.slice(0, bytes));
  });
  if (span.generation < 0) stamp(span); // it is not recorded
  return span;
}

/**
 * Ends what start() returned, with its facts; status: with the resend count << 16. Without space in
 * the log the span ends without them, which counts as lost.
 */
function end(span, instrument, seconds, status, flags, texts) {
  const open = generations[span.slot] === span.generation;
  if (!open && (control[ACTIVE] & METRICS) === 0) return;
  const bytes = encode(span, log.clock(), seconds, status, flags, texts);
  const word = (open ? span.slot : log.NO_SLOT) | (instrument << 16);
  if (log.operation(log.OP.RESULT, word, buffer.subarray(0, bytes), open ? 1 : 0)) {
    if (open) log.releaseSlot(span.slot);
    log.publish();
    return;
  }
  if ((control[ACTIVE] & METRICS) !== 0) control[log.WORD.LOST_REQUESTS]++;
  if (open) log.end(span);
}

/** Whether a span of start() has ids: it does not while only metrics are on. */
function hasSpan(span) {
  return span.local !== 0;
}

module.exports = require('./one.js')('instrument', { end, hasSpan, start });
