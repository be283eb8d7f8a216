'use strict';
// The writer of the operation log (core/include/djp/oplog.h). Spans, attributes and requests are
// stored in memory that the core owns and reads on its worker thread. Every function converts
// values and reserves space before its first store, so an error or user code in between leaves the
// log unchanged. No function waits, throws for a value, or runs user code.

const { native } = require('./loader.js');
const one = require('./one.js');
const openMemory = require('./oplog_memory.js');
const form = require('./oplog_form.js');
const oldestSlots = require('./oplog_slots.js');
const hotStrings = require('./oplog_texts.js');
const { random, randomWords } = require('./ids.js');

const { cut, internal, isHot, placeOf } = hotStrings;
const { OP, WORD, LOG } = form;
const { CONTROL_BYTES, SLOTS, SYMBOLS } = LOG;
const NO_SLOT = form.NO.SLOT;
const NAMES = 4096; // limit of names and other texts, which leaves symbols for keys
const VALUES = 1024; // limit of texts of values, within NAMES
const SYMBOL_LENGTH = 256;
const SCOPE_LENGTH = 4096; // an instrumentation scope with version, schema URL and attributes
const SHORT_TEXT = 48; // up to this length a loop is faster than a call
const SLACK = 8; // reserved for padding at the end of the ring before span ends
const START_UNITS = 8;
const DECISION_UNITS = 2; // in addition, for a local root
const END_UNITS = 3;
const HTTP_END_UNITS = 6;
// upper limit for a plain start and its end
const START_MOST = START_UNITS + DECISION_UNITS + HTTP_END_UNITS;
const DRAIN_UNITS = 1024; // limits how long JavaScript is blocked
const NAME_LENGTH = 16384;
const STATE_LENGTH = 4096; // the core rejects longer ones

const { PUBLISHED, LOST_SPANS, LOST_ATTRIBUTES, LOST_REQUESTS, CONSUMED, ASLEEP, ACTIVE } = WORD;
const { DEFINE, START, TEXT, NUMBER, TRUE, FALSE, DROP, END, HTTP_END, SYMBOL } = OP;
const IS_ROOT = form.START.ROOT << 24; // in a header: the span is a local root
const STATE_FOLLOWS = form.START.STATE;
const NAME_FOLLOWS = form.START.NAME;
const TIME_FOLLOWS = form.START.TIME;
const BAGGAGE_FOLLOWS = form.START.BAGGAGE;
const ROUTE_FOLLOWS = form.HTTP.ROUTE;

const memory = openMemory();
const control = new Int32Array(memory, 0, CONTROL_BYTES >> 2);
const words = new Int32Array(memory, CONTROL_BYTES);
const reals = new Float64Array(memory, CONTROL_BYTES);
const longs = new BigInt64Array(memory, CONTROL_BYTES);
const bytes = new Uint8Array(memory, CONTROL_BYTES);
const buffer = Buffer.from(memory, CONTROL_BYTES);
const size = words.length >> 1; // units in the ring
const quarter = size >> 2;
const mostUnits = size >> 3; // per operation
const longestName = Math.min(NAME_LENGTH, mostUnits); // fits into an empty ring
const clock = process.hrtime.bigint; // CLOCK_MONOTONIC, as in the core

// ---- room --------------------------------------------------------------------------------------

let at = 0; // index of the next operation, in units
let base = control[PUBLISHED] - (control[PUBLISHED] & (size - 1)); // position of index 0
at = control[PUBLISHED] & (size - 1);
let limit = at; // below this index no check is needed; at first every write checks
let reserved = SLACK; // units reserved for the ends of open spans
let marked = control[PUBLISHED]; // position at the last wake-up for a full quarter

function wake() {
  Atomics.store(control, ASLEEP, 0);
  native.logWake();
}

// On x86 an atomic store is a full barrier, so a plain load after it is sufficient and saves 15 ns.
const ORDERED = process.arch === 'x64' || process.arch === 'ia32';

/** Publishes the written operations. */
function publish() {
  Atomics.store(control, PUBLISHED, (base + at) | 0);
  if ((ORDERED ? control[ASLEEP] : Atomics.load(control, ASLEEP)) !== 0) wake();
}

function freeUnits() {
  return size - ((base + at - Atomics.load(control, CONSUMED)) | 0);
}

/** Pads the rest of the ring and continues at its start. */
function turn() {
  const rest = size - at;
  if (rest > 0) {
    words[at << 1] = OP.PAD | ((rest - 1) << 11);
    words[(at << 1) + 1] = 0;
  }
  base = (base + size) | 0;
  at = 0;
}

