// The types of the package's surface; docs/node.md explains it.

import type { Sampler } from './sampling';

export * from './metrics';

// ---- beginning and end ---------------------------------------------------------------------------------------------

type Text = string | number | boolean;

type List = string | readonly string[];
type Pairs<V> = string | Record<string, V> | Map<string, V>;

interface CamelCaseOptions {
  /** Main switch; false. OTEL_SDK_DISABLED=true beats it. */
  enabled?: boolean | string;
  /** prom: metrics, otel: traces, hybrid: both, which is meant when the option enabled is true and no backend is given. */
  backend?: 'noop' | 'prom' | 'otel' | 'hybrid' | (string & {});
  /** service.name of the resource. */
  serviceName?: string;
  serviceNamespace?: string;
  serviceVersion?: string;
  /** deployment.environment.name of the resource; its word chooses the default ratio: dev and staging 1, others 0.02. */
  environment?: string;
  resourceAttributes?: Pairs<Text>;
  /** Where spans go: otlp when an endpoint is set, else console; memory is for tests. */
  exporter?: 'otlp' | 'console' | 'file' | 'memory' | 'none' | (string & {});
  /** always_on, always_off, traceidratio or jaeger_remote, each also with the prefix parentbased_; or a tree of
   * djp-telemetry/sampling, or its text. */
  sampler?: string | Sampler;
  /** The server that jaeger_remote asks, by HTTP; http://localhost:5778/sampling. */
  remoteSamplingEndpoint?: string;
  /** Seconds between two questions; 60. */
  remoteSamplingInterval?: number | string;
  /** The sampled flag of the caller decides for our part of its trace; true. */
  parentBased?: boolean | string;
  /** Part of the traces that is kept, 0 to 1. Errors and slow traces are kept besides, except with 0. */
  sampleRatio?: number | string;
  /** Seconds; a local trace that takes longer is kept; 2. */
  slowThreshold?: number | string;
  /** A local trace with an error is kept; true. */
  sampleErrors?: boolean | string;
  /** More reasons to keep a local trace; docs/sampling.md has their grammar. A text or a list of rules. */
  tailSamplingRules?: List;
  /** Seconds after which a local trace is decided although its root is still open; 60. */
  decisionWait?: number | string;
  /** Part of the traces that is recorded at all, 0 to 1; 1. Nothing is kept of the others, errors neither. */
  canaryRatio?: number | string;
  /** A file that switches recording and the ratio while the process runs; docs/rate-and-budget.md. */
  overridesFile?: string;
  /** Most spans a second that the process exports, in fair shares of the routes; 0: no limit. */
  spanRateLimit?: number | string;
  /** What telemetry may cost in a calendar month (UTC), in the unit of the prices; 0: no budget. */
  budgetPerMonth?: number | string;
  /** Price of 10^9 exported bytes; 0. */
  pricePerGb?: number | string;
  /** Price of 1,000,000 exported spans; 0. */
  pricePerMillionSpans?: number | string;
  /** Price of 1,000 metric series for a month; 0. */
  pricePerThousandSeries?: number | string;
  /** A file in which the month's sum survives restarts and is shared by the processes of a host. */
  budgetFile?: string;
  /** Exported spans a second that the ratio is steered to; 0: the ratio stays. */
  targetSpansPerSecond?: number | string;
  /** The same for bytes a second on the wire. With both, the smaller one counts. */
  targetBytesPerSecond?: number | string;
  /** The collector; http://localhost:4317. */
  endpoint?: string | URL;
  /** grpc, or http/protobuf for port 4318 and endpoints with a path. */
  protocol?: 'grpc' | 'http/protobuf' | 'http/json' | (string & {});
  /** Of export requests; never shown. */
  headers?: Pairs<string> | Headers;
  /** Seconds for one attempt of an export; 10. */
  exportTimeout?: number | string;
  compression?: 'none' | 'gzip' | (string & {});
  /** Plain text for a gRPC endpoint without a scheme; false. */
  insecure?: boolean | string;
  /** PEM file of the authorities that may sign the certificate of the collector, in place of the system's. */
  certificate?: string;
  /** PEM file of more authorities, besides those; NODE_EXTRA_CA_CERTS. */
  extraCertificate?: string;
  clientKey?: string;
  clientCertificate?: string;
  httpProxy?: string | URL;
  httpsProxy?: string | URL;
  noProxy?: List;
  /** File of the exporter "file". */
  filePath?: string;
  /** Form of spans on the console; 'auto': pretty where standard output is a terminal. */
  consoleFormat?: 'auto' | 'json' | 'pretty' | (string & {});
  maxRequestBytes?: number | string;
  maxResponseBytes?: number | string;
  /** Memory for ended spans that wait; 4 MiB. */
  ringBytes?: number | string;
  /** Seconds that an ended span waits at most; 5. */
  flushInterval?: number | string;
  maxBatchSpans?: number | string;
  /** OTLP requests on their way at once, 1 to 16; 4. */
  exportConcurrency?: number | string;
  /** Seconds that the end of the process waits for the last export; 1. */
  shutdownTimeout?: number | string;
  /** Memory for local traces that are not decided yet; 8 MiB. */
  decisionBufferBytes?: number | string;
  attributeCountLimit?: number | string;
  attributeValueLengthLimit?: number | string;
  eventCountLimit?: number | string;
  linkCountLimit?: number | string;
  eventAttributeCountLimit?: number | string;
  linkAttributeCountLimit?: number | string;
  /** Metrics, where the backend is prom or hybrid; true. */
  metricsEnabled?: boolean | string;
  /** Port of a listener of its own for /metrics; 0: none. */
  prometheusPort?: number | string;
  prometheusHost?: string;
  /** Series of one metric; 2,000. The rest shares one more. */
  cardinalityLimit?: number | string;
  /** Status label of HTTP metrics: 404 or 4xx. */
  statusClass?: 'code' | 'class' | (string & {});
  labelStyle?: 'endpoint' | 'path' | (string & {});
  sdkMetrics?: 'basic' | 'otel' | (string & {});
  /** HTTP attribute names. */
  semconv?: 'old' | 'stable' | 'both' | (string & {});
  /** Request paths that are not measured, exact or ending in '*'. */
  excludedPaths?: List;
  propagators?: List;
  knownMethods?: List;
  /** The SDK's own messages on standard error; info. */
  logLevel?: 'none' | 'error' | 'warn' | 'info' | 'debug' | (string & {});
  /** Flush on SIGTERM, SIGINT, SIGHUP and SIGUSR2 when nobody else handles them; true. */
  handleSigterm?: boolean | string;
  logCorrelation?: boolean | string;
}

