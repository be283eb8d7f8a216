'use strict';
// Decodes the operation log as core/include/djp/oplog.h defines it, for tests of the writer without
// a core. Shares only the generated numbers with the writer.

const { HTTP, NO, OP, START, WORD } = require('../../bindings/node/lib/oplog_form.js');

const NAMES = Object.fromEntries(Object.entries(OP).map(([name, number]) => [number, name]));

class Reader {
  constructor(memory) {
    this.control = new Int32Array(memory, 0, 64);
    this.view = new DataView(memory, 256);
    this.bytes = Buffer.from(memory, 256);
    this.units = this.bytes.length / 8;
    this.symbols = new Map([[0, '']]);
    this.open = new Map(); // slot -> name
  }

  /** Consumes and returns the published operations. Throws for an invalid one. */
  read() {
    const operations = [];
    let position = this.control[WORD.CONSUMED];
    const end = this.control[WORD.PUBLISHED];
    const left = (end - position) | 0;
    if (left < 0 || left > this.units) throw new Error(`published ${end}, consumed ${position}`);
    while (position !== end) {
      const place = (position >>> 0) % this.units;
      const head = this.view.getUint32(place * 8, true);
      const size = head >>> 8;
      const units = 1 + Math.ceil(size / 8);
      if (units > this.units - place || units > ((end - position) | 0))
        throw new Error(`an operation of ${size} bytes at ${place}`);
      operations.push(
        this.operation(head & 255, this.view.getUint32(place * 8 + 4, true), place * 8 + 8, size),
      );
      position = (position + units) | 0;
    }
    this.control[WORD.CONSUMED] = position;
    return operations.filter((operation) => operation.op !== 'PAD');
  }

  symbol(number) {
    if (!this.symbols.has(number)) throw new Error(`symbol ${number} is not defined`);
    return this.symbols.get(number);
  }

  operation(kind, word, at, size) {
    const op = NAMES[kind];
    if (op === undefined) throw new Error(`kind ${kind}`);
    const base = { op, slot: word & NO.SLOT };
    if (op === 'PAD') return base;
    if (op === 'DEFINE') {
      if (this.symbols.has(word)) throw new Error(`symbol ${word} is defined twice`);
      this.symbols.set(word, this.bytes.toString('utf8', at, at + size));
      return { op, symbol: word, text: this.symbol(word) };
    }
    if (op === 'START') return this.start(base, word, at, size);
    if (op === 'HTTP_END') return this.http(base, at, size);
    if (!this.open.has(base.slot)) throw new Error(`${op} of slot ${base.slot}, which is not open`);
    if ((kind >= OP.TEXT && kind <= OP.VALUE) || op === 'SYMBOL')
      return { ...base, key: this.symbol(word >>> 16), value: this.attribute(op, at, size) };
    if (op === 'END') this.open.delete(base.slot);
    if (op === 'KEYED') return { ...base, entries: this.value({ at }) };
    if (op === 'DROP') return { ...base, count: word >>> 16 };
    return { ...base, word: word >>> 16, text: this.bytes.toString('utf8', at, at + size), size };
  }

  attribute(op, at, size) {
    if (op === 'TEXT') return this.bytes.toString('utf8', at, at + size);
    if (op === 'SYMBOL') return this.symbol(this.view.getUint32(at, true));
    if (op === 'NUMBER') return this.view.getFloat64(at, true);
    if (op === 'INTEGER') return this.view.getBigInt64(at, true);
    return op === 'VALUE' ? this.value({ at }) : op === 'TRUE';
  }

  hex(at, count) {
    let text = '';
    for (let i = 0; i < count; i++)
      text += this.view
        .getUint32(at + 4 * i, true)
        .toString(16)
        .padStart(8, '0');
    return text;
  }

  sized(cursor) {
    const size = this.view.getUint32(cursor.at, true);
    const text = this.bytes.toString('utf8', cursor.at + 8, cursor.at + 8 + size);
    cursor.at += 8 + Math.ceil(size / 8) * 8;
    return text;
  }

  start(base, word, at, size) {
    const flags = word >>> 24;
    const isRoot = (flags & START.ROOT) !== 0;
    const cursor = { at: at + 56 + (isRoot ? 16 : 0) };
    const upper = this.view.getUint32(at + 52, true) >>> 8;
    const result = {
      ...base,
      kind: (word >>> 16) & 255,
      flags,
      traceId: this.hex(at + 8, 4),
      spanId: this.hex(at + 24, 2),
      parentId: this.hex(at + 32, 2),
      name: this.symbol(this.view.getUint32(at + 40, true)),
      scope: this.symbol(this.view.getUint32(at + 44, true)),
      local: this.view.getUint32(at + 48, true),
      parentFlags: this.view.getUint8(at + 52),
      parentSlot: isRoot ? -1 : (upper >> 8) - 1,
      reused: this.open.has(base.slot),
    };
    if (isRoot) {
      result.decision = {
        outcome: upper & 3,
        flag: (upper >> 2) & 1,
        reason: upper >> 8,
        threshold: this.view.getBigUint64(at + 56, true),
        recorded: this.view.getBigUint64(at + 64, true),
      };
    }
    if (flags & START.STATE) result.state = this.sized(cursor);
    if (flags & START.NAME) result.name = this.sized(cursor);
    if (flags & START.TIME) {
      result.time = this.view.getBigInt64(cursor.at, true);
      cursor.at += 8;
    }
    if (cursor.at !== at + size)
      throw new Error(`a start of ${size} bytes, read ${cursor.at - at}`);
    this.open.set(base.slot, result.name);
    return result;
  }

  http(base, at, size) {
    const word = (place) => this.view.getUint32(at + place, true);
    if (base.slot !== NO.SLOT && !this.open.delete(base.slot))
      throw new Error(`HTTP_END of slot ${base.slot}, which is not open`);
    const result = {
      ...base,
      start: this.view.getBigInt64(at, true),
      end: this.view.getBigInt64(at + 8, true),
      bytes: this.view.getFloat64(at + 16, true),
      status: word(24) & 0xffff,
      flags: word(24) >>> 16,
      method: this.symbol(word(28) & 0xffff),
      route: this.symbol(word(28) >>> 16),
      scheme: this.symbol(word(32) & 0xffff),
      version: this.symbol(word(32) >>> 16),
      error: this.symbol(word(36)),
    };
    if (result.flags & HTTP.ROUTE) result.route = this.sized({ at: at + 40 });
    else if (size !== 40) throw new Error(`an end of ${size} bytes`);
    return result;
  }

  value(cursor) {
    const kind = this.bytes[cursor.at++];
    const word = () => {
      cursor.at += 4;
      return this.view.getUint32(cursor.at - 4, true);
    };
    const text = () => {
      const size = word();
      cursor.at += size;
      return this.bytes.toString('utf8', cursor.at - size, cursor.at);
    };
    if (kind === 0) return null;
    if (kind === 1) return this.bytes[cursor.at++] !== 0;
    if (kind === 2 || kind === 3) {
      cursor.at += 8;
      return kind === 2
        ? this.view.getBigInt64(cursor.at - 8, true)
        : this.view.getFloat64(cursor.at - 8, true);
    }
    if (kind === 4 || kind === 5) return text();
    if (kind === 6) return Array.from({ length: word() }, () => this.value(cursor));
    if (kind !== 7) throw new Error(`value of kind ${kind}`);
    const result = {};
    for (let count = word(); count > 0; count--) {
      const key = text();
      result[key] = this.value(cursor);
    }
    return result;
  }
}

module.exports = { Reader };
