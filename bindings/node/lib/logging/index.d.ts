// / <reference types="node" />

/** Levels, least severe first; `silent` writes nothing. */
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';

/** Options of createLogger(). */
export interface LoggerConfig {
  /** Least severe level that is written. Default: info. */
  level?: LogLevel | 'silent';
  /**
   * Name of the service. Default: the service name of init(), otherwise unknown; call init() first.
   */
  service?: string;
  /**
   * Name of the environment. Default: NODE_ENV, otherwise the environment of init(), otherwise
   * unknown.
   */
  environment?: string;
  /** true: lines for reading, by pino-pretty if it is installed. Default: false. */
  pretty?: boolean;
  /**
   * Names (at every depth) or paths (`a.b[*].c`) whose values are redacted, in addition to the
   * built-in ones.
   */
  redactPaths?: string[];
  /** Patterns that are applied after the default rules; matches become `[REDACTED]`. */
  redactPatterns?: RegExp[];
  /** Destination of lines. Default: standard output. */
  destination?: NodeJS.WritableStream;
  /** Key of the hashes of user ids and tenant ids. Default: a random key of this process. */
  hashKey?: string | Uint8Array;
  /** Limit of lines per second for each level below error. Default: no limit. */
  rateLimit?: number;
}

/** Fields of a line. */
export type LogMetadata = Record<string, unknown>;

/** Writes JSON lines with the ids of the current span. Its methods throw nothing. */
export interface Logger {
  /** Least severe level that is written; may be changed. */
  level: LogLevel | 'silent';
  /** Whether lines of a level are written. */
  isLevelEnabled(level: LogLevel): boolean;
  /** Writes a line of the level trace. */
  trace(message: string, metadata?: LogMetadata): void;
  /** Writes a line of the level debug. */
  debug(message: string, metadata?: LogMetadata): void;
  /** Writes a line of the level info. */
  info(message: string, metadata?: LogMetadata): void;
  /** Writes a line of the level warn. */
  warn(message: string, metadata?: LogMetadata): void;
  /** Writes a line of the level error, with the type, message and stack of an error. */
  error(message: string): void;
  error(message: string, error: Error): void;
  error(message: string, error: Error, metadata: LogMetadata): void;
  error(message: string, metadata: LogMetadata): void;
  /** Writes a line of the level fatal, with the type, message and stack of an error. */
  fatal(message: string): void;
  fatal(message: string, error: Error): void;
  fatal(message: string, error: Error, metadata: LogMetadata): void;
  fatal(message: string, metadata: LogMetadata): void;
  /** Returns a logger that adds these fields to each line. */
  child(bindings: LogMetadata): Logger;
  /**
   * Resolves when the destination has accepted all lines, after 5 seconds at most. Never rejects.
   */
  flush(): Promise<void>;
}

/** Makes a logger. Throws an error if the package pino is not installed. */
export function createLogger(config?: LoggerConfig): Logger;

/** Returns trace_id and span_id of the current span; empty without one. */
export function getStructuredLogContext():
  { trace_id: string; span_id: string } | Record<string, never>;

/** Options of traceMixin() and winstonFormat(). */
export interface MixinOptions {
  /** Key of the hashes of user ids and tenant ids. Default: a random key of this process. */
  hashKey?: string | Uint8Array;
}

/** Returns a function for the option `mixin` of pino, which adds the ids of the current span. */
export function traceMixin(options?: MixinOptions): () => Record<string, string>;

/** A Format of winston, without a dependency on its types. */
export interface WinstonFormat {
  /** Options of the format. */
  options?: object;
  /** Adds the ids of the current span to a record. */
  transform(info: any, opts?: unknown): any;
}

/** Returns a format for winston that adds the ids of the current span. */
export function winstonFormat(options?: MixinOptions): WinstonFormat;

/** Ids that each line of a request has. */
export interface CorrelationContext {
  /** Id of the whole operation. */
  correlationId: string;
  /** Id of the request. */
  requestId?: string;
  /** Id of the session. */
  sessionId?: string;
  /** Id of the user; logged as a hash. */
  userId?: string;
}

