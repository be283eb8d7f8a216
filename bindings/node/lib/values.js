'use strict';
// Encodes JavaScript values in the value format of the log. The output is a stack: getters and
// proxies are user code that may record during an encoding. Never throws; values without a
// counterpart in OTLP are rejected.

const types = require('util/types');
const { VALUE } = require('./oplog_form.js');
const log = require('./oplog.js');
const { tellLoss, textOf } = require('./value_text.js');

const { EMPTY, BOOL, INT, DOUBLE, STRING, BYTES, ARRAY, MAP } = VALUE;

const DEPTH_MAX = 30; // as in the core
const NODES_MAX = 20000; // values per attribute; bounds a list that contains itself
const ENTRIES_MAX = 10000; // per set of attributes
const FIRST_BYTES = 16384;
const LEAST_BYTES = 64; // a text that would be cut below this is left out
const KEPT_BYTES = 1 << 20; // larger memory is freed
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

const OK = 1;
const NONE = 0;
const REFUSED = -1;

let memory = Buffer.allocUnsafeSlow(FIRST_BYTES);
let top = 0;
let nodes = 0;

class Refusal extends Error {}
const refusal = new Refusal('too large for the log');
refusal.stack = '';

/** Reserves `count` more bytes, or throws the error that encode() catches. */
function grow(count) {
  if (top + count > log.mostUnits << 3) throw refusal;
  let size = memory.length;
  while (size < top + count) size *= 2;
  const larger = Buffer.allocUnsafeSlow(size);
  memory.copy(larger, 0, 0, top);
  memory = larger;
}

function need(count) {
  if (top + count > memory.length) grow(count);
}

function putByte(value) {
  need(1);
  memory[top++] = value;
}

function putWord(value) {
  need(4);
  memory.writeInt32LE(value | 0, top);
  top += 4;
}

function putLong(value) {
  need(8);
  memory.writeBigInt64LE(value, top);
  top += 8;
}

function putSized(text) {
  if (text.length > log.mostUnits << 3) throw refusal;
  need(4 + text.length * 3);
  const count = memory.utf8Write(text, top + 4);
  memory.writeInt32LE(count, top);
  top += 4 + count;
}

/** Encodes a text; one that does not fit is cut to half of the space, as in the core. */
function putCut(text) {
  const left = (log.mostUnits << 3) - top - 4;
  let most = text.length > left ? left + 1 : Buffer.byteLength(text);
  if (most > left) most = left >> 1;
  if (most < LEAST_BYTES && most < text.length) throw refusal;
  need(4 + most);
  const count = memory.utf8Write(text, top + 4, most);
  memory.writeInt32LE(count, top);
  top += 4 + count;
}

function putString(text) {
  putByte(STRING);
  const limited = log.limited(text);
  if (limited.length * 3 + 4 + top > log.mostUnits << 3) putCut(limited);
  else putSized(limited);
}

function putBytes(array) {
  putByte(BYTES);
  need(4 + array.byteLength);
  memory.writeInt32LE(array.byteLength, top);
  memory.set(array, top + 4);
  top += 4 + array.byteLength;
}

/**
 * Encodes integers beyond 64 bits as decimal text, because OTLP has no wider integer; beyond the
 * range of a double they are rejected.
 */
function putBigInt(value) {
  if (value >= INT64_MIN && value <= INT64_MAX) {
    putByte(INT);
    putLong(value);
    return OK;
  }
  if (!Number.isFinite(Number(value))) return REFUSED;
  putString(String(value));
  return OK;
}

function putNumber(value) {
  if (Number.isSafeInteger(value)) {
    putByte(INT);
    putLong(BigInt(value));
  } else {
    putDouble(value);
  }
}

/** Counts one value. */
function node() {
  if (++nodes > NODES_MAX) throw refusal;
}

function putValue(value, depth) {
  node();
  switch (typeof value) {
    case 'string':
      putString(value);
      return OK;
    case 'number':
      putNumber(value);
      return OK;
    case 'boolean':
      putByte(BOOL);
      putByte(value ? 1 : 0);
      return OK;
    case 'bigint':
      return putBigInt(value);
    case 'object':
      if (value !== null) return putObject(value, depth);
      break;
    case 'undefined':
      break;
    default:
      return REFUSED;
  }
  putByte(EMPTY);
  return NONE;
}

/** A number that is encoded as a double even if it is whole. */
class Double {
  constructor(value) {
    this.value = value;
  }
}

