/// <reference types="node" />

/** Levels, lowest first; `silent` writes nothing. */
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';

export interface LoggerConfig {
  /** Least level that is written. Default `info`. */
  level?: LogLevel | 'silent';
  /** Default: the service name that init() resolved, else `unknown`; call init() first. */
  service?: string;
  /** Default: NODE_ENV, else telemetry's environment, else `unknown`. */
  environment?: string;
  /** Lines for people, by pino-pretty when it is installed. Default false. */
  pretty?: boolean;
  /** Names (at every depth) or paths (`a.b[*].c`) whose values are hidden, besides the built-in ones. */
  redactPaths?: string[];
  /** Further patterns, run after the default rules; matches become `[REDACTED]`. */
  redactPatterns?: RegExp[];
  /** Where lines go. Default: standard output. */
  destination?: NodeJS.WritableStream;
  /** Key for the hashed ids of users and tenants. Default: a random key of this process. */
  hashKey?: string | Uint8Array;
  /** Lines per second for each level below error. Default: no limit. */
  rateLimit?: number;
}

export type LogMetadata = Record<string, unknown>;

export interface Logger {
  level: LogLevel | 'silent';
  isLevelEnabled(level: LogLevel): boolean;
  trace(message: string, metadata?: LogMetadata): void;
  debug(message: string, metadata?: LogMetadata): void;
  info(message: string, metadata?: LogMetadata): void;
  warn(message: string, metadata?: LogMetadata): void;
  error(message: string): void;
  error(message: string, error: Error): void;
  error(message: string, error: Error, metadata: LogMetadata): void;
  error(message: string, metadata: LogMetadata): void;
  fatal(message: string): void;
  fatal(message: string, error: Error): void;
  fatal(message: string, error: Error, metadata: LogMetadata): void;
  fatal(message: string, metadata: LogMetadata): void;
  /** A logger whose every line has these fields, too. */
  child(bindings: LogMetadata): Logger;
  /** Resolves when the destination has taken every line (at most five seconds); never rejects. */
  flush(): Promise<void>;
}

/** Throws when the package pino is not installed. */
export function createLogger(config?: LoggerConfig): Logger;

/** trace_id and span_id of the current span, or {} without one. */
export function getStructuredLogContext(): { trace_id: string; span_id: string } | Record<string, never>;

export interface MixinOptions {
  hashKey?: string | Uint8Array;
}

/** For pino's `mixin` option. */
export function traceMixin(options?: MixinOptions): () => Record<string, string>;

/** Fits winston's Format without its types. */
export interface WinstonFormat {
  options?: object;
  transform(info: any, opts?: unknown): any;
}

/** A format for winston. */
export function winstonFormat(options?: MixinOptions): WinstonFormat;

export interface CorrelationContext {
  correlationId: string;
  requestId?: string;
  sessionId?: string;
  userId?: string;
}

/** A copy of the current context, or undefined outside of a run. */
export function getCorrelationContext(): CorrelationContext | undefined;
/** Adds to the current context; outside of a run it does nothing. */
export function setCorrelationContext(context: Partial<CorrelationContext>): void;
/** Calls fn inside a context of its own; a missing correlationId is made. */
export function runWithCorrelationContext<T>(context: Partial<CorrelationContext> | undefined, fn: () => T): T;
export function generateCorrelationId(): string;

interface IncomingLike {
  headers: Record<string, string | string[] | undefined>;
}
interface OutgoingLike {
  headersSent?: boolean;
  setHeader(name: string, value: string): unknown;
}

/** Express 4 and 5, and anything with (req, res, next). */
export function correlationMiddleware(): (req: IncomingLike, res: OutgoingLike, next: (error?: any) => void) => void;

/** Fastify 4 and 5: `fastify.register(correlationPlugin)`. */
export function correlationPlugin(fastify: any, options: object, done: (error?: Error) => void): void;

export interface CorrelationOperations {
  generateId(): string;
  getContext(): CorrelationContext | undefined;
  getCorrelationId(): string | undefined;
  run<T>(fn: () => T): T;
  run<T>(contextOrId: Partial<CorrelationContext> | string | undefined, fn: () => T): T;
  set(context: Partial<CorrelationContext>): void;
  set(name: keyof CorrelationContext, value: string): void;
  setContext(context: Partial<CorrelationContext>): void;
  middleware(): ReturnType<typeof correlationMiddleware>;
}

/** The operations as methods, of the class itself and of instances; all share one context. */
export const CorrelationManager: CorrelationOperations & { new (): CorrelationOperations };
export type CorrelationManager = CorrelationOperations;

export interface RedactionRule {
  name: string;
  pattern: RegExp;
  replacement: string;
}

export const DEFAULT_REDACTION_RULES: ReadonlyArray<Readonly<RedactionRule>>;
/** The text without what the rules find; what is no text comes back as it is. */
export function redactString(input: string, rules?: ReadonlyArray<RedactionRule>): string;
export function redactString<T>(input: T, rules?: ReadonlyArray<RedactionRule>): T;
/** A copy without the values of sensitive names and of the paths. */
export function redactObject<T>(obj: T, paths?: ReadonlyArray<string>): T;
/** As redactObject, and every text goes through the rules. */
export function deepRedact<T>(obj: T, paths?: ReadonlyArray<string>, rules?: ReadonlyArray<RedactionRule>): T;

export class RedactionService {
  constructor(
    options?: ReadonlyArray<RedactionRule> | { rules?: ReadonlyArray<RedactionRule>; paths?: ReadonlyArray<string> },
  );
  redactString(input: string): string;
  redactString<T>(input: T): T;
  redactObject<T>(obj: T): T;
  /** Appends a rule; throws a TypeError for what is no rule. */
  addRule(rule: RedactionRule): void;
  getRules(): RedactionRule[];
}
