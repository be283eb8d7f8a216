'use strict';
// Samplers to put together: each call gives a value for init({ sampler }), whose text is what
// DJP_TELEMETRY_SAMPLER takes, too. The native core reads that text: a mistake costs one warning
// there and throws nothing here. Needs nothing of Node.

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

/** Decides about local traces. */
class Sampler extends Text {}

/** Says whether a rule is meant. */
class Predicate extends Text {
  /** Both hold; eight at most. */
  and(other) {
    return new Predicate(`${this} & ${other}`);
  }

  /** Does not hold; only of a single condition. */
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

/** A star at the end stands for any ending, unless the text is meant exactly. */
function pattern(value, options) {
  const text = String(value);
  const exact = options !== undefined && options !== null && options.exact === true;
  return exact && text.endsWith('*') ? `"${escaped(text.slice(0, -1))}\\*"` : quoted(text);
}

/** Keeps everything. */
const alwaysOn = () => new Sampler('always_on');

/**
 * The head says no. As the whole sampler nothing leaves; in a rule, errors, slow traces and
 * tail-sampling rules still have their say.
 */
const alwaysOff = () => new Sampler('always_off');

/** Neither kept nor recorded, whatever happens: for health checks. */
const drop = () => new Sampler('drop');

/** Keeps that part of the traces, 0 to 1. */
const probability = (ratio) => new Sampler(`probability(${ratio})`);

/** Keeps at most that many traces a second; nobody can count back from them. */
const rateLimited = (perSecond) => new Sampler(`rate_limited(${perSecond})`);

/** What the delegate says, but that many traces a second in any case. */
const atLeast = (perSecond, delegate) => new Sampler(`at_least(${perSecond}, ${delegate})`);

/** What the parent decided; root where there is none. */
const parentThreshold = (root) => new Sampler(`parent_threshold(${root})`);

/** The sampler of the first rule that fits; no where none does. */
function ruleBased(rules) {
  const texts = Array.from(rules, ([predicate, sampler]) => `${predicate} => ${sampler}`);
  return new Sampler(`rule_based(${texts.join(', ')})`);
}

/** Adds attributes to the first span of the local trace; delegate decides. */
function annotating(attributes, delegate) {
  const entries = attributes instanceof Map ? [...attributes] : Object.entries(attributes);
  const items = entries.map(([key, value]) => `${quoted(key)}=${valueText(value)}`);
  return new Sampler(`annotating({${items.join(', ')}}, ${delegate})`);
}

/** Always holds. */
const anything = () => new Predicate('any');

/** The trace begins here. */
const isRoot = () => new Predicate('root');

/** A caller in another process began the trace. */
const hasRemoteParent = () => new Predicate('remote_parent');

/** There is a parent, and it is sampled. */
const parentSampled = () => new Predicate('parent_sampled');

const KINDS = ['internal', 'server', 'client', 'producer', 'consumer'];

/** The span's kind: 'server', SpanKind.SERVER. */
const kind = (word) =>
  new Predicate(`kind(${typeof word === 'number' ? KINDS[word] : String(word).toLowerCase()})`);

/** The span's name. */
const name = (text, options) => new Predicate(`name(${pattern(text, options)})`);

/** An attribute that is given at the start has that value, or any. */
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
