'use strict';

// Copies any value into plain data without secrets, which it finds by name, path and pattern. Never
// changes its argument and never throws: getters, proxies and toJSON are user code.

const { types } = require('node:util');
const { KEEP, SECRET, TOKEN, IDENTIFIER, MONEY } = require('./keys');
const { redactText } = require('./rules');
const { messageOf } = require('../exception.js');

const REDACTED = '[REDACTED]';
const CIRCULAR = '[Circular]';
const TRUNCATED = '[Truncated]';
const UNREADABLE = '[Unreadable]';
const KEY_CACHE_LIMIT = 4096;
const KEY_LENGTH_CACHED = 128;

/**
 * Paths: a plain name matches that key at every depth, `a.b[*].c` one place; `*` matches any key.
 */
function compilePaths(paths) {
  const names = new Set();
  let tree = null;
  for (const path of Array.isArray(paths) ? paths : []) {
    if (typeof path !== 'string' || path === '') continue;
    const steps = path.match(/[^.[\]'"]+/g) || [];
    if (steps.length === 1 && steps[0] !== '*') names.add(steps[0].toLowerCase());
    if (steps.length < 2) continue;
    tree ??= new Map();
    let node = tree;
    for (const step of steps) {
      if (!node.has(step)) node.set(step, new Map());
      node = node.get(step);
    }
    node.ends = true;
  }
  return { names, tree };
}

/** Returns the nodes that the key leads to from the given nodes, or null. */
function follow(nodes, key) {
  let found = null;
  for (const node of nodes) {
    for (const next of [node.get(key), node.get('*')]) {
      if (next !== undefined) (found ??= []).push(next);
    }
  }
  return found;
}

function isError(value) {
  return types.isNativeError(value) || value instanceof Error;
}

/** Whether an object is copied by its keys; other kinds are converted here. */
function plainForm(value, forJson) {
  if (types.isProxy(value)) return value;
  if (types.isMap(value))
    return Object.fromEntries(Array.from(value, ([key, item]) => [String(key), item]));
  if (types.isSet(value)) return Array.from(value);
  if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value))
    return `[Binary: ${value.byteLength} bytes]`;
  if (types.isBoxedPrimitive(value)) return value.valueOf();
  if (types.isRegExp(value)) return forJson ? String(value) : value;
  return typeof value.toJSON === 'function' ? value.toJSON('') : value;
}

function isScalar(type) {
  return type === 'string' || type === 'number' || type === 'bigint';
}

/** A compiled set of rules, paths and name kinds. Holds no data of a call. */
class Walker {
  /**
   * kindOf: name -> kind; wireNames: Map of renamed top-level names; forJson: the copy is for
   * JSON.stringify, so dates, patterns and big integers become text and functions are removed.
   */
  constructor({
    compiled,
    paths,
    kindOf,
    pseudonym = null,
    wireNames = null,
    maxNodes,
    maxDepth,
    maxText = Infinity,
    forJson = false,
  }) {
    this.compiled = compiled;
    this.paths = compilePaths(paths);
    this.kindOf = kindOf;
    this.wireNames = wireNames;
    this.pseudonym = pseudonym;
    this.maxNodes = maxNodes;
    this.maxDepth = maxDepth;
    this.maxText = maxText;
    this.forJson = forJson;
    this.keys = new Map();
    this.left = 0;
    this.stack = [];
  }

  /** Returns text after the rules. */
  text(value) {
    if (value.length > this.maxText) {
      return redactText(value.slice(0, this.maxText), this.compiled) + TRUNCATED;
    }
    return redactText(value, this.compiled);
  }

  /** Returns the kind of a name, and the name after the rules: a name can contain personal data. */
  key(name) {
    let entry = this.keys.get(name);
    if (entry === undefined) {
      const dropped = name === '__proto__' || name === 'constructor' || name === 'prototype';
      const explicit = this.paths.names.has(name.toLowerCase());
      entry = {
        dropped,
        explicit,
        kind: this.kindOf(name.slice(0, 256)),
        out: redactText(name, this.compiled.forNames),
      };
      entry.top = this.wireNames?.get(name) ?? entry.out;
      if (this.keys.size < KEY_CACHE_LIMIT && name.length <= KEY_LENGTH_CACHED)
        this.keys.set(name, entry);
    }
    return entry;
  }

  /** Returns a redacted copy of any value. */
  copy(value) {
    if (typeof value === 'string') return this.text(value);
    const outer = this.left;
    const outerStack = this.stack;
    this.left = this.maxNodes;
    this.stack = [];
    try {
      return this.value(value, this.paths.tree === null ? null : [this.paths.tree]);
    } catch {
      return UNREADABLE;
    } finally {
      this.left = outer;
      this.stack = outerStack;
    }
  }

  /**
   * Copies the fields of an object into `out`, which already has some, with their top-level names.
   */
  copyInto(out, value) {
    const outer = this.left;
    const outerStack = this.stack;
    this.left = this.maxNodes;
    this.stack = [];
    try {
      const prototype = Object.getPrototypeOf(value);
      const nodes = this.paths.tree === null ? null : [this.paths.tree];
      if (
        (prototype === Object.prototype || prototype === null) &&
        typeof value.toJSON !== 'function'
      ) {
        this.stack.push(value);
        this.fields(value, out, nodes, true);
        return;
      }
      const copied = this.value(value, nodes);
      if (copied === null || typeof copied !== 'object' || Array.isArray(copied)) {
        if (copied !== undefined) out.metadata = copied;
      } else {
        for (const name of Object.keys(copied))
          out[this.wireNames?.get(name) ?? name] = copied[name];
      }
    } catch {
      out.metadata = UNREADABLE;
    } finally {
      this.left = outer;
      this.stack = outerStack;
    }
  }