type SnakeCase<S extends string> = S extends `${infer First}${infer Rest}`
  ? `${First extends Lowercase<First> ? First : `_${Lowercase<First>}`}${SnakeCase<Rest>}`
  : S;
type SnakeCaseOptions = { [Name in keyof CamelCaseOptions as SnakeCase<Name>]: CamelCaseOptions[Name] };

/** Every option of docs/configuration.md, in camelCase or snake_case; durations are in seconds. */
export interface TelemetryOptions extends CamelCaseOptions, SnakeCaseOptions {}

/** Starts what options and environment ask for. Never throws for a value. */
export function init(options?: TelemetryOptions): void;
/** Sends what is left, for at most `ms` milliseconds (the setting shutdown_timeout without), and ends telemetry. True: all was accepted. */
export function shutdown(ms?: number): Promise<boolean>;
/** Sends what has ended, within `ms` milliseconds (10,000). True: all was accepted. */
export function flush(ms?: number): Promise<boolean>;

/**
 * Switches the recording of spans off and on again, without a restart; metrics go on. Returns whether that holds now: not when
 * telemetry is off by configuration, or the overrides file says otherwise.
 */
export function setEnabled(enabled: boolean): boolean;
/**
 * Changes the part of the traces that is kept by chance, 0 to 1; null is the configured one again. With 0 nothing leaves the
 * process, errors neither. Returns whether it holds now.
 */
export function setSampleRatio(ratio: number | null): boolean;
/**
 * Changes the part of the traces that is recorded at all, 0 to 1; null is the configured one again. Nothing is kept of the others,
 * errors neither. Returns whether it holds now.
 */
export function setCanaryRatio(ratio: number | null): boolean;

