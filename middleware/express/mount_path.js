'use strict';
// Restores the mount path of a layer of Express 4 from its regular expression. The expression and
// its keys are fixed by the program, so no request changes the result. An expression that
// path-to-regexp 0.1 did not create is returned as text.

const MOUNT_END = '\\/?(?=\\/|$)';
const ANY = '.*';
const STAR = /^\(\?:\[\\?\/(?:\\?\.)?\]\.\+\?\)\?$/; // of ":name*"
const PLAIN = /^\[\^\\?\/(?:\\?\.)?\]\+\??$/; // one segment, or a part of one
const BOUNDED = /^\(\?:\(\?!.*\)\.\)\+\?$/s; // a parameter behind text in the same segment

class Unreadable extends Error {}

/** Reads one alternative of an expression, group by group. */
class Reader {
  constructor(source, keys) {
    this.source = source;
    this.keys = keys; // those left, in the order of their groups
    this.at = 0;
    this.depth = 0;
    this.split = false; // whether the current group has alternatives
  }

  /** Reads up to the end, or to the closing parenthesis of the group. */
  text() {
    let out = '';
    while (this.at < this.source.length && this.source[this.at] !== ')') out += this.item();
    return out;
  }

  item() {
    const c = this.source[this.at];
    if (c === '\\') return this.escape();
    if (c === '(') return this.group() + this.quantifier();
    if (c === '|' && this.depth > 0) this.split = true;
    else if ('.*[]{}|^$'.includes(c)) throw new Unreadable();
    this.at++;
    return c; // also "?" and "+", which Express 4 allows in a path
  }

  escape() {
    const c = this.source[this.at + 1];
    if (c === undefined || /[0-9A-Za-z]/.test(c)) throw new Unreadable();
    this.at += 2;
    return c;
  }

  quantifier() {
    const c = this.source[this.at];
    if (c !== '?' && c !== '*' && c !== '+') return '';
    this.at++;
    return c;
  }

  group() {
    if (this.source.startsWith('(?:', this.at)) {
      this.at += 3;
      return this.inner();
    }
    if (this.source.startsWith('(?', this.at)) throw new Unreadable();
    const start = this.at + 1;
    const end = closing(this.source, this.at);
    const inner = this.source.slice(start, end);
    this.at = end + 1;
    return this.parameter(inner);
  }

  /** Reads a non-capturing group: text around a parameter, or alternatives. */
  inner() {
    const outer = this.split;
    this.split = false;
    this.depth++;
    const out = this.text();
    this.depth--;
    const shown = this.split ? `(${out})` : out;
    this.split = outer;
    if (this.source[this.at] !== ')') throw new Unreadable();
    this.at++;
    return shown;
  }

  parameter(inner) {
    const key = this.keys.shift();
    if (key === undefined) throw new Unreadable();
    this.keys.splice(0, groupsIn(inner));
    if (inner === ANY || STAR.test(inner))
      return typeof key.name === 'string' ? `:${key.name}(.*)` : '*';
    if (typeof key.name !== 'string') return `(${inner})`;
    return PLAIN.test(inner) || BOUNDED.test(inner) ? `:${key.name}` : `:${key.name}(${inner})`;
  }
}

/** Calls see(character, position) for each character that is neither escaped nor in a class. */
function scan(source, from, see) {
  let inClass = false;
  for (let i = from; i < source.length; i++) {
    const c = source[i];
    if (c === '\\') i++;
    else if (inClass) inClass = c !== ']';
    else if (c === '[') inClass = true;
    else if (see(c, i) === true) return;
  }
}

/** Returns the end of the group that starts at `from`. */
function closing(source, from) {
  let depth = 0;
  let found = -1;
  scan(source, from, (c, i) => {
    depth += c === '(' ? 1 : c === ')' ? -1 : 0;
    if (depth === 0) found = i;
    return depth === 0;
  });
  if (found === -1) throw new Unreadable();
  return found;
}

/** Returns the number of capturing groups of a text. */
function groupsIn(source) {
  let count = 0;
  scan(source, 0, (c, i) => {
    if (c === '(' && (source[i + 1] !== '?' || /^\(\?<[^=!]/.test(source.slice(i, i + 4)))) count++;
  });
  return count;
}

/** Returns the alternatives of an expression. */
function alternatives(source) {
  const found = [];
  let depth = 0;
  let start = 0;
  scan(source, 0, (c, i) => {
    depth += c === '(' ? 1 : c === ')' ? -1 : 0;
    if (c !== '|' || depth !== 0) return;
    found.push(source.slice(start, i));
    start = i + 1;
  });
  found.push(source.slice(start));
  return found;
}

/** Returns the text of one alternative, or null if path-to-regexp did not create it. */
function readBack(source, keys) {
  if (!source.startsWith('^') || !source.endsWith(MOUNT_END)) return null;
  try {
    const reader = new Reader(source.slice(1, -MOUNT_END.length), keys);
    const text = reader.text();
    return reader.at === reader.source.length ? text : null;
  } catch {
    return null;
  }
}

/**
 * Returns the mount paths of a layer: a list of { text, regexp }, one per path.
 * @param {RegExp} regexp
 * @param {Array<{name: string|number}>} keys
 */
function writtenMounts(regexp, keys) {
  const parts = alternatives(regexp.source);
  let used = 0;
  return parts.map((source) => {
    const count = groupsIn(source);
    const own = keys.slice(used, used + count);
    used += count;
    const one = parts.length === 1 ? regexp : new RegExp(source, regexp.flags);
    const text = readBack(source, own);
    // A list joins its expressions, which loses their flags.
    return {
      text: text !== null ? text : parts.length === 1 ? String(one) : `/${source}/`,
      regexp: one,
    };
  });
}

module.exports = { writtenMounts };
