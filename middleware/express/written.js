'use strict';
// The text that a layer of Express 4 was mounted with, from the regular expression that its path
// became. The expression and its keys come from the program alone, so that no request changes the
// answer. What is not of the form that path-to-regexp 0.1 makes is shown as the expression that it
// is.

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
    this.split = false; // whether the group that is being read has alternatives
  }

  /** Up to the end, or to the parenthesis that closes the group. */
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
    return c; // also "?" and "+", which Express 4 lets a path have
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

  /** A group that captures nothing: what surrounds a parameter, or alternatives. */
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

/** Calls see(character, position) for what is neither escaped nor part of a class. */
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

/** Where the group that begins at `from` closes. */
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

/** How many groups of a text capture. */
function groupsIn(source) {
  let count = 0;
  scan(source, 0, (c, i) => {
    if (c === '(' && (source[i + 1] !== '?' || /^\(\?<[^=!]/.test(source.slice(i, i + 4)))) count++;
  });
  return count;
}

/** The alternatives of an expression, as they were joined. */
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

/** The text of one alternative, or null when path-to-regexp did not make it. */
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
 * What a layer was mounted with: a list of { text, regexp }, one for each path that was given.
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
    // The expressions of a list were joined, and lost their flags.
    return {
      text: text !== null ? text : parts.length === 1 ? String(one) : `/${source}/`,
      regexp: one,
    };
  });
}

module.exports = { writtenMounts };