  value(value, nodes) {
    switch (typeof value) {
      case 'string':
        return this.text(value);
      case 'object':
        return value === null ? null : this.object(value, nodes);
      case 'bigint':
        return this.forJson ? String(value) : value;
      case 'number':
        return this.forJson && !Number.isFinite(value) ? String(value) : value;
      case 'symbol':
        return this.forJson ? this.text(String(value)) : value;
      case 'function':
        return this.forJson ? undefined : value;
      default:
        return value;
    }
  }

  object(value, nodes) {
    if (this.stack.includes(value)) return CIRCULAR;
    if (this.stack.length >= this.maxDepth || this.left <= 0) return TRUNCATED;
    this.stack.push(value);
    try {
      const prototype = Object.getPrototypeOf(value);
      if (prototype === Object.prototype && typeof value.toJSON !== 'function')
        return this.fields(value, {}, nodes);
      if (prototype === Array.prototype && Array.isArray(value)) return this.array(value, nodes);
      return this.special(value, nodes);
    } catch {
      return UNREADABLE;
    } finally {
      this.stack.pop();
    }
  }

  /** Copies a value that is not a plain object or array. */
  special(value, nodes) {
    if (types.isDate(value)) return this.forJson ? this.date(value) : value;
    if (isError(value)) return this.error(value);
    const plain = plainForm(value, this.forJson);
    if (typeof plain !== 'object' || plain === null) return this.value(plain, nodes);
    if (types.isDate(plain) || (plain !== value && types.isNativeError(plain)))
      return this.special(plain, nodes);
    if (types.isRegExp(plain)) return plain;
    return Array.isArray(plain) ? this.array(plain, nodes) : this.fields(plain, {}, nodes);
  }

  date(value) {
    const time = Date.prototype.getTime.call(value);
    return Number.isNaN(time) ? null : new Date(time).toISOString();
  }

  array(value, nodes) {
    const length = value.length;
    const out = [];
    for (let i = 0; i < length; i++) {
      if (this.left-- <= 0) {
        out.push(TRUNCATED);
        break;
      }
      const next = nodes === null ? null : follow(nodes, String(i));
      out.push(this.read(value, i, KEEP, next));
    }
    return out;
  }

  /** Copies own enumerable fields of `value` into `out`. */
  fields(value, out, nodes, top = false) {
    for (const name of Object.keys(value)) {
      if (this.left-- <= 0) {
        out[TRUNCATED] = true;
        break;
      }
      const entry = this.key(name);
      if (entry.dropped) continue;
      const next = nodes === null ? null : follow(nodes, name);
      const copied = entry.explicit
        ? this.hidden(value, name)
        : this.read(value, name, entry.kind, next);
      if (copied !== undefined || !this.forJson) out[top ? entry.top : entry.out] = copied;
    }
    return out;
  }

  hidden(object, name) {
    try {
      return object[name] === undefined || object[name] === null ? object[name] : REDACTED;
    } catch {
      return REDACTED;
    }
  }

  read(object, name, kind, nodes) {
    let value;
    try {
      value = object[name];
    } catch {
      return UNREADABLE;
    }
    if (nodes !== null && nodes.some((node) => node.ends))
      return value === undefined || value === null ? value : REDACTED;
    return kind === KEEP ? this.value(value, nodes) : this.named(value, kind, nodes);
  }

  /** Returns the value of a field with a known name. */
  named(value, kind, nodes) {
    const type = typeof value;
    if (value === undefined || value === null || type === 'boolean' || type === 'function')
      return this.value(value, nodes);
    const scalar = isScalar(type);
    if (kind === SECRET) return REDACTED;
    if (kind === TOKEN) return type === 'number' ? this.value(value, nodes) : REDACTED;
    if (kind === MONEY) return scalar ? REDACTED : this.value(value, nodes);
    if (kind === IDENTIFIER && scalar && this.pseudonym !== null)
      return value === '' ? value : this.pseudonym(value);
    return this.value(value, nodes);
  }

  /**
   * Returns {name, message, stack} and, if present, code, cause and the errors of an
   * AggregateError. Reads each member once.
   */
  error(value) {
    const out = {};
    for (const [name, otherwise] of [
      ['name', 'Error'],
      ['message', ''],
      ['stack', undefined],
      ['code', undefined],
    ]) {
      const member = this.read(value, name, KEEP, null);
      if (typeof member === 'string' || (name === 'code' && typeof member === 'number'))
        out[name] = member;
      else if (otherwise !== undefined) out[name] = otherwise;
    }
    const cause = this.read(value, 'cause', KEEP, null);
    if (cause !== undefined) out.cause = cause;
    const errors = this.read(value, 'errors', KEEP, null);
    if (Array.isArray(errors)) {
      out.errors = errors;
      if (out.message === '') out.message = this.text(messageOf(value));
    }
    return out;
  }
}

module.exports = { Walker, isError, REDACTED };
