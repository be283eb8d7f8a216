'use strict';
// Starts spans: ids, head decision and parent. The core decides anything beyond a comparison.

const { native } = require('./loader.js');
const form = require('./oplog_form.js');
const log = require('./oplog.js');
const {
  Span,
  INVALID,
  addLinks,
  hasIds,
  isRemote,
  spanOf,
  NOT_RECORDED,
  SAMPLED,
  RANDOM,
} = require('./span.js');
const { Context, ROOT, current, storage } = require('./context.js');
const { timeOf } = require('./time.js');
const { encodeAttributes } = require('./values.js');

const { control, random } = log;
const { ACTIVE, EPOCH, HEAD } = form.WORD;
const { TRACES, METRICS, DROP_ALL, HEAD_ONLY, ASK, ASK_ATTRIBUTES } = form.LOG;
const REMOTE = form.START.REMOTE << 24;
const IS_ROOT = form.START.ROOT << 24;
const { INTERNAL } = form.KIND;
const KIND_WORDS = new Map(
  Object.entries(form.KIND).map(([word, number]) => [word.toLowerCase(), number]),
);
const KIND_BITS = form.LOG.INSTRUMENT | 7;
const RECENT = 1 << 30;
// In the first word of a decision: what is recorded of the local trace (0: nothing), and the
// sampled flag to propagate.
const OUTCOME = 3 << form.LOG.DECISION_OUTCOME;
const RECORD_ONLY = 1 << form.LOG.DECISION_OUTCOME;
const FLAG_SHIFT = form.LOG.DECISION_FLAG;

let epoch = -1;
let head = -1; // version of the head decision that is loaded
// The head decision of roots: the threshold, low and high word, then the decision words of sampled
// and of other roots.
const roots = new Int32Array(12);
const sampledRoot = roots.subarray(2, 7);
const unsampledRoot = roots.subarray(7);
let rootState = ''; // tracestate of sampled roots
let lastLocal = 0; // number of the latest local trace
let oldestLocal = 1; // the core does not know earlier ones

/** Discards the state of an earlier start of telemetry. */
function renew() {
  epoch = control[EPOCH];
  oldestLocal = (lastLocal + 1) | 0;
  log.setTextLimit(control[log.WORD.VALUE_LIMIT]);
}

/** Loads the changed head decision. */
function renewHead() {
  if (control[EPOCH] !== epoch) renew();
  head = Atomics.load(control, HEAD); // before the read, so that a later change is noticed
  try {
    rootState = (native !== null && native.logHead(roots)) || '';
  } catch {
    rootState = '';
  }
}

function nextLocal() {
  lastLocal = (lastLocal + 1) | 0;
  if (lastLocal === 0) lastLocal = 1;
  if (((lastLocal - oldestLocal) | 0) > RECENT) oldestLocal = (lastLocal - (RECENT >> 1)) | 0;
  return lastLocal;
}

/** Returns the head decision for a new trace, as in core/src/sampling/head.h. */
function headSamples(t2, t3) {
  const high = t2 & 0xffffff;
  return high > roots[1] || (high === roots[1] && t3 >>> 0 >= roots[0] >>> 0);
}

/** Whether a new trace is outside of the canary and therefore not recorded. */
function isNotRecorded(t2, t3) {
  const high = t2 & 0xffffff;
  return (
    high < unsampledRoot[4] || (high === unsampledRoot[4] && t3 >>> 0 < unsampledRoot[3] >>> 0)
  );
}

/** Returns the decision words of a root that started here. */
function rootDecision(span) {
  return (span.flags & SAMPLED) !== 0 ? sampledRoot : unsampledRoot;
}

/** Whether the start of a span need not be written. */
function isIdle(active, span) {
  return (
    (active & DROP_ALL) !== 0 ||
    span.generation === NOT_RECORDED ||
    ((active & HEAD_ONLY) !== 0 && (span.flags & SAMPLED) === 0)
  );
}

/** Starts a new trace. */
function newRoot(baggage) {
  if (control[HEAD] !== head) renewHead();
  const r = log.randomWords(6);
  const t2 = random[r + 2];
  const t3 = random[r + 3];
  const sampled = headSamples(t2, t3);
  const state = sampled ? rootState : '';
  const span = new Span(
    random[r],
    random[r + 1],
    t2,
    t3,
    random[r + 4],
    random[r + 5],
    sampled ? RANDOM | SAMPLED : RANDOM,
    nextLocal(),
    state,
    baggage,
  );
  if (!sampled && isNotRecorded(t2, t3)) span.generation = NOT_RECORDED;
  return span;
}

