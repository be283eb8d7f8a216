'use strict';
// Compares three ways to write spans into native memory, each in a separate process with
// interleaved rounds. `log`: operations in one ring, strings inline. `side`: the same, with strings
// in an array that is joined and copied once per 4,096. `record`: each span writes its 512-byte
// record in place. All create ids, read the clock twice, resolve six names, write three strings, a
// number and a boolean, and publish. Nothing reads the memory; run.js measures the package.
const { fork } = require('node:child_process');
const crypto = require('node:crypto');

const now = process.hrtime.bigint;
const CAPACITY = 1 << 22;
const memory = new ArrayBuffer(CAPACITY + 65536);
const words = new Int32Array(memory);
const times = new BigInt64Array(memory);
const reals = new Float64Array(memory);
const bytes = new Uint8Array(memory);
const control = new Int32Array(new ArrayBuffer(64));
const limit = CAPACITY >> 3;
let position = 0;

const random = new Int32Array(1024);
let randomAt = 1024;
function refill() {
  crypto.randomFillSync(random);
  randomAt = 0;
}

const numbers = new Map();
const cachedNames = new Array(256).fill('');
const cachedNumbers = new Int32Array(256);
function numberOfSlow(name, place) {
  let number = numbers.get(name);
  if (number === undefined) {
    number = numbers.size + 1;
    numbers.set(name, number);
  }
  cachedNames[place] = name;
  cachedNumbers[place] = number;
  return number;
}
function numberOf(name) {
  const length = name.length;
  const place = (length * 31 + name.charCodeAt(length - 1) * 7 + name.charCodeAt(0)) & 255;
  return cachedNames[place] === name ? cachedNumbers[place] : numberOfSlow(name, place);
}

/** Stores ASCII text at a byte offset; returns the OR of all characters. */
function putText(text, at) {
  let bits = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    bits |= code;
    bytes[at + i] = code;
  }
  return bits;
}

const slots = Int32Array.from({ length: 65536 }, (_, i) => 65535 - i);
let slotsFree = slots.length;

class LogSpan {
  constructor(name) {
    if (position + 8 > limit) position = 0;
    if (randomAt + 6 > 1024) refill();
    const slot = slots[--slotsFree];
    this.slot = slot;
    this.parent = null;
    const w = position << 1;
    words[w] = 1 | (48 << 8);
    words[w + 1] = slot;
    times[position + 1] = now();
    this.trace0 = words[w + 4] = random[randomAt];
    this.trace1 = words[w + 5] = random[randomAt + 1];
    this.trace2 = words[w + 6] = random[randomAt + 2];
    this.trace3 = words[w + 7] = random[randomAt + 3];
    this.span0 = words[w + 8] = random[randomAt + 4];
    this.span1 = words[w + 9] = random[randomAt + 5];
    words[w + 10] = numberOf(name);
    words[w + 11] = 1;
    this.recording = true;
    randomAt += 6;
    position += 6;
  }

  setAttribute(key, value) {
    if (!this.recording) return this;
    if (position + 16 > limit) position = 0;
    const w = position << 1;
    words[w + 1] = this.slot | (numberOf(key) << 16);
    if (typeof value === 'string') {
      this.putString(value, w);
    } else if (typeof value === 'number') {
      words[w] = 3;
      reals[position + 1] = value;
      position += 2;
    } else {
      words[w] = value ? 4 : 5;
      position += 1;
    }
    return this;
  }

  putString(value, w) {
    words[w] = 2 | (value.length << 8);
    if (putText(value, (position + 1) << 3) > 127) return;
    position += 1 + ((value.length + 7) >> 3);
  }

  end() {
    if (!this.recording) return;
    this.recording = false;
    const w = position << 1;
    words[w] = 6;
    words[w + 1] = this.slot;
    times[position + 1] = now();
    position += 2;
    slots[slotsFree++] = this.slot;
    Atomics.store(control, 0, position);
  }
}