export interface TelemetryStatus {
  enabled: boolean;
  backend: string;
  impl: 'native' | 'noop';
  impl_reason: string;
  version: string;
  /** Who switched telemetry on or off: a variable, an option or the default. */
  enabled_by: string;
  /** Why nothing arrives, in a sentence; '' when nothing is known to be wrong. */
  problem: string;
  shut_down: boolean;
  service_name: string;
  pid: number;
  traces: boolean;
  metrics: boolean;
  /** Each setting by its name in docs/configuration.md, and where its value came from. */
  settings: Record<string, { value: any; source: string }>;
  /** Numbers of spans since init(), or since the fork. */
  spans: Record<string, number>;
  /** Where every span is that was started: `started` is the sum of the others; after a shutdown live and waiting are 0. */
  books: Record<'started' | 'live' | 'not_sampled' | 'exported' | 'dropped' | 'waiting', number>;
  /** Lost spans by reason; docs/operations.md says what to do about each. */
  dropped: Record<string, number>;
  /** What holds now and who said so; docs/rate-and-budget.md. ratio is null while a tree of samplers decides, whose text is sampler. */
  sampling: {
    recording: boolean;
    recording_set_by: string;
    ratio: number | null;
    ratio_set_by: string;
    canary: number;
    canary_set_by: string;
    sampler: string | null;
    /** The sampling server; docs/remote-sampling.md. */
    remote: { endpoint: string; strategy: string; last_error: string; [part: string]: any } | null;
  };
  /** The limit of spans a second; level is null while no route is thinned out. */
  rate_limit: { spans_per_second: number; routes: number; routes_merged: number; level: number | null };
  /** The account of the month; in the unit of the prices. */
  budget: Record<string, number | null>;
  /** Metrics: families, series, recordings that were dropped. */
  registry: Record<string, number>;
  /** The receiver: what was tried, what it said last; attempt_seconds: how long the present attempt is without an answer. */
  export: { transport: string; endpoint: string; last_error: string; [part: string]: any };
  /** The numbers of spans by the names of the OpenTelemetry conventions; docs/metrics.md. */
  otel_sdk: Record<string, any>;
  /** Ended spans that wait for the sending thread. */
  ring: Record<'used_bytes' | 'capacity_bytes', number>;
  /** Requests that are sent or wait for it, and the spans of the one that is being made. */
  queue: Record<'requests' | 'spans' | 'bytes' | 'batch_spans', number>;
  /** The sending thread. */
  worker: { running: boolean; starts: number; start_failures: number; pid: number };
  /** The newest warning of the SDK, and when: seconds since 1970. */
  last_error: string;
  last_error_time: number | null;
  [part: string]: any;
}

/** What is on, each setting and where it came from, what was exported, what was lost and why. */
export function telemetryStatus(): TelemetryStatus;

// ---- spans -----------------------------------------------------------------------------------------------------------

/**
 * Texts, numbers, booleans, bigints, bytes, dates, and lists, sets and maps of these. An instance of a class may be given as its text: String(value).
 * Other values are dropped and counted.
 */
export type AttributeValue =
  | string
  | number
  | boolean
  | bigint
  | Date
  | URL
  | ArrayBuffer
  | ArrayBufferView
  | null
  | undefined
  | readonly AttributeValue[]
  | ReadonlySet<AttributeValue>
  | { readonly [key: string]: AttributeValue }
  | ReadonlyMap<string, AttributeValue>;

export type Attributes = { readonly [key: string]: AttributeValue } | ReadonlyMap<string, AttributeValue> | null;

/** Milliseconds since 1970 or a reading of performance.now(), a bigint of nanoseconds since 1970, a Date, or [seconds, nanoseconds]. */
export type Time = number | bigint | Date | readonly [number, number];

export interface SpanContext {
  traceId: string;
  spanId: string;
  traceFlags: number;
  /** As its header, or an object with serialize(). */
  traceState?: string | { serialize(): string };
  isRemote?: boolean;
}

/** The numbers of @opentelemetry/api, where each word has its own. */
export declare const SpanKind: Readonly<{ INTERNAL: 0; SERVER: 1; CLIENT: 2; PRODUCER: 3; CONSUMER: 4 }>;
export type SpanKind = 0 | 1 | 2 | 3 | 4 | 'internal' | 'server' | 'client' | 'producer' | 'consumer';

export declare const StatusCode: Readonly<{ UNSET: 0; OK: 1; ERROR: 2 }>;
export type StatusCode = 0 | 1 | 2 | 'unset' | 'ok' | 'error';

/** A span, its context, or what extract() found. */
export type Parent = Span | SpanContext | Context | { spanContext(): SpanContext };
export type Link = Parent | { context: Parent; attributes?: Attributes };

export interface SpanOptions {
  kind?: SpanKind;
  startTime?: Time;
  links?: readonly Link[];
  /** A new trace, whatever is current. */
  root?: boolean;
  /** In place of the current span. */
  parent?: Parent | null;
  attributes?: Attributes;
}

/** What travels along with await, timers and events. */
export interface Context {
  readonly span: Span | null;
  readonly baggage: string | null;
}