/** Returns a copy of the current context; undefined outside of runWithCorrelationContext(). */
export function getCorrelationContext(): CorrelationContext | undefined;
/** Adds ids to the current context. Does nothing outside of runWithCorrelationContext(). */
export function setCorrelationContext(context: Partial<CorrelationContext>): void;
/** Calls fn in a new context. A missing correlationId is generated. Returns what fn returns. */
export function runWithCorrelationContext<T>(
  context: Partial<CorrelationContext> | undefined,
  fn: () => T,
): T;
/** Returns a new random id. */
export function generateCorrelationId(): string;

interface IncomingLike {
  headers: Record<string, string | string[] | undefined>;
}
interface OutgoingLike {
  headersSent?: boolean;
  setHeader(name: string, value: string): unknown;
}

/**
 * Returns middleware for Express 4 and 5, and for others with (req, res, next): each request has
 * its context.
 */
export function correlationMiddleware(): (
  req: IncomingLike,
  res: OutgoingLike,
  next: (error?: any) => void,
) => void;

/** Plugin for Fastify 4 and 5: `fastify.register(correlationPlugin)`. */
export function correlationPlugin(
  fastify: any,
  options: object,
  done: (error?: Error) => void,
): void;

/** The functions of this module as methods. */
export interface CorrelationOperations {
  /** As generateCorrelationId(). */
  generateId(): string;
  /** As getCorrelationContext(). */
  getContext(): CorrelationContext | undefined;
  /** Returns the correlationId of the current context. */
  getCorrelationId(): string | undefined;
  /** As runWithCorrelationContext(). */
  run<T>(fn: () => T): T;
  run<T>(contextOrId: Partial<CorrelationContext> | string | undefined, fn: () => T): T;
  /** Adds ids to the current context. */
  set(context: Partial<CorrelationContext>): void;
  set(name: keyof CorrelationContext, value: string): void;
  /** As setCorrelationContext(). */
  setContext(context: Partial<CorrelationContext>): void;
  /** As correlationMiddleware(). */
  middleware(): ReturnType<typeof correlationMiddleware>;
}

/**
 * The functions of this module as methods of the class and of its instances; all share one context.
 */
export const CorrelationManager: CorrelationOperations & { new (): CorrelationOperations };
/** An instance of CorrelationManager. */
export type CorrelationManager = CorrelationOperations;

/** A rule of redaction. */
export interface RedactionRule {
  /** Name of the rule. */
  name: string;
  /** What is replaced. */
  pattern: RegExp;
  /** The replacement. */
  replacement: string;
}

/** The built-in rules. */
export const DEFAULT_REDACTION_RULES: ReadonlyArray<Readonly<RedactionRule>>;
/** Returns the text with the rules applied. A value that is not text is returned unchanged. */
export function redactString(input: string, rules?: ReadonlyArray<RedactionRule>): string;
export function redactString<T>(input: T, rules?: ReadonlyArray<RedactionRule>): T;
/** Returns a copy without the values of sensitive names and of the paths. */
export function redactObject<T>(obj: T, paths?: ReadonlyArray<string>): T;
/** As redactObject(), with the rules applied to each text. */
export function deepRedact<T>(
  obj: T,
  paths?: ReadonlyArray<string>,
  rules?: ReadonlyArray<RedactionRule>,
): T;

/** Rules and paths of redaction as an object. */
export class RedactionService {
  /** Uses the built-in rules unless others are given. */
  constructor(
    options?:
      | ReadonlyArray<RedactionRule>
      | { rules?: ReadonlyArray<RedactionRule>; paths?: ReadonlyArray<string> },
  );
  /** As redactString(), with the rules of the object. */
  redactString(input: string): string;
  redactString<T>(input: T): T;
  /** As redactObject(), with the paths of the object. */
  redactObject<T>(obj: T): T;
  /** Appends a rule. Throws a TypeError if the argument is not a rule. */
  addRule(rule: RedactionRule): void;
  /** Returns a copy of the rules. */
  getRules(): RedactionRule[];
}