function putDouble(value) {
  putByte(DOUBLE);
  need(8);
  top = memory.writeDoubleLE(value, top);
}

function putObject(value, depth) {
  if (value instanceof Double) {
    putDouble(value.value);
    return OK;
  }
  if (Array.isArray(value)) return putNested(value, depth, putArray);
  if (types.isMap(value)) return putNested(value, depth, putMap);
  if (ArrayBuffer.isView(value)) return putView(value, depth);
  if (types.isAnyArrayBuffer(value)) {
    putBytes(new Uint8Array(value));
    return OK;
  }
  if (types.isDate(value)) return putDate(value);
  if (types.isBoxedPrimitive(value)) return putBoxed(value, depth);
  if (types.isSet(value)) return putNested(value, depth, putSet);
  const prototype = Object.getPrototypeOf(value);
  if (prototype === null || Object.getPrototypeOf(prototype) === null)
    return putNested(value, depth, putPlain);
  const text = textOf(value, prototype);
  if (text === null) return REFUSED;
  putString(text);
  return OK;
}

function putNested(value, depth, put) {
  if (depth < DEPTH_MAX) return put(value, depth + 1);
  putByte(EMPTY);
  return NONE;
}

function putArray(array, depth) {
  const count = array.length;
  if (!(count <= NODES_MAX)) return REFUSED;
  putByte(ARRAY);
  putWord(count);
  for (let i = 0; i < count; i++) {
    if (putValue(array[i], depth) === REFUSED) return REFUSED;
  }
  return OK;
}

function putSet(set, depth) {
  return set.size <= NODES_MAX ? putArray([...Set.prototype.values.call(set)], depth) : REFUSED;
}