/** Returns the tracestate to propagate from a reply of the core. */
function stateOf(reply) {
  return reply === null || reply === '' ? '' : reply[1];
}

/**
 * Writes the attributes of the reply, then those of the caller if they were encoded for the
 * sampler.
 */
function writeReply(span, reply, shown) {
  if (!span.isRecording()) return;
  if (reply !== null && reply !== '' && reply[2] !== undefined)
    log.operation(log.OP.KEYED, span.slot, reply[2], 1);
  if (shown === undefined || shown.isResult) return;
  if (shown.bytes !== null) log.operation(log.OP.KEYED, span.slot, shown.bytes, 1);
  if (shown.lost > 0) log.drop(span.slot, shown.lost);
}

/** Sets the decision without a reply of the core: recorded, and sampled only by tail sampling. */
function assume(flag) {
  decided[0] = RECORD_ONLY | (flag << FLAG_SHIFT);
  decided[1] = 0;
  decided[2] = 1 << 24; // no threshold
  decided[3] = 0;
  decided[4] = 0;
}

/**
 * Starts a trace that a composite sampler decides: one call of the core, and the start carries its
 * decision. `shown` are encoded attributes of the caller, `request` the request; `name` is the span
 * name in the log, which is not informative for requests.
 */
function startDecided(name, header, scope, baggage, unix, begun, shown, request) {
  if (control[HEAD] !== head) renewHead();
  const r = log.randomWords(6);
  for (let i = 0; i < 4; i++) found[i] = random[r + i];
  const [s0, s1] = [random[r + 4], random[r + 5]];
  let reply = null;
  assume(0);
  try {
    reply = native.logDecide(
      found,
      name,
      (header >> 16) & KIND_BITS,
      shown === undefined ? undefined : shown.bytes,
      request,
    );
  } catch {
    // No reply: not sampled.
  }
  const flags = RANDOM | decidedFlag();
  const span = new Span(
    found[0],
    found[1],
    found[2],
    found[3],
    s0,
    s1,
    flags,
    nextLocal(),
    stateOf(reply),
    baggage,
  );
  span.generation = decidedGeneration();
  if (isIdle(control[ACTIVE], span)) return span;
  log.startFull(span, name, header | IS_ROOT, null, scope, '', unix, begun, decided);
  writeReply(span, reply, shown);
  return span;
}

function startRoot(active, name, header, scope, baggage, shown) {
  if ((active & ASK) !== 0)
    return startDecided(name, header, scope, baggage, 0n, 0n, shown, undefined);
  const span = newRoot(baggage);
  if (!isIdle(active, span))
    log.start(span, name, header | IS_ROOT, null, scope, rootDecision(span));
  return span;
}

/**
 * Creates a child of a local span. It belongs to the local trace of its parent, also after the
 * parent has ended.
 */
function newChild(parent, baggage) {
  const r = log.randomWords(2);
  const span = new Span(
    parent.t0,
    parent.t1,
    parent.t2,
    parent.t3,
    random[r],
    random[r + 1],
    parent.flags,
    parent.local,
    parent.state,
    baggage,
  );
  if (parent.generation === NOT_RECORDED) span.generation = NOT_RECORDED;
  return span;
}

function startChild(active, name, header, scope, parent, baggage, shown) {
  if (control[EPOCH] !== epoch) renew();
  if (parent.local === 0 || ((parent.local - oldestLocal) | 0) < 0) {
    return startUnknownParent(active, name, header, scope, parent, baggage, 0n, 0n, shown);
  }
  const span = newChild(parent, baggage);
  if (!isIdle(active, span)) log.start(span, name, header, parent, scope, null);
  return span;
}

const found = new Int32Array(12); // reply of the core
const decided = found.subarray(7); // the decision words in it

/** Returns the decision as the generation of a span that is not written yet. */
function decidedGeneration() {
  return (decided[0] & OUTCOME) === 0 ? NOT_RECORDED : -1;
}

/** Returns the sampled flag of the decision. */
function decidedFlag() {
  return (decided[0] >> FLAG_SHIFT) & SAMPLED;
}

/** Requests the decision for a local root below `parent`, into `decided`; null if there is none. */
function decideBelow(parent, name, header, shown) {
  const flags = (parent.flags & 0xff).toString(16).padStart(2, '0');
  try {
    const traceparent = `00-${parent.traceId}-${parent.spanId}-${flags}`;
    const bytes = shown === undefined ? undefined : shown.bytes;
    return native.logContext(
      traceparent,
      parent.state || undefined,
      found,
      name,
      (header >> 16) & KIND_BITS,
      bytes,
    );
  } catch {
    return null;
  }
}

