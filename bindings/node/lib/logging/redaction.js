'use strict';

// The API of redaction: functions over text and objects, and a service with a list of rules.
// Arguments are never changed. Only addRule() throws, for an invalid rule.

const { DEFAULT_REDACTION_RULES, compileRules, normalizeRule, redactText } = require('./rules');
const { Walker } = require('./walk');
const { secretKind } = require('./keys');

// Values can share parts, so a small object can be endless when written out.
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
 * Returns the text with all matches of the rules replaced. A value that is not text is returned
 * unchanged.
 * @param {unknown} input
 * @param {ReadonlyArray<{name: string, pattern: RegExp, replacement: string}>} [rules]
 */
function redactString(input, rules) {
  return typeof input === 'string' ? redactText(input, compiledFor(rules)) : input;
}

/**
 * Returns a copy in which the values of sensitive names and of the given paths are `[REDACTED]`.
 * Texts are not searched.
 * @param {unknown} obj
 * @param {ReadonlyArray<string>} [paths]
 */
function redactObject(obj, paths) {
  return walkerFor(paths, NO_RULES).copy(obj);
}

/**
 * As redactObject, and applies the rules to every text.
 * @param {unknown} obj
 * @param {ReadonlyArray<string>} [paths]
 * @param {ReadonlyArray<{name: string, pattern: RegExp, replacement: string}>} [rules]
 */
function deepRedact(obj, paths, rules) {
  return walkerFor(paths, compiledFor(rules)).copy(obj);
}

/** Default rules, then the given ones, in order. Takes rules, or {rules, paths}. */
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

  /** Returns the text with all matches of the rules replaced. */
  redactString(input) {
    return typeof input === 'string' ? this.#current().text(input) : input;
  }

  /** Returns a copy redacted by name, path and rule. */
  redactObject(obj) {
    return this.#current().copy(obj);
  }

  /** Appends a rule. Its pattern replaces all matches, with or without the flag g. */
  addRule(rule) {
    const usable = normalizeRule(rule);
    if (usable === null)
      throw new TypeError('a redaction rule is {name, pattern: RegExp, replacement}');
    this.#rules.push(usable);
    this.#walker = null;
  }

  /** Returns a copy of the rules in their order. */
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