/** Encodes bytes, of any realm, as bytes; other typed arrays as lists of numbers. */
function putView(view, depth) {
  if (types.isUint8Array(view) || types.isUint8ClampedArray(view)) {
    putBytes(view);
    return OK;
  }
  if (types.isDataView(view)) {
    putBytes(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
    return OK;
  }
  return putNested(view, depth, putArray);
}

function putMap(map, depth) {
  if (map.size > NODES_MAX) return REFUSED;
  putByte(MAP);
  const head = top;
  putWord(0);
  let count = 0;
  for (const [key, value] of Map.prototype.entries.call(map)) {
    if (typeof key !== 'string') return REFUSED;
    putSized(key);
    if (putValue(value, depth) === REFUSED) return REFUSED;
    count++;
  }
  memory.writeInt32LE(count, head);
  return OK;
}

function putPlain(object, depth) {
  const keys = Object.keys(object);
  if (keys.length > NODES_MAX) return REFUSED;
  putByte(MAP);
  putWord(keys.length);
  for (let i = 0; i < keys.length; i++) {
    putSized(keys[i]);
    if (putValue(object[keys[i]], depth) === REFUSED) return REFUSED;
  }
  return OK;
}

function putDate(date) {
  if (Number.isNaN(Date.prototype.getTime.call(date))) return REFUSED;
  putString(Date.prototype.toISOString.call(date));
  return OK;
}

/** Unwraps new String('x') and similar objects with methods of the engine, not of the object. */
function putBoxed(value, depth) {
  for (const type of [String, Number, Boolean, BigInt]) {
    try {
      return putValue(type.prototype.valueOf.call(value), depth);
    } catch (error) {
      if (error === refusal) throw error;
    }
  }
  return REFUSED;
}

/** Encodes at the top of the stack. On failure returns REFUSED and restores the stack. */
function putSafely(value) {
  const before = top;
  try {
    const result = putValue(value, 0);
    if (result !== OK) top = before;
    return result;
  } catch {
    top = before;
    return REFUSED;
  }
}

/** Frees the memory of a large value at the end of the outermost encoding. */
function shrink() {
  if (top === 0 && memory.length > KEPT_BYTES) memory = Buffer.allocUnsafeSlow(FIRST_BYTES);
}

/** A nested encoding counts its values separately. */
function begin() {
  const before = nodes;
  nodes = 0;
  return before;
}

/** Reading values can run user code, which may have ended the span. */
function dropOn(span, count) {
  if (count > 0 && span.isRecording()) log.drop(span.slot, count);
}

// ---- what the span writes ----------------------------------------------------------------------

/**
 * Sets an attribute with a value other than text, number or boolean, or with a key without a
 * symbol.
 */
function writeValue(span, key, value) {
  const symbol = log.symbolOf(key, log.SYMBOLS);
  const first = top;
  const outer = begin();
  try {
    if (symbol < 0) {
      putByte(MAP);
      putWord(1);
      putSized(key);
    }
    const result = putSafely(value);
    const kind = symbol < 0 ? log.OP.KEYED : log.OP.VALUE;
    if (result === REFUSED) {
      dropOn(span, 1);
      tellLoss(key, value);
    } else if (result === OK && span.isRecording()) {
      log.operation(
        kind,
        symbol < 0 ? span.slot : span.slot | (symbol << 16),
        memory.subarray(first, top),
        1,
      );
    }
  } catch {
    dropOn(span, 1);
  } finally {
    nodes = outer; // plain stores also work without stack space
    top = first;
  }
  shrink();
}

/** Encodes one map entry at the top of the stack; counts a rejected one. */
function putEntry(counter, key, value) {
  if (value === undefined || value === null) return;
  const before = top;
  nodes = 0;
  try {
    if (typeof key !== 'string') throw refusal;
    putSized(key);
    const result = putSafely(value);
    if (result === OK) {
      counter.count++;
      return;
    }
    if (result === REFUSED) {
      counter.lost++;
      tellLoss(key, value);
    }
  } catch {
    counter.lost++;
  }
  top = before;
}

/**
 * Calls visit(target, key, value) for each entry of a map or object; returns the number of
 * unreadable entries.
 */
function eachEntry(attributes, visit, target) {
  let failed = 0;
  try {
    if (
      typeof attributes !== 'object' ||
      Array.isArray(attributes) ||
      ArrayBuffer.isView(attributes)
    )
      return 1;
    if (types.isBoxedPrimitive(attributes)) return 1;
    if (types.isMap(attributes)) {
      for (const [key, value] of Map.prototype.entries.call(attributes)) visit(target, key, value);
      return 0;
    }
    const keys = Object.keys(attributes);
    const count = Math.min(keys.length, ENTRIES_MAX);
    failed = keys.length - count;
    for (let i = 0; i < count; i++) {
      let value;
      try {
        value = attributes[keys[i]];
      } catch {
        failed++;
        continue;
      }
      visit(target, keys[i], value);
    }
  } catch {
    failed++;
  }
  return failed;
}

/**
 * Encodes a map of the pairs in `own` and the entries of `attributes`; returns the number of lost
 * ones.
 */
function putAttributes(attributes, own) {
  const counter = { count: 0, lost: 0 };
  putByte(MAP);
  const head = top;
  putWord(0);
  for (let i = 0; i < own.length; i += 2) putEntry(counter, own[i], own[i + 1]);
  const unread =
    attributes === undefined || attributes === null ? 0 : eachEntry(attributes, putEntry, counter);
  memory.writeInt32LE(counter.count, head);
  return counter.lost + unread;
}

/**
 * Writes an operation of 64-bit numbers, texts and attributes; `own` are pairs before those of the
 * caller. Lost attributes are counted on the span.
 */
function writeRecord(span, kind, word, head, texts, attributes, own) {
  const first = top;
  const outer = begin();
  let lost = 0;
  try {
    for (let i = 0; i < head.length; i++) putLong(head[i]);
    for (let i = 0; i < texts.length; i++) putString(texts[i]);
    lost = putAttributes(attributes, own);
    if (span.isRecording()) log.operation(kind, span.slot | word, memory.subarray(first, top), 1);
  } catch {
    lost++;
  } finally {
    nodes = outer; // plain stores also work without stack space
    top = first;
  }
  shrink();
  dropOn(span, lost);
}

/**
 * Encodes sets of attributes (undefined and null are empty) as the payload of a KEYED operation in
 * new memory, for a sampler that runs before the start of the span: { bytes, lost }.
 */
function encodeAttributes(first, second) {
  const begun = top;
  const outer = begin();
  const counter = { count: 0, lost: 0 };
  let bytes = null;
  try {
    putByte(MAP);
    const head = top;
    putWord(0);
    for (const set of [first, second]) {
      if (set !== undefined && set !== null) counter.lost += eachEntry(set, putEntry, counter);
    }
    memory.writeInt32LE(counter.count, head);
    bytes = Uint8Array.prototype.slice.call(memory, begun, top);
  } catch {
    counter.lost++;
  } finally {
    nodes = outer;
    top = begun;
  }
  shrink();
  return { bytes, lost: counter.lost };
}

module.exports = require('./one.js')('values', {
  Double,
  encodeAttributes,
  eachEntry,
  writeRecord,
  writeValue,
});
