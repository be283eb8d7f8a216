'use strict';
// The Span. After its end, if it is not recorded, and after the end of telemetry, its methods do
// nothing. No method throws for a value; dropped values are counted.

const { isDate, isMap } = require('util/types');

const log = require('./oplog.js');
const { writeRecord, writeValue, eachEntry } = require('./values.js');
const { hexWord, wordsOf } = require('./ids.js');
const { timeOf } = require('./time.js');
const exception = require('./exception.js');
const shared = require('./shared_context.js');

const { generations, NO_SLOT, OP } = log;
const SAMPLED = 1;
const RANDOM = 2;
// generation of a local context whose span is unknown
const NEAR = -3;
const NOT_RECORDED = -2; // generation of a span outside of the canary, not written
const LINK_IS_REMOTE = 0x300; // OTLP: is_remote is known, and true
const LINK_IS_LOCAL = 0x100;
const STATUS_WORDS = { unset: 0, ok: 1, error: 2 };
const NAME_MAX = 16384;
const hasOwn = Object.prototype.hasOwnProperty; // in a for-in loop the engine knows the result

class Span {
  constructor(t0, t1, t2, t3, s0, s1, flags, local, state, baggage) {
    this.t0 = t0; // trace id
    this.t1 = t1;
    this.t2 = t2;
    this.t3 = t3;
    this.s0 = s0; // span id
    this.s1 = s1;
    this.flags = flags;
    this.local = local; // number of the local trace; 0: remote, or none
    this.state = state; // the tracestate to propagate
    this.baggage = baggage;
    this.span = this; // a span is a context
    this.slot = NO_SLOT;
    this.generation = -1;
    this.startLow = 0; // monotonic nanoseconds
    this.startHigh = 0;
  }

  /** The trace id: 32 hexadecimal digits; zeros without a trace. */
  get traceId() {
    return hexWord(this.t0) + hexWord(this.t1) + hexWord(this.t2) + hexWord(this.t3);
  }

  /** The span id: 16 hexadecimal digits. */
  get spanId() {
    return hexWord(this.s0) + hexWord(this.s1);
  }

  get traceFlags() {
    return this.flags;
  }

  /** The tracestate header to propagate; may be empty. */
  get traceState() {
    return this.state;
  }

  isRecording() {
    return generations[this.slot] === this.generation;
  }

  spanContext() {
    return contextOf(this);
  }

  setAttribute(key, value) {
    if (generations[this.slot] !== this.generation) return this;
    if (typeof key !== 'string') log.drop(this.slot, 1);
    else if (!log.attribute(this.slot, key, value)) setOther(this, key, value);
    return this;
  }

  setAttributes(attributes) {
    if (
      generations[this.slot] !== this.generation ||
      attributes === undefined ||
      attributes === null
    )
      return this;
    setAll(this, attributes);
    return this;
  }

  addEvent(name, attributes, time) {
    if (generations[this.slot] !== this.generation) return this;
    if (time === undefined && isTime(attributes)) {
      time = attributes;
      attributes = undefined;
    }
    const head = momentOf(timeOf(time));
    if (typeof name !== 'string') log.drop(this.slot, 1);
    if (this.isRecording())
      writeEvent(this, head, typeof name === 'string' ? name : '', attributes, NOTHING);
    return this;
  }

  addLink(link, attributes) {
    if (generations[this.slot] === this.generation) addLink(this, link, attributes);
    return this;
  }

  addLinks(links) {
    if (generations[this.slot] === this.generation) addLinks(this, links);
    return this;
  }

  recordException(error, attributes, time) {
    if (generations[this.slot] !== this.generation) return this;
    if (time === undefined && isTime(attributes)) {
      time = attributes;
      attributes = undefined;
    }
    recordException(this, error, attributes, timeOf(time), false);
    return this;
  }

  setStatus(status, message) {
    if (generations[this.slot] === this.generation) setStatus(this, status, message);
    return this;
  }

  updateName(name) {
    if (generations[this.slot] !== this.generation) return this;
    if (typeof name === 'string') log.operationText(OP.RENAME, this.slot, name.slice(0, NAME_MAX));
    return this;
  }

  end(time) {
    if (generations[this.slot] !== this.generation) return;
    if (time === undefined) {
      log.end(this);
      return;
    }
    const [unix, monotonic] = momentOf(timeOf(time));
    if (!this.isRecording()) return; // reading the time can run user code
    log.endAt(this, unix, monotonic);
  }
}

const NOTHING = [];