/**
 * Moves to an index with `units` contiguous units, of which `free` are available, and sets the next
 * limit.
 */
function place(units, free) {
  if (((base + at - marked) | 0) >= quarter) {
    marked = (base + at) | 0;
    Atomics.store(control, PUBLISHED, marked);
    if (native !== null) wake();
  }
  if (at + units > size) {
    free -= size - at;
    turn();
  }
  const mark = (marked + quarter - base) | 0;
  const end = at + free < size ? at + free : size;
  limit = mark < end && mark > at ? mark : end;
}

/** Whether `units` fit in addition to the reserved units. */
function room(units) {
  const wanted = units + reserved;
  let free = freeUnits();
  if ((at + units > size ? size - at : 0) + wanted > free) {
    publish();
    if (native === null || !native.logDrain(DRAIN_UNITS)) return false;
    free = freeUnits();
    if ((at + units > size ? size - at : 0) + wanted > free) return false;
  }
  place(units, free);
  return true;
}

/** Moves to an index for an end, whose units are reserved. */
function endRoom(units) {
  place(units, freeUnits());
}

function loseAttributes(count) {
  control[LOST_ATTRIBUTES] += count;
  return false;
}

// ---- symbols -----------------------------------------------------------------------------------

const symbols = new Map();
// Symbols are numbered in the table of the core: a number is never reused.
let lastSymbol = 0;
const cacheTexts = new Array(256).fill('');
const cacheSymbols = new Int32Array(256);

/** Returns the symbol of a text; 0 for the empty text, -1 if the text must be written in full. */
function symbolOf(text, most) {
  const n = text.length;
  if (n === 0) return 0;
  const i = (n * 37 + text.charCodeAt(n >> 1)) & 255;
  return cacheTexts[i] === text ? cacheSymbols[i] : symbolFind(text, i, most);
}

function symbolFind(text, i, most) {
  // An object with toString() could give another text each time.
  if (typeof text !== 'string' || text.length > SYMBOL_LENGTH) return -1;
  const symbol = symbols.get(text);
  if (symbol === undefined) return define(text, most);
  cacheTexts[i] = internal(text);
  cacheSymbols[i] = symbol;
  return symbol;
}

/** Assigns the next symbol to a new text; -1 if none is left below `most`, or no space. */
function define(text, most) {
  if (lastSymbol + 1 >= most) return -1;
  const units = 1 + ((text.length * 3 + 7) >> 3);
  if (at + units + reserved > limit && !room(units)) return -1;
  const kept = internal(text);
  const count = buffer.utf8Write(kept, (at + 1) << 3);
  const symbol = ++lastSymbol;
  symbols.set(kept, symbol);
  words[at << 1] = DEFINE | (count << 8);
  words[(at << 1) + 1] = symbol;
  at += 1 + ((count + 7) >> 3);
  return symbol;
}

/**
 * Returns the symbol of an instrumentation scope, which may be longer than a name and may use all
 * symbols; -1 if none is left.
 */
function scopeSymbol(text) {
  const symbol = symbols.get(text);
  if (symbol !== undefined) return symbol;
  return text.length > SCOPE_LENGTH ? -1 : define(text, SYMBOLS);
}

// ---- slots -------------------------------------------------------------------------------------

// per slot: the number of the start that uses it; 0: free
const generations = new Int32Array(SLOTS);
const kept = new Uint8Array(SLOTS); // units reserved for the end
const free = new Int16Array(SLOTS);
let freeCount = 0;
let fresh = 0; // the first slot that was never used
let starts = 0;

/** Frees the slots of the oldest spans. The core notices it at the next start. */
function reclaim() {
  for (const slot of oldestSlots(generations.subarray(0, NO_SLOT), starts)) releaseSlot(slot);
}

function releaseSlot(slot) {
  reserved -= kept[slot];
  generations[slot] = 0;
  free[freeCount++] = slot;
}

// ---- spans -------------------------------------------------------------------------------------

/** Counts a start without space: the span keeps its ids and is not recorded. */
function loseSpan() {
  control[LOST_SPANS]++;
  return false;
}

/**
 * Writes a start and assigns a slot to the span. `header` is kind << 16
 *  flags << 24; `parent` the span with the parent's id, or null; `scope` a symbol; `decision` the
 * five words of the head decision of a local root. Returns whether it was written.
 */