/** One operation. Made by startSpan() and withSpan(). After end() its methods do nothing. */
export declare class Span implements Context {
  private constructor();
  readonly span: Span;
  readonly baggage: string | null;
  readonly traceId: string;
  readonly spanId: string;
  readonly traceFlags: number;
  readonly traceState: string;
  isRecording(): boolean;
  spanContext(): SpanContext;
  setAttribute(key: string, value: AttributeValue): this;
  setAttributes(attributes: Attributes | undefined): this;
  addEvent(name: string, attributes?: Attributes, time?: Time): this;
  addEvent(name: string, time: Time): this;
  addLink(link: Link, attributes?: Attributes): this;
  addLinks(links: readonly Link[]): this;
  recordException(error: unknown, attributes?: Attributes, time?: Time): this;
  recordException(error: unknown, time: Time): this;
  setStatus(status: StatusCode | { code: StatusCode; message?: string }, message?: string): this;
  updateName(name: string): this;
  end(time?: Time): void;
}

/** Starts a span, which the caller ends; it does not become current. */
export function startSpan(name: string, attributes?: Attributes, options?: SpanOptions): Span;

/** Calls fn with a new span as the current one and ends it with fn, or with the promise that fn returns. */
export function withSpan<R>(name: string, fn: (span: Span) => R): R;
export function withSpan<R>(name: string, attributes: Attributes | undefined, fn: (span: Span) => R): R;
export function withSpan<R>(
  name: string,
  attributes: Attributes | undefined,
  options: SpanOptions | undefined,
  fn: (span: Span) => R,
): R;

/** Wraps a function: each call is a span. */
export function traced<F extends (this: any, ...args: any[]) => any>(fn: F): F;
export function traced<F extends (this: any, ...args: any[]) => any>(name: string, fn: F): F;

export declare class Tracer {
  private constructor();
  startSpan(name: string, options?: SpanOptions, context?: Parent): Span;
  /** fn ends the span. */
  startActiveSpan<R>(name: string, fn: (span: Span) => R): R;
  startActiveSpan<R>(name: string, options: SpanOptions, fn: (span: Span) => R): R;
  startActiveSpan<R>(name: string, options: SpanOptions, context: Parent, fn: (span: Span) => R): R;
  withSpan: typeof withSpan;
}

export interface TracerOptions {
  /** Where the meaning of the names is written. */
  schemaUrl?: string;
  /** Of the scope itself: texts, numbers and booleans. */
  attributes?: Record<string, Text | bigint> | Map<string, Text | bigint>;
}

/** A tracer for one instrumentation scope. */
export function getTracer(name?: string, version?: string, options?: TracerOptions): Tracer;

/** The current span; one without ids that records nothing when there is none. */
export function getCurrentSpan(): Span;
/** 32 hexadecimal digits, or '' without a span. */
export function getCurrentTraceId(): string;
/** 16 hexadecimal digits, or '' without a span. */
export function getCurrentSpanId(): string;

// ---- contexts --------------------------------------------------------------------------------------------------------

/** The current span and baggage, for runWithContext(). */
export function getCurrentContext(): Context;
/** Calls fn(...args) with this context as the current one. */
export function runWithContext<A extends any[], R>(context: Parent, fn: (...args: A) => R, ...args: A): R;

export type Setter<C> =
  ((carrier: C, name: string, value: string) => void) | { set(carrier: C, name: string, value: string): void };
export type Getter<C> =
  | ((carrier: C, name: string) => string | string[] | undefined | null)
  | { get(carrier: C, name: string): string | string[] | undefined | null };

/** Writes traceparent, tracestate and baggage into the carrier (a new object without one) and returns it. */
export function inject(): Record<string, string>;
export function inject<C>(carrier: C, context?: Parent | null, setter?: Setter<C>): C;
/** Reads them. The span is null when nothing valid is there. */
export function extract<C>(carrier: C, getter?: Getter<C>): Context;

/** One entry of the current baggage, or of that of a context. */
export function getBaggage(name: string, context?: Context): string | undefined;
export function getAllBaggage(context?: Context): Record<string, string>;
/** A context with the entry set, for runWithContext(). */
export function setBaggage(name: string, value: string, context?: Context): Context;
export function removeBaggage(name: string, context?: Context): Context;
export function clearBaggage(context?: Context): Context;

// ---- recorded after the fact, outgoing requests ----------------------------------------------------------------------

// One call records the span and the documented metrics of the same event: do not call it for a request that the middleware
// records, nor a recorder of metrics beside it.