/** Returns [Unix nanoseconds or 0n, monotonic nanoseconds] of a result of timeOf(). */
function momentOf(time) {
  return time >= 0n ? [time, log.clock()] : [0n, -time];
}

/** The span while telemetry is off: no ids, nothing recorded. Shared. */
const INVALID = new Span(0, 0, 0, 0, 0, 0, 0, 0, '', null);

function hasIds(span) {
  return (span.t0 | span.t1 | span.t2 | span.t3) !== 0 && (span.s0 | span.s1) !== 0;
}

/** Whether the argument for attributes is a time. */
function isTime(value) {
  if (typeof value === 'number' || typeof value === 'bigint') return true;
  try {
    return isDate(value) || Array.isArray(value);
  } catch {
    return false; // a revoked proxy
  }
}

function contextOf(span) {
  const context = { traceId: span.traceId, spanId: span.spanId, traceFlags: span.flags };
  if (span.state !== '') context.traceState = span.state;
  if (isRemote(span)) context.isRemote = true;
  else if (span.local !== 0) shared.note(span);
  return context;
}

/** Whether a span is the context of another process. */
function isRemote(span) {
  return span.local === 0 && span.generation !== NEAR && hasIds(span);
}

/**
 * Sets an attribute that log.attribute() does not handle: other types, and keys without a symbol.
 */
function setOther(span, key, value) {
  if (value !== undefined && value !== null) writeValue(span, key, value);
}

function setOne(span, key, value) {
  span.setAttribute(key, value);
}

/**
 * Sets attributes. Most are plain objects, which for-in reads without allocating a list of keys.
 */
function setAll(span, attributes) {
  let failed = 0;
  try {
    const prototype = Object.getPrototypeOf(attributes);
    if (prototype !== Object.prototype && prototype !== null) {
      failed = eachEntry(attributes, setOne, span);
    } else {
      for (const key in attributes) {
        try {
          if (hasOwn.call(attributes, key)) span.setAttribute(key, attributes[key]);
        } catch {
          failed++;
        }
      }
    }
  } catch {
    failed++;
  }
  if (failed > 0 && span.isRecording()) log.drop(span.slot, failed);
}

function writeEvent(span, head, name, attributes, own) {
  writeRecord(span, OP.EVENT, 0, head, [name], attributes, own);
}

// ---- links -------------------------------------------------------------------------------------

/**
 * Returns a span, not recorded, for a context: a Span or Context of this package, or an object with
 * traceId and spanId or with spanContext(). Null if it is invalid. Passes on what the object
 * throws.
 */
function spanOf(object) {
  if (object instanceof Span) return hasIds(object) ? object : null;
  if (object === null || typeof object !== 'object') return null;
  if (object.span instanceof Span) return hasIds(object.span) ? object.span : null;
  const context = typeof object.spanContext === 'function' ? object.spanContext() : object;
  if (context === null || typeof context !== 'object') return null;
  const trace = wordsOf(context.traceId, 4);
  const id = wordsOf(context.spanId, 2);
  if (trace === null || id === null) return null;
  const flags = Number(context.traceFlags) & 0xff;
  const state = stateOf(context.traceState);
  const span = new Span(
    trace[0],
    trace[1],
    trace[2],
    trace[3],
    id[0],
    id[1],
    flags,
    0,
    state,
    null,
  );
  if (context.isRemote !== true) settleNear(span, shared.find(trace, id));
  return span;
}

/** Returns a local context: of the span at this place of shared_context, or an unknown one (-1). */
function settleNear(span, at) {
  span.generation = NEAR;
  if (at < 0) return;
  span.local = shared.localAt(at);
  span.generation = shared.generationAt(at) === NOT_RECORDED ? NOT_RECORDED : -1;
}

/** Returns a tracestate as text, also of an object with serialize(). */
function stateOf(state) {
  if (typeof state === 'string') return state;
  const text = state && typeof state.serialize === 'function' ? state.serialize() : '';
  return typeof text === 'string' ? text : '';
}

/** Whether a set of attributes is not empty. */
function isFilled(attributes) {
  if (attributes === null || typeof attributes !== 'object') return false;
  return isMap(attributes) ? attributes.size > 0 : Object.keys(attributes).length > 0;
}

/** Returns a link with zero ids if it has attributes or a tracestate; null otherwise. */
function emptyTarget(object, attributes) {
  if (object === null || typeof object !== 'object') return null;
  const context = typeof object.spanContext === 'function' ? object.spanContext() : object;
  if (context === null || typeof context !== 'object') return null;
  if (!/^0{32}$/.test(context.traceId) || !/^0{16}$/.test(context.spanId)) return null;
  const state = stateOf(context.traceState);
  return state !== '' || isFilled(attributes)
    ? new Span(0, 0, 0, 0, 0, 0, 0, 0, state, null)
    : null;
}

