import type { SpanKind } from './index';

/** Decides which traces are sampled; for `init({ sampler })` or DJP_TELEMETRY_SAMPLER. */
export class Sampler {
  #private;
  private constructor();
  /** The text of the sampler, in the grammar of docs/samplers.md. */
  toString(): string;
  /** The same text. */
  toJSON(): string;
}

/** Condition of a rule. */
export class Predicate {
  #private;
  private constructor();
  /** Matches if both match; at most eight conditions. */
  and(other: Predicate): Predicate;
  /** Matches if this does not match; for a single condition only. */
  not(): Predicate;
  /** The text of the condition, in the grammar of docs/samplers.md. */
  toString(): string;
  /** The same text. */
  toJSON(): string;
}

/** Options of name() and attribute(). */
export interface PatternOptions {
  /** true: a star at the end is an ordinary character. */
  exact?: boolean;
}

type Value = string | number | bigint | boolean;

// gen:begin surface sampling.always_on sampling.always_off sampling.drop sampling.probability
// gen:names sampling.rate_limited sampling.at_least sampling.parent_threshold sampling.rule_based
// gen:names sampling.annotating sampling.anything sampling.is_root sampling.has_remote_parent
// gen:names sampling.parent_sampled sampling.kind sampling.name sampling.attribute
/** Samples all traces. */
export function alwaysOn(): Sampler;

/**
 * Samples no trace at its start. As the whole sampler it exports nothing; in a rule, errors, slow
 * traces and tail-sampling rules can still sample the trace.
 */
export function alwaysOff(): Sampler;

/** Does not record the trace, whatever happens in it. For health checks. */
export function drop(): Sampler;

/**
 * Samples a share of the traces by their trace id (OpenTelemetry consistent probability sampling).
 * @param ratio 0 to 1.
 */
export function probability(ratio: number): Sampler;

/**
 * Samples at most a number of traces per second. Their adjusted count is unknown.
 * @param perSecond Traces per second.
 */
export function rateLimited(perSecond: number): Sampler;

/**
 * Samples what another sampler samples, and at least a number of traces per second.
 * @param perSecond Traces per second.
 * @param delegate The other sampler.
 */
export function atLeast(perSecond: number, delegate: Sampler): Sampler;

/**
 * Follows the decision of the parent.
 * @param root The sampler of spans without a parent.
 */
export function parentThreshold(root: Sampler): Sampler;

/**
 * Uses the sampler of the first rule that matches. Without a match nothing is sampled.
 * @param rules Pairs of a predicate and a sampler.
 */
export function ruleBased(rules: Iterable<readonly [Predicate, Sampler]>): Sampler;

/**
 * Adds attributes to the first span of the local trace. Another sampler decides.
 * @param attributes The attributes.
 * @param delegate The other sampler.
 */
export function annotating(
  attributes: Readonly<Record<string, Value>> | Map<string, Value>,
  delegate: Sampler,
): Sampler;

/** Matches always. */
export function anything(): Predicate;

/** Matches if the span has no parent. */
export function isRoot(): Predicate;

/** Matches if the parent belongs to another process. */
export function hasRemoteParent(): Predicate;

/** Matches if there is a parent and it is sampled. */
export function parentSampled(): Predicate;

/**
 * Matches the kind of the span.
 * @param kind internal, server, client, producer or consumer, as a word or a SpanKind.
 */
export function kind(kind: SpanKind): Predicate;

/**
 * Matches the name of the span.
 * @param pattern The name; a star at the end matches any ending.
 * @param options Whether a star is an ordinary character.
 */
export function name(pattern: string, options?: PatternOptions): Predicate;

/**
 * Matches an attribute that is given at the start of the span.
 * @param key Name of the attribute.
 * @param value The value; a star at the end matches any ending. Any value by default.
 * @param options Whether a star is an ordinary character.
 */
export function attribute(key: string, value?: Value, options?: PatternOptions): Predicate;
// gen:end