/** A server span `http.server` that ends now, an error from status 500 on, and recordHttpRequest(). The route is a template, never a path. */
export function recordHttpSpan(method: string, route: string, statusCode: number, durationSeconds: number): void;
/** A span `job.run` that ends now, recordQueueJob() and, for a failure, recordQueueJobFailure(). */
export function recordJobSpan(
  queueName: string,
  jobType: string,
  durationSeconds: number,
  success?: boolean,
  options?: { errorType?: string },
): void;
/** A client span `external.api.call` that ends now, recordExternalApiCall() and, for a failure, recordExternalApiError(). */
export function recordExternalApiSpan(
  service: string,
  operation: string,
  durationSeconds: number,
  success?: boolean,
  options?: { statusCode?: number },
): void;

// The documented metrics alone. Names, labels and buckets: docs/metrics.md. A number that makes no sense is counted as dropped.

/** http_requests_total, http_request_duration_seconds (in seconds) and, with a size in bytes, http_request_size_bytes. */
export function recordHttpRequest(
  method: string,
  endpoint: string,
  statusCode: number,
  durationSeconds: number,
  requestSizeBytes?: number,
): void;
/** queue_job_latency_seconds */
export function recordQueueJob(jobType: string, durationSeconds: number): void;
/** queue_job_failures_total; the type is a class of errors, never a message. */
export function recordQueueJobFailure(errorType: string): void;
/** queue_depth, shown as queue_depth_total, too. */
export function setQueueDepth(queueName: string, depth: number): void;
/** external_api_calls_total and external_api_duration_seconds */
export function recordExternalApiCall(service: string, operation: string, durationSeconds: number): void;
/** external_api_errors_total; no status is 'other'. */
export function recordExternalApiError(service: string, statusCode?: number): void;
/** token_cost_usd_total; the tenant must be hashed already. */
export function recordTokenCost(model: string, tenant: string, usd: number): void;
/** workflow_cost_usd_total */
export function recordWorkflowCost(usd: number): void;
/** model_requests_total, model_tokens_total and model_cost_usd_total */
export function recordModelRequest(
  provider: string,
  model: string,
  status?: string,
  used?: { inputTokens?: number; outputTokens?: number; costUsd?: number },
): void;
/** task_duration_seconds */
export function recordTask(status: string, priority: string, durationSeconds: number): void;
/** task_queue_depth */
export function setTaskQueueDepth(priority: string, depth: number): void;
/** gpu_utilization_percent, 0 to 100 */
export function setGpuUtilization(device: string, model: string, percent: number): void;

export interface OutgoingOptions {
  /** false: requests of fetch and undici are left alone. */
  fetch?: boolean;
  /** false: requests of http and https are left alone. */
  http?: boolean;
  /** Only requests to these carry trace context: origins, patterns of origins, or a function. */
  origins?: string | RegExp | ReadonlyArray<string | RegExp> | ((origin: string) => boolean);
  /** A client span for each request. */
  spans?: boolean;
}

/** Outgoing requests carry the current context. Returns what ends it. */
export function instrumentOutgoing(options?: OutgoingOptions): () => void;

// ---- about the package -----------------------------------------------------------------------------------------------

/** What the exporter "memory" holds, which forgets it: OTLP requests as bytes. For tests. */
export function takeExported(): Uint8Array[];

/** A span that the exporter "memory" held. Times are nanoseconds since 1970. */
export interface ExportedSpan {
  name: string;
  kind: 'internal' | 'server' | 'client' | 'producer' | 'consumer' | 'unspecified';
  traceId: string;
  spanId: string;
  /** '' for a root. */
  parentSpanId: string;
  traceState: string;
  startTime: bigint;
  endTime: bigint;
  attributes: Record<string, any>;
  events: { name: string; time: bigint; attributes: Record<string, any> }[];
  links: { traceId: string; spanId: string; traceState: string; attributes: Record<string, any> }[];
  status: { code: 'unset' | 'ok' | 'error'; message: string };
  droppedAttributes: number;
  scope: { name: string; version: string; schemaUrl: string; attributes: Record<string, any> };
  /** The attributes of the resource. */
  resource: Record<string, any>;
}

/** The same as spans, in the order in which they were exported: flush() first. For tests. */
export function takeSpans(): ExportedSpan[];
export declare const version: string;
/** 'noop': the native part is missing, see implReason. */
export declare const impl: 'native' | 'noop';
export declare const implReason: string;