const NO_LINK = [0n, 0n, 0n, 0n];

/** Adds links: contexts, or { context, attributes }. */
function addLink(span, link, attributes) {
  let target = null;
  try {
    let context = link;
    target = spanOf(link);
    if (
      target === null &&
      link !== null &&
      typeof link === 'object' &&
      link.context !== undefined
    ) {
      ({ context } = link);
      target = spanOf(context);
      if (attributes === undefined || attributes === null) ({ attributes } = link);
    }
    if (target === null) target = emptyTarget(context, attributes);
  } catch {
    target = null;
  }
  if (!span.isRecording()) return;
  if (target === null) {
    // the core counts it as a dropped link
    writeRecord(span, OP.LINK, 0, NO_LINK, [''], undefined, NOTHING);
    return;
  }
  const remote = isRemote(target) ? LINK_IS_REMOTE : LINK_IS_LOCAL;
  const head = [
    pair(target.t0, target.t1),
    pair(target.t2, target.t3),
    pair(target.s0, target.s1),
    BigInt(target.flags | remote),
  ];
  writeRecord(span, OP.LINK, 0, head, [target.state], attributes, NOTHING);
}

/** Returns two words as the 64-bit number with the same bytes in memory. */
function pair(first, second) {
  return BigInt.asIntN(64, (BigInt(second >>> 0) << 32n) | BigInt(first >>> 0));
}

const LINKS_MAX = 10000;

function addLinks(span, links) {
  try {
    if (!Array.isArray(links)) throw new TypeError('not a list');
    const count = Math.min(links.length, LINKS_MAX);
    for (let i = 0; i < count; i++) addLink(span, links[i], undefined);
  } catch {
    if (span.isRecording()) log.drop(span.slot, 1);
  }
}

// ---- exceptions and status ---------------------------------------------------------------------

function recordException(span, error, attributes, time, escaped) {
  if (error === undefined || error === null) {
    log.drop(span.slot, 1);
    return;
  }
  const [unix, now] = momentOf(time);
  const texts = [exception.typeOf(error), exception.messageOf(error), exception.stackOf(error)];
  if (!span.isRecording()) return; // reading the error can run user code
  if (unix === 0n) {
    writeRecord(span, OP.EXCEPTION, escaped ? 1 << 16 : 0, [now], texts, attributes, NOTHING);
    return;
  }
  const own = [];
  for (const [i, name] of [
    'exception.type',
    'exception.message',
    'exception.stacktrace',
  ].entries()) {
    if (texts[i] !== '') own.push(name, texts[i]); // as in the core
  }
  writeEvent(span, [unix, now], 'exception', attributes, own);
}

function statusCode(status) {
  if (typeof status === 'number') return status === 0 || status === 1 || status === 2 ? status : -1;
  const code =
    typeof status === 'string' && status.length < 6
      ? STATUS_WORDS[status.toLowerCase()]
      : undefined;
  return code === undefined ? -1 : code;
}

/** Reads a status: a code and a message, or { code, message }. */
function setStatus(span, status, message) {
  let code = -1;
  try {
    if (status !== null && typeof status === 'object') {
      code = statusCode(status.code);
      if (message === undefined) message = status.message;
    } else {
      code = statusCode(status);
    }
  } catch {
    code = -1;
  }
  if (!span.isRecording()) return;
  if (code < 0) log.drop(span.slot, 1);
  else
    log.operationText(
      OP.STATUS,
      span.slot | (code << 16),
      typeof message === 'string' ? log.limited(message) : '',
    );
}

/**
 * Records an error that the function of a span threw, and sets the status; ignores a cancellation.
 */
function fail(span, error) {
  if (!span.isRecording() || exception.isCancellation(error)) return;
  if (error === undefined || error === null) {
    setStatus(span, 2, String(error));
    return;
  }
  recordException(span, error, undefined, 0n, true);
  const type = exception.typeOf(error);
  const message = exception.messageOf(error);
  if (span.isRecording()) setStatus(span, 2, message === '' ? type : `${type}: ${message}`);
}

module.exports = require('./one.js')('span', {
  INVALID,
  NOT_RECORDED,
  RANDOM,
  SAMPLED,
  Span,
  addLinks,
  fail,
  hasIds,
  isRemote,
  spanOf,
  stateOf,
});