function start(span, name, header, parent, scope, decision) {
  const symbol = symbolOf(name, NAMES);
  if (symbol < 0 || (span.baggage !== null && (control[ACTIVE] & LOG.BAGGAGE) !== 0))
    return startFull(span, name, header, parent, scope, '', 0n, 0n, decision);
  if (at + START_MOST + reserved > limit && !room(START_MOST)) return loseSpan();
  if (freeCount === 0 && fresh === NO_SLOT) reclaim();
  longs[at + 1] = clock();
  startWords(span, header, parent, symbol, scope, 0, decision);
  return true;
}

/** Stores a start except its time; `more` bytes of payload follow. */
function startWords(span, header, parent, symbol, scope, more, decision) {
  const slot = freeCount > 0 ? free[--freeCount] : fresh++;
  const units = (header >>> 28) & 1 ? HTTP_END_UNITS : END_UNITS;
  if ((starts = (starts + 1) | 0) <= 0) starts = 1;
  generations[slot] = starts;
  kept[slot] = units;
  reserved += units;
  span.slot = slot;
  span.generation = starts;
  const w = at << 1;
  span.startLow = words[w + 2];
  span.startHigh = words[w + 3];
  words[w + 1] = slot | header;
  words[w + 4] = span.t0;
  words[w + 5] = span.t1;
  words[w + 6] = span.t2;
  words[w + 7] = span.t3;
  words[w + 8] = span.s0;
  words[w + 9] = span.s1;
  if (parent !== null) {
    words[w + 10] = parent.s0;
    words[w + 11] = parent.s1;
    words[w + 15] = parent.flags;
  } else {
    words[w + 10] = 0;
    words[w + 11] = 0;
    words[w + 15] = 0;
  }
  words[w + 12] = symbol;
  words[w + 13] = scope;
  words[w + 14] = span.local;
  at += START_UNITS + (more >> 3);
  if ((header & IS_ROOT) !== 0) {
    more += DECISION_UNITS << 3;
    at += DECISION_UNITS;
    words[w + 15] |= decision[0];
    words[w + 16] = decision[1];
    words[w + 17] = decision[2];
    words[w + 18] = decision[3];
    words[w + 19] = decision[4];
  } else {
    words[w + 15] |= (parent.slot + 1) << 16;
  }
  words[w] = START | ((56 + more) << 8);
}

/** Writes the words {bytes, 0} and the text at byte `first`; returns the padded size. */
function sized(text, first) {
  const count = buffer.utf8Write(text, first + 8);
  words[first >> 2] = count;
  words[(first >> 2) + 1] = 0;
  return 8 + ((count + 7) & ~7);
}

/** Returns the baggage that a start carries: '' unless the core needs it. */
function baggageOf(span) {
  if (span.baggage === null || (control[ACTIVE] & LOG.BAGGAGE) === 0) return '';
  return span.baggage.slice(0, longestName);
}

/**
 * Writes a start with optional parts: the tracestate of the parent, a full name, a start time in
 * Unix or monotonic nanoseconds (0n: now), the baggage.
 */
function startFull(span, name, header, parent, scope, state, unixTime, monotonic, decision) {
  let symbol = symbolOf(name, NAMES);
  if (symbol < 0 && name.length > longestName) name = cut(name, longestName);
  if (state.length > STATE_LENGTH) state = '';
  const long = symbol < 0 ? name.length : 0;
  const baggage = baggageOf(span);
  const units = START_MOST + 5 + (((state.length + long + baggage.length) * 3 + 21) >> 3);
  if (!room(units)) return loseSpan();
  if (freeCount === 0 && fresh === NO_SLOT) reclaim();
  longs[at + 1] = monotonic === 0n ? clock() : monotonic;
  const first = (at + START_UNITS + ((header & IS_ROOT) !== 0 ? DECISION_UNITS : 0)) << 3;
  let more = 0;
  if (state !== '') {
    header |= STATE_FOLLOWS << 24;
    more += sized(state, first);
  }
  if (symbol < 0) {
    header |= NAME_FOLLOWS << 24;
    more += sized(name, first + more);
    symbol = 0;
  }
  if (unixTime !== 0n) {
    header |= TIME_FOLLOWS << 24;
    longs[(first + more) >> 3] = unixTime;
    more += 8;
  }
  if (baggage !== '') {
    header |= BAGGAGE_FOLLOWS << 24;
    more += sized(baggage, first + more);
  }
  startWords(span, header, parent, symbol, scope, more, decision);
  return true;
}

