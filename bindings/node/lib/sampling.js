'use strict';
// Builders of samplers for init({ sampler }). Their text is a value of DJP_TELEMETRY_SAMPLER. The
// core parses it: a mistake is one warning and throws nothing here. Uses no Node API.

class Text {
  #text;
  constructor(text) {
    this.#text = text;
    Object.freeze(this);
  }

  toString() {
    return this.#text;
  }

  toJSON() {
    return this.#text;
  }
}

/** Decides whether a local trace is sampled. */
class Sampler extends Text {}

/** The condition of a rule. */
class Predicate extends Text {
  /** Matches if both match; at most eight conditions. */
  and(other) {
    return new Predicate(`${this} & ${other}`);
  }

  /** Matches if this does not match; for a single condition only. */
  not() {
    const text = String(this);
    if (/^(?:[^"]|"(?:[^"\\]|\\.)*")*? & /s.test(text)) {
      throw new TypeError(
        'only a single condition can be turned round: write a.not().and(b.not()), or two rules',
      );
    }
    return new Predicate(text.startsWith('!') ? text.slice(1) : `!${text}`);
  }
}

function escaped(text) {
  return String(text).replace(/["\\]/g, '\\$&');
}

function quoted(text) {
  return `"${escaped(text)}"`;
}

function valueText(value) {
  if (typeof value === 'boolean' || typeof value === 'number' || typeof value === 'bigint')
    return String(value);
  return quoted(value);
}

/** Quotes a text; a star at its end is a wildcard unless `exact` is set. */
function pattern(value, options) {
  const text = String(value);
  const exact = options !== undefined && options !== null && options.exact === true;
  return exact && text.endsWith('*') ? `"${escaped(text.slice(0, -1))}\\*"` : quoted(text);
}

/** Samples all traces. */
const alwaysOn = () => new Sampler('always_on');

/**
 * Samples no trace at its start. As the whole sampler it exports nothing; in a rule, errors, slow
 * traces and tail-sampling rules can still sample the trace.
 */
const alwaysOff = () => new Sampler('always_off');

/** Does not record the trace. For health checks. */
const drop = () => new Sampler('drop');

/** Samples this share of the traces, 0 to 1. */
const probability = (ratio) => new Sampler(`probability(${ratio})`);

/** Samples at most this number of traces per second, without an adjusted count. */
const rateLimited = (perSecond) => new Sampler(`rate_limited(${perSecond})`);

/** Decides as the delegate, but samples at least this number of traces per second. */
const atLeast = (perSecond, delegate) => new Sampler(`at_least(${perSecond}, ${delegate})`);

/** Decides as the parent; as `root` without one. */
const parentThreshold = (root) => new Sampler(`parent_threshold(${root})`);

/** Decides as the sampler of the first matching rule; without one, does not sample. */
function ruleBased(rules) {
  const texts = Array.from(rules, ([predicate, sampler]) => `${predicate} => ${sampler}`);
  return new Sampler(`rule_based(${texts.join(', ')})`);
}

/** Adds attributes to the first span of the local trace; the delegate decides. */
function annotating(attributes, delegate) {
  const entries = attributes instanceof Map ? [...attributes] : Object.entries(attributes);
  const items = entries.map(([key, value]) => `${quoted(key)}=${valueText(value)}`);
  return new Sampler(`annotating({${items.join(', ')}}, ${delegate})`);
}

/** Always matches. */
const anything = () => new Predicate('any');

/** Matches if the span has no parent. */
const isRoot = () => new Predicate('root');

/** Matches if the parent belongs to another process. */
const hasRemoteParent = () => new Predicate('remote_parent');

/** Matches if there is a sampled parent. */
const parentSampled = () => new Predicate('parent_sampled');

const KINDS = ['internal', 'server', 'client', 'producer', 'consumer'];

/** Matches the span kind: 'server' or SpanKind.SERVER. */
const kind = (word) =>
  new Predicate(`kind(${typeof word === 'number' ? KINDS[word] : String(word).toLowerCase()})`);

/** Matches the span name. */
const name = (text, options) => new Predicate(`name(${pattern(text, options)})`);

/** Matches an attribute at the start of the span: one value, or any. */
const attribute = (key, value = '*', options = undefined) =>
  new Predicate(`attribute(${quoted(key)}=${pattern(value, options)})`);

module.exports = {
  Predicate,
  Sampler,
  alwaysOff,
  alwaysOn,
  annotating,
  anything,
  atLeast,
  attribute,
  drop,
  hasRemoteParent,
  isRoot,
  kind,
  name,
  parentSampled,
  parentThreshold,
  probability,
  rateLimited,
  ruleBased,
};
