'use strict';

// The public face of redaction: functions over text and objects, and a service that keeps a list of
// rules. Nothing here changes its arguments, and nothing but addRule() with something that is no
// rule throws.

const { DEFAULT_REDACTION_RULES, compileRules, normalizeRule, redactText } = require('./rules');
const { Walker } = require('./walk');
const { secretKind } = require('./keys');

// Values can share their parts, so that a small object is endless when written out: hence a limit
// here, too.
const MAX_NODES = 1_000_000;
const MAX_DEPTH = 400;

const NO_RULES = compileRules([]);
const DEFAULTS = compileRules(DEFAULT_REDACTION_RULES);

const compiledFor = (rules) =>
  rules === undefined || rules === DEFAULT_REDACTION_RULES ? DEFAULTS : compileRules(rules);

function walkerFor(paths, compiled) {
  return new Walker({
    compiled,
    paths,
    kindOf: secretKind,
    maxNodes: MAX_NODES,
    maxDepth: MAX_DEPTH,
  });
}

/**
 * The text without what the rules find. What is no text comes back as it is.
 * @param {unknown} input
 * @param {ReadonlyArray<{name: string, pattern: RegExp, replacement: string}>} [rules]
 */
function redactString(input, rules) {
  return typeof input === 'string' ? redactText(input, compiledFor(rules)) : input;
}

/**
 * A copy in which the values of sensitive names and of the given paths are `[REDACTED]`. Text is
 * not searched.
 * @param {unknown} obj
 * @param {ReadonlyArray<string>} [paths]
 */
function redactObject(obj, paths) {
  return walkerFor(paths, NO_RULES).copy(obj);
}

/**
 * As redactObject, and every text in it goes through the rules.
 * @param {unknown} obj
 * @param {ReadonlyArray<string>} [paths]
 * @param {ReadonlyArray<{name: string, pattern: RegExp, replacement: string}>} [rules]
 */
function deepRedact(obj, paths, rules) {
  return walkerFor(paths, compiledFor(rules)).copy(obj);
}

/** Default rules, then the given ones, in order. Accepts rules alone or {rules, paths}. */
class RedactionService {
  #rules = [...DEFAULT_REDACTION_RULES];
  #paths = [];
  #walker = null;

  constructor(options) {
    const given = Array.isArray(options) ? { rules: options } : options || {};
    if (Array.isArray(given.paths)) this.#paths = [...given.paths];
    for (const rule of Array.isArray(given.rules) ? given.rules : []) this.addRule(rule);
  }

  #current() {
    this.#walker ??= walkerFor(this.#paths, compileRules(this.#rules));
    return this.#walker;
  }

  /** The text without what the rules find. */
  redactString(input) {
    return typeof input === 'string' ? this.#current().text(input) : input;
  }

  /** A redacted copy: by name, by path and by rule. */
  redactObject(obj) {
    return this.#current().copy(obj);
  }

  /** Appends a rule; its pattern is used for every match, with the flag g or without it. */
  addRule(rule) {
    const usable = normalizeRule(rule);
    if (usable === null)
      throw new TypeError('a redaction rule is {name, pattern: RegExp, replacement}');
    this.#rules.push(usable);
    this.#walker = null;
  }

  /** A copy of the list, in the order in which the rules run. */
  getRules() {
    return [...this.#rules];
  }
}

module.exports = {
  DEFAULT_REDACTION_RULES,
  RedactionService,
  deepRedact,
  redactObject,
  redactString,
};