function end(span) {
  const slot = span.slot;
  if (at + 2 > limit) endRoom(2);
  longs[at + 1] = clock();
  const w = at << 1;
  words[w] = END | (8 << 8);
  words[w + 1] = slot;
  at += 2;
  releaseSlot(slot);
  publish();
}

/** Writes an end at a given time: Unix nanoseconds, or monotonic ones if those are 0n. */
function endAt(span, unixTime, monotonic) {
  endRoom(END_UNITS);
  longs[at + 1] = monotonic;
  longs[at + 2] = unixTime;
  words[at << 1] = END | (16 << 8);
  words[(at << 1) + 1] = span.slot;
  at += END_UNITS;
  releaseSlot(span.slot);
  publish();
}

// ---- attributes --------------------------------------------------------------------------------

let textLimit = Infinity; // in characters
let shortest = SHORT_TEXT; // texts up to this length need no check of the limit

/** Sets the limit of characters of a text; below 0: no limit. */
function setTextLimit(most) {
  textLimit = most < 0 ? Infinity : most;
  shortest = Math.min(SHORT_TEXT, textLimit);
}

/**
 * Writes a text, number or boolean under a key that has a symbol: the common case, in one function
 * for the optimizing compiler. Returns false for other values, and writes nothing then.
 */
function attribute(slot, key, value) {
  const symbol = symbolOf(key, SYMBOLS);
  if (symbol < 0) return false;
  const word = slot | (symbol << 16);
  if (typeof value === 'string') return text(word, value);
  if (typeof value === 'number') {
    if (at + 2 + reserved > limit && !room(2)) return loseOne();
    const w = at << 1;
    words[w] = NUMBER | (8 << 8);
    words[w + 1] = word;
    reals[at + 1] = value;
    at += 2;
    return true;
  }
  if (typeof value !== 'boolean') return false;
  if (at + 1 + reserved > limit && !room(1)) return loseOne();
  const w = at << 1;
  words[w] = value ? TRUE : FALSE;
  words[w + 1] = word;
  at += 1;
  return true;
}

/** Counts an attribute without space. */
function loseOne() {
  control[LOST_ATTRIBUTES]++;
  return true;
}

/** Stores groups of four characters as words; returns the OR of the characters. */
function textWords(value, n, place) {
  let bits = 0;
  for (let i = 0; i + 4 <= n; i += 4) {
    const c0 = value.charCodeAt(i);
    const c1 = value.charCodeAt(i + 1);
    const c2 = value.charCodeAt(i + 2);
    const c3 = value.charCodeAt(i + 3);
    bits |= c0 | c1 | c2 | c3;
    words[place++] = c0 | (c1 << 8) | (c2 << 16) | (c3 << 24);
  }
  return bits;
}

/** Stores the characters from i on as bytes; returns `bits` ORed with them. */
function textRest(value, i, n, first, bits) {
  for (; i < n; i++) {
    const c = value.charCodeAt(i);
    bits |= c;
    bytes[first + i] = c;
  }
  return bits;
}

const { texts: valueTexts, numbers: valueSymbols } = hotStrings;
let valueCount = 0; // symbols used by values

/** Assigns a symbol to a frequent text, for its next use; nothing if none is left. */
function remember(value, i) {
  let symbol = symbols.get(value);
  if (symbol === undefined) {
    if (valueCount === VALUES) return;
    symbol = define(value, NAMES);
    if (symbol < 0) return;
    valueCount++;
  }
  hotStrings.remember(internal(value), symbol, i);
}

function textOfSymbol(word, symbol) {
  if (at + 2 + reserved > limit && !room(2)) return loseOne();
  const w = at << 1;
  words[w] = SYMBOL | (8 << 8);
  words[w + 1] = word;
  words[w + 2] = symbol;
  words[w + 3] = 0;
  at += 2;
  return true;
}

function text(word, value) {
  const n = value.length;
  if (n > shortest) return textFull(word, value);
  if (n > 0) {
    const i = placeOf(value, n);
    if (valueTexts[i] === value) return textOfSymbol(word, valueSymbols[i]);
    if (isHot(value, n, i)) remember(value, i);
  }
  const units = 1 + ((n + 7) >> 3);
  if (at + units + reserved > limit && !room(units)) return loseOne();
  const bits = (n & ~3) > 0 ? textWords(value, n, (at + 1) << 1) : 0;
  if (textRest(value, n & ~3, n, (at + 1) << 3, bits) > 127) return textFull(word, value);
  const w = at << 1;
  words[w] = TEXT | (n << 8);
  words[w + 1] = word;
  at += units;
  return true;
}

