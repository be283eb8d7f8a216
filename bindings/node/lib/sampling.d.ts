import type { SpanKind } from './index';

/** Decides about local traces; for `init({ sampler })`. Its text is what DJP_TELEMETRY_SAMPLER takes. */
export class Sampler {
  #private;
  private constructor();
  toString(): string;
  toJSON(): string;
}

/** Says whether a rule is meant. */
export class Predicate {
  #private;
  private constructor();
  /** Both hold; eight at most. */
  and(other: Predicate): Predicate;
  /** Does not hold; only of a single condition. */
  not(): Predicate;
  toString(): string;
  toJSON(): string;
}

export interface PatternOptions {
  /** A star at the end is a star. */
  exact?: boolean;
}

type Value = string | number | bigint | boolean;

/** Keeps everything. */
export function alwaysOn(): Sampler;
/** The head says no. As the whole sampler nothing leaves; in a rule, errors, slow traces and tail-sampling rules still have their say. */
export function alwaysOff(): Sampler;
/** Neither kept nor recorded, whatever happens: for health checks. */
export function drop(): Sampler;
/** Keeps that part of the traces, 0 to 1. */
export function probability(ratio: number): Sampler;
/** Keeps at most that many traces a second; nobody can count back from them. */
export function rateLimited(perSecond: number): Sampler;
/** What the delegate says, but that many traces a second in any case. */
export function atLeast(perSecond: number, delegate: Sampler): Sampler;
/** What the parent decided; root where there is none. */
export function parentThreshold(root: Sampler): Sampler;
/** The sampler of the first rule that fits; no where none does. */
export function ruleBased(rules: Iterable<readonly [Predicate, Sampler]>): Sampler;
/** Adds attributes to the first span of the local trace; delegate decides. */
export function annotating(
  attributes: Readonly<Record<string, Value>> | Map<string, Value>,
  delegate: Sampler,
): Sampler;

/** Always holds. */
export function anything(): Predicate;
/** The trace begins here. */
export function isRoot(): Predicate;
/** A caller in another process began the trace. */
export function hasRemoteParent(): Predicate;
/** There is a parent, and it is sampled. */
export function parentSampled(): Predicate;
/** The span's kind: 'server', SpanKind.SERVER. */
export function kind(kind: SpanKind): Predicate;
/** The span's name; a star at the end stands for any ending, unless exact. */
export function name(pattern: string, options?: PatternOptions): Predicate;
/** An attribute that is given at the start has that value, or any; a star as for name(). */
export function attribute(key: string, value?: Value, options?: PatternOptions): Predicate;