/**
 * Starts a local root below an unknown parent: a span of another process, or of an earlier start of
 * telemetry.
 */
function startUnknownParent(active, name, header, scope, parent, baggage, unix, begun, shown) {
  if (control[HEAD] !== head) renewHead();
  const reply = decideBelow(parent, name, header, shown);
  if (reply === null) assume(parent.flags & SAMPLED);
  const flags = (parent.flags & RANDOM) | decidedFlag();
  const state = reply === null ? parent.state : stateOf(reply);
  const r = log.randomWords(2);
  const span = new Span(
    parent.t0,
    parent.t1,
    parent.t2,
    parent.t3,
    random[r],
    random[r + 1],
    flags,
    nextLocal(),
    state,
    baggage,
  );
  span.generation = decidedGeneration();
  if (isIdle(active, span)) return span;
  const full = header | IS_ROOT | (isRemote(parent) ? REMOTE : 0);
  if (parent.state === '' && unix === 0n && begun === 0n) {
    log.start(span, name, full, parent, scope, decided);
  } else {
    log.startFull(span, name, full, parent, scope, parent.state, unix, begun, decided);
  }
  writeReply(span, reply, shown);
  return span;
}

/** Starts a span at a given time: `unix` nanoseconds, or `begun` on the monotonic clock. */
function startTimed(active, name, header, scope, parent, baggage, unix, begun, shown) {
  if (control[EPOCH] !== epoch) renew();
  if (parent !== null && (parent.local === 0 || ((parent.local - oldestLocal) | 0) < 0)) {
    return startUnknownParent(active, name, header, scope, parent, baggage, unix, begun, shown);
  }
  if (parent === null && (active & ASK) !== 0) {
    return startDecided(name, header, scope, baggage, unix, begun, shown, undefined);
  }
  const span = parent === null ? newRoot(baggage) : newChild(parent, baggage);
  const full = parent === null ? header | IS_ROOT : header;
  const decision = parent === null ? rootDecision(span) : null;
  if (!isIdle(active, span))
    log.startFull(span, name, full, parent, scope, '', unix, begun, decision);
  return span;
}

// ---- what callers give -------------------------------------------------------------------------

function nameOf(name) {
  return typeof name === 'string' && name !== '' ? name : 'unnamed';
}

/**
 * Returns the kind of a word or of the number in @opentelemetry/api, which is one less than in
 * OTLP; internal for other values.
 */
function kindOf(kind) {
  if (typeof kind === 'number') return kind >= 0 && kind < 5 ? Math.floor(kind) + 1 : INTERNAL;
  return (
    (typeof kind === 'string' && kind.length <= 8 && KIND_WORDS.get(kind.toLowerCase())) || INTERNAL
  );
}

/** Reads options; this can run user code. */
function readOptions(options) {
  const read = {
    kind: INTERNAL,
    time: 0n,
    links: null,
    root: false,
    parent: undefined,
    attributes: undefined,
  };
  try {
    if (options === null || typeof options !== 'object') return read;
    read.kind = kindOf(options.kind);
    read.time = timeOf(options.startTime);
    read.links = options.links;
    read.root = options.root === true;
    read.parent = options.parent;
    read.attributes = options.attributes;
  } catch {
    // The options that were read count.
  }
  return read;
}

/**
 * Returns parent and baggage: from the options, else from the current context. An invalid parent
 * starts a new trace.
 */
function placeOf(read) {
  const node = storage.getStore() || ROOT;
  if (read.parent === undefined || read.parent === null) {
    return {
      parent: read.root || node.span === null || !hasIds(node.span) ? null : node.span,
      baggage: node.baggage,
    };
  }
  let parent = null;
  let baggage = node.baggage;
  try {
    parent = spanOf(read.parent);
    if (read.parent.span !== undefined && typeof read.parent.baggage === 'string')
      baggage = read.parent.baggage;
  } catch {
    parent = null;
  }
  return { parent: read.root ? null : parent, baggage };
}

/** Whether a sampler needs the attributes of a span: it becomes a local root. */
function asksFor(active, parent) {
  if ((active & ASK_ATTRIBUTES) === 0) return false;
  if (control[EPOCH] !== epoch) renew();
  return parent === null || parent.local === 0 || ((parent.local - oldestLocal) | 0) < 0;
}