/** Cuts a text at the limit. */
function limited(value) {
  return value.length > textLimit ? cut(value, textLimit) : value;
}

function textFull(word, value) {
  operationText(TEXT, word, limited(value));
  return true;
}

/** Writes an operation whose payload is one text, cut to the limit of an operation. */
function operationText(kind, word, value) {
  let units = 1 + ((value.length * 3 + 7) >> 3); // upper limit
  if (units > mostUnits || at + units + reserved > limit) {
    units = value.length > mostUnits << 3 ? mostUnits : 1 + ((Buffer.byteLength(value) + 7) >> 3);
    if (units > mostUnits) units = mostUnits;
    if (!room(units)) return loseAttributes(1);
  }
  const count = buffer.utf8Write(value, (at + 1) << 3, (units - 1) << 3);
  words[at << 1] = kind | (count << 8);
  words[(at << 1) + 1] = word;
  at += 1 + ((count + 7) >> 3);
}

/** Writes an operation with a payload (a Uint8Array, copied). Returns true; else counts `lost`. */
function operation(kind, word, payload, lost) {
  const units = 1 + ((payload.length + 7) >> 3);
  if (units > mostUnits || (at + units + reserved > limit && !room(units)))
    return loseAttributes(lost);
  bytes.set(payload, (at + 1) << 3);
  words[at << 1] = kind | (payload.length << 8);
  words[(at << 1) + 1] = word;
  at += units;
  return true;
}

/** Counts attributes that cannot be encoded. */
function drop(slot, count) {
  if (count > 0xffff) count = 0xffff;
  if (at + 1 + reserved > limit && !room(1)) return loseAttributes(count);
  words[at << 1] = DROP;
  words[(at << 1) + 1] = slot | (count << 16);
  at += 1;
}

// ---- requests ----------------------------------------------------------------------------------

/**
 * Writes the end of a request: its span, if it has a slot, and its metrics. `status` is status
 *  flags << 16; bytes -1: unknown.
 */
function endHttp(request, open, method, route, scheme, version, status, errorType, requestBytes) {
  const methodSymbol = symbolShort(method);
  const routeSymbol = symbolOf(route, NAMES);
  const names = methodSymbol | ((routeSymbol < 0 ? 0 : routeSymbol) << 16);
  const protocol = symbolShort(scheme) | (symbolShort(version) << 16);
  const error = symbolShort(errorType);
  let more = 0;
  if (!open) {
    if (at + HTTP_END_UNITS + reserved > limit && !room(HTTP_END_UNITS)) return loseRequest();
  } else if (at + HTTP_END_UNITS > limit) {
    endRoom(HTTP_END_UNITS);
  }
  if (routeSymbol < 0) more = routeFull(route);
  longs[at + 2] = clock();
  const w = at << 1;
  words[w] = HTTP_END | ((40 + more) << 8);
  words[w + 1] = open ? request.slot : NO_SLOT;
  words[w + 2] = request.startLow;
  words[w + 3] = request.startHigh;
  reals[at + 3] = requestBytes;
  words[w + 8] = more > 0 ? status | (ROUTE_FOLLOWS << 16) : status;
  words[w + 9] = names;
  words[w + 10] = protocol;
  words[w + 11] = error;
  at += HTTP_END_UNITS + (more >> 3);
  if (open) releaseSlot(request.slot);
  publish();
}

/** Returns the symbol of a protocol word, or 0. */
function symbolShort(word) {
  const symbol = symbolOf(word, NAMES);
  return symbol < 0 ? 0 : symbol;
}

function loseRequest() {
  control[LOST_REQUESTS]++;
}

/**
 * Writes a route without a symbol after the words of an end, if there is space; returns its bytes,
 * which may be 0.
 */
function routeFull(route) {
  const units = HTTP_END_UNITS + 1 + ((route.length * 3 + 7) >> 3);
  if (units > mostUnits || !room(units)) return 0;
  return sized(route, (at + HTTP_END_UNITS) << 3);
}

module.exports = one('oplog', {
  NAMES,
  NO_SLOT,
  OP,
  SYMBOLS,
  WORD,
  attribute,
  control,
  clock,
  drop,
  end,
  endAt,
  endHttp,
  generations,
  limited,
  loseAttributes,
  mostUnits,
  operation,
  operationText,
  publish,
  random,
  randomWords,
  releaseSlot,
  scopeSymbol,
  setTextLimit,
  start,
  startFull,
  symbolOf,
});