const side = [];
const sideBytes = Buffer.from(new ArrayBuffer(1 << 20));
class SideSpan extends LogSpan {
  putString(value, w) {
    words[w] = 2 | (value.length << 8);
    position += 1;
    side.push(value);
    if (side.length >= 4096) {
      sideBytes.latin1Write(side.join(''), 0);
      side.length = 0;
    }
  }
}

const RECORDS = 8192;
const RECORD_WORDS = 128;
const free = Int32Array.from({ length: RECORDS }, (_, i) => i);
const ready = new Int32Array(RECORDS);
let freeCount = RECORDS;
let readyCount = 0;
function recycle() {
  while (readyCount > 0) free[freeCount++] = ready[--readyCount];
}

class RecordSpan {
  constructor(name) {
    if (freeCount === 0) recycle();
    if (randomAt + 6 > 1024) refill();
    const w = free[--freeCount] * RECORD_WORDS;
    this.base = w;
    this.used = w + 16;
    this.parent = null;
    times[(w >> 1) + 1] = now();
    this.trace0 = words[w + 4] = random[randomAt];
    this.trace1 = words[w + 5] = random[randomAt + 1];
    this.trace2 = words[w + 6] = random[randomAt + 2];
    this.trace3 = words[w + 7] = random[randomAt + 3];
    this.span0 = words[w + 8] = random[randomAt + 4];
    this.span1 = words[w + 9] = random[randomAt + 5];
    words[w] = 1;
    words[w + 1] = numberOf(name);
    this.recording = true;
    randomAt += 6;
  }

  setAttribute(key, value) {
    const w = this.used;
    if (!this.recording || w + 20 > this.base + RECORD_WORDS) return this;
    words[w] = numberOf(key);
    if (typeof value === 'string') {
      words[w + 1] = 2 | (value.length << 8);
      if (value.length > 64 || putText(value, (w + 2) << 2) > 127) return this;
      this.used = w + 2 + (((value.length + 7) >> 3) << 1);
    } else if (typeof value === 'number') {
      words[w + 1] = 3;
      reals[(w >> 1) + 1] = value;
      this.used = w + 4;
    } else {
      words[w + 1] = value ? 4 : 5;
      this.used = w + 2;
    }
    return this;
  }

  end() {
    if (!this.recording) return;
    this.recording = false;
    const w = this.base;
    times[(w >> 1) + 6] = now();
    words[w + 14] = this.used;
    ready[readyCount++] = (w / RECORD_WORDS) | 0;
    Atomics.store(control, 0, readyCount);
  }
}

const FORMS = { log: LogSpan, side: SideSpan, record: RecordSpan };

function chunk(Form, count) {
  const start = now();
  for (let i = 0; i < count; i++) {
    const span = new Form('order.price');
    span.setAttribute('http.method', 'GET');
    span.setAttribute('http.route', '/orders/{id}');
    span.setAttribute('customer.tier', 'gold');
    span.setAttribute('http.status_code', 200 + (i & 3));
    span.setAttribute('cache.hit', (i & 1) === 0);
    span.end();
  }
  return Number(now() - start) / count;
}

function measure(Form) {
  let least = Infinity;
  for (let i = 0; i < 400; i++) least = Math.min(least, chunk(Form, 2000));
  return least;
}

function child(name) {
  return new Promise((resolve, reject) => {
    fork(__filename, [name]).once('message', resolve).once('error', reject);
  });
}

async function main() {
  const rounds = 7;
  const results = { log: [], side: [], record: [] };
  for (let i = 0; i < rounds; i++) {
    for (const name of Object.keys(FORMS)) results[name].push(await child(name));
  }
  console.log(
    `node ${process.version}, ns per span with 5 attributes, ` +
      `minimum of ${rounds} processes (median)`,
  );
  for (const [name, list] of Object.entries(results)) {
    list.sort((a, b) => a - b);
    console.log(
      `${name.padEnd(8)}${list[0].toFixed(0).padStart(6)} (${list[rounds >> 1].toFixed(0)})`,
    );
  }
}

if (FORMS[process.argv[2]]) process.send(measure(FORMS[process.argv[2]]), () => process.exit(0));
else main();