function startWith(active, name, attributes, options, scope) {
  const read = readOptions(options);
  const { parent, baggage } = placeOf(read);
  const header = read.kind << 16;
  const shown = asksFor(active, parent) ? encodeAttributes(read.attributes, attributes) : undefined;
  let span;
  const [unix, begun] = read.time < 0n ? [0n, -read.time] : [read.time, 0n];
  if (read.time !== 0n)
    span = startTimed(active, name, header, scope, parent, baggage, unix, begun, shown);
  else if (parent === null) span = startRoot(active, name, header, scope, baggage, shown);
  else span = startChild(active, name, header, scope, parent, baggage, shown);
  if (shown === undefined) {
    if (read.attributes !== undefined) span.setAttributes(read.attributes);
    if (attributes !== undefined) span.setAttributes(attributes);
  }
  if (read.links !== undefined && read.links !== null) addLinks(span, read.links);
  return span;
}

/**
 * Returns the parent context that a span with these options would have; used while nothing is
 * recorded.
 */
function offContext(options) {
  if (options === undefined || options === null) return current();
  const read = readOptions(options);
  if (!read.root && (read.parent === undefined || read.parent === null)) return current();
  const { parent, baggage } = placeOf(read);
  return new Context(parent, baggage);
}

/**
 * Returns the span while nothing is recorded: it has the ids of the current context, and its
 * methods do not affect the span of those ids, which may have started before recording was turned
 * off.
 */
function offSpan(node) {
  const { span } = node;
  if (span === null || !hasIds(span)) return INVALID;
  if (span.generation < 0) return span;
  return new Span(
    span.t0,
    span.t1,
    span.t2,
    span.t3,
    span.s0,
    span.s1,
    span.flags,
    span.local,
    span.state,
    node.baggage,
  );
}

/** As startSpan(), with an instrumentation scope (a symbol, 0 for none). */
function startScoped(name, attributes, options, scope) {
  const active = control[ACTIVE];
  if ((active & TRACES) === 0) return offSpan(offContext(options));
  const text = nameOf(name);
  if (options !== undefined && options !== null)
    return startWith(active, text, attributes, options, scope);
  if ((active & ASK_ATTRIBUTES) !== 0 && attributes !== undefined)
    return startWith(active, text, attributes, null, scope);
  const node = storage.getStore();
  let span;
  if (node === undefined) {
    span = startRoot(active, text, INTERNAL << 16, scope, null);
  } else if (node.span === null || !hasIds(node.span)) {
    span = startRoot(active, text, INTERNAL << 16, scope, node.baggage);
  } else {
    span = startChild(active, text, INTERNAL << 16, scope, node.span, node.baggage);
  }
  if (attributes !== undefined) span.setAttributes(attributes);
  return span;
}

/**
 * Starts a span, which the caller ends; it does not become current (see withSpan). Never throws for
 * a value.
 * @param {string} name
 * @param {object|Map|null} [attributes]
 * @param {object} [options] kind, startTime, links, root, parent
 * @returns {Span}
 */
function startSpan(name, attributes, options) {
  return startScoped(name, attributes, options, 0);
}

/**
 * Starts the span of an instrument under the current one; it is not made current. `seconds`: how
 * long ago it started; `facts()` returns the encoded result as far as it is known, for samplers.
 */
function startInstrument(active, instrument, name, seconds, facts) {
  const node = storage.getStore() || ROOT;
  const parent = node.span !== null && hasIds(node.span) ? node.span : null;
  const shown = (active & ASK) === 0 ? undefined : { bytes: facts(), lost: 0, isResult: true };
  const header = (form.LOG.INSTRUMENT | instrument) << 16;
  if (seconds === 0) {
    return parent === null
      ? startRoot(active, name, header, 0, node.baggage, shown)
      : startChild(active, name, header, 0, parent, node.baggage, shown);
  }
  const ago = BigInt(Math.floor(seconds * 1e9));
  const now = log.clock();
  const begun = ago < now ? now - ago : 1n;
  return startTimed(active, name, header, 0, parent, node.baggage, 0n, begun, shown);
}

module.exports = require('./one.js')('start', {
  ACTIVE,
  ASK,
  METRICS,
  TRACES,
  REMOTE,
  IS_ROOT,
  decided,
  decidedFlag,
  decidedGeneration,
  found,
  isIdle,
  nextLocal,
  newRoot,
  rootDecision,
  offContext,
  offSpan,
  renewIfNew: () => control[HEAD] !== head && renewHead(),
  startDecided,
  startInstrument,
  startScoped,
  startSpan,
  writeReply,
});
