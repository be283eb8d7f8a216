// Types of the API; docs/node.md explains it.

import type { TelemetryOptions } from './settings';
import type { TelemetryStatus } from './status';

export * from './metrics';
export type { TelemetryOptions } from './settings';
export * from './status';

// What stands between marks is written by `make gen` from contract/.

type Text = string | number | boolean;

// ---- start and end ------------------------------------------------------------------------------

// gen:begin surface init_telemetry shutdown flush set_enabled set_sample_ratio set_canary_ratio
// gen:names telemetry_status
/**
 * Starts telemetry as the options and the environment configure it. An option takes precedence over
 * its variables. A call while telemetry is active changes nothing; after `shutdown` it starts
 * again. Throws nothing for a value: an invalid one is replaced by its default, with one warning on
 * standard error. Durations are in seconds.
 * @param options Each setting of docs/configuration.md, in camelCase or snake_case.
 */
export function init(options?: TelemetryOptions): void;

/**
 * Exports what waits and ends telemetry. Later calls of the package are no-ops until it is started
 * again. A second call during a shutdown waits for it and returns the same result. Never fails.
 * @param ms Time limit in milliseconds; the setting shutdown_timeout by default.
 * @returns true if the receiver accepted everything within the time limit.
 */
export function shutdown(ms?: number): Promise<boolean>;

/**
 * Exports all spans that have ended. Never fails.
 * @param ms Time limit in milliseconds; 10,000 by default.
 * @returns true if the receiver accepted all of them within the time limit.
 */
export function flush(ms?: number): Promise<boolean>;

/**
 * Turns the recording of spans off or on without a restart. While it is off, spans are no-ops and
 * no span leaves the process, including those that wait. Metrics are not affected.
 * @param enabled Whether to record.
 * @returns true if this is now in effect; false if telemetry is not started or the overrides file
 * decides otherwise.
 */
export function setEnabled(enabled: boolean): boolean;

/**
 * Changes the share of traces that are sampled by chance. With 0 nothing is exported, not even
 * errors. An invalid value changes nothing and logs a warning.
 * @param ratio 0 to 1; null restores the configured ratio.
 * @returns true if this is now in effect, as for `setEnabled`.
 */
export function setSampleRatio(ratio: number | null): boolean;

/**
 * Changes the share of traces that are recorded at all. Nothing is exported of the others, not even
 * errors. An invalid value changes nothing and logs a warning.
 * @param ratio 0 to 1; null restores the configured ratio.
 * @returns true if this is now in effect, as for `setEnabled`.
 */
export function setCanaryRatio(ratio: number | null): boolean;

/**
 * Returns the state of the SDK: what is on, each setting with its source, counts of exported and
 * lost spans by reason, and in `problem` why nothing arrives. The keys are always the same;
 * docs/status.md lists them. Never fails.
 */
export function telemetryStatus(): TelemetryStatus;
// gen:end

// ---- spans --------------------------------------------------------------------------------------

/**
 * Value of an attribute: text, number, boolean, bigint, bytes, date, or a list, set or map of
 * these. An instance of a class is recorded as String(value). Other values are dropped and counted.
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

/** Attributes by name. */
export type Attributes =
  { readonly [key: string]: AttributeValue } | ReadonlyMap<string, AttributeValue> | null;

/**
 * A time: milliseconds since 1970 or a reading of performance.now() as a number, nanoseconds since
 * 1970 as a bigint, a Date, or [seconds, nanoseconds] since 1970.
 */
export type Time = number | bigint | Date | readonly [number, number];

/** Ids, flags and tracestate of a span (W3C Trace Context), in the form of @opentelemetry/api. */
export interface SpanContext {
  /** Trace id: 32 lower-case hexadecimal digits. */
  traceId: string;
  /** Span id: 16 lower-case hexadecimal digits. */
  spanId: string;
  /** Trace flags: bit 0 is the sampled flag. */
  traceFlags: number;
  /** Tracestate as the value of its header, or an object with serialize(). */
  traceState?: string | { serialize(): string };
  /** Whether the span belongs to another process. */
  isRemote?: boolean;
}

/** Span kinds, with the numbers of @opentelemetry/api. */
export declare const SpanKind: Readonly<{
  INTERNAL: 0;
  SERVER: 1;
  CLIENT: 2;
  PRODUCER: 3;
  CONSUMER: 4;
}>;
/** A span kind as a number of @opentelemetry/api or as a word. */
export type SpanKind =
  0 | 1 | 2 | 3 | 4 | 'internal' | 'server' | 'client' | 'producer' | 'consumer';

/** Status codes, with the numbers of @opentelemetry/api. */
export declare const StatusCode: Readonly<{ UNSET: 0; OK: 1; ERROR: 2 }>;
/** A status code as a number of @opentelemetry/api or as a word. */
export type StatusCode = 0 | 1 | 2 | 'unset' | 'ok' | 'error';

/** A parent: a span, its context, or what extract() returns. */
export type Parent = Span | SpanContext | Context | { spanContext(): SpanContext };
/** A link: a span or its context, also with attributes. */
export type Link = Parent | { context: Parent; attributes?: Attributes };

/** Options of startSpan(), withSpan() and Tracer.startSpan(). */
export interface SpanOptions {
  /** Kind of the span; internal by default. */
  kind?: SpanKind;
  /** Start of the span; now by default. */
  startTime?: Time;
  /** Links to other spans. */
  links?: readonly Link[];
  /** true: the span begins a new trace. */
  root?: boolean;
  /** The parent instead of the current span. */
  parent?: Parent | null;
  /** Attributes of the span, in addition to those of the call. */
  attributes?: Attributes;
}

// gen:begin surface Context Span start_span with_span traced Tracer
/** A span and baggage, as they are current or as headers carried them. Immutable. */
export interface Context {
  /** The span. null if the context has no span. */
  readonly span: Span | null;
  /** The baggage (W3C Baggage). null if it is empty. */
  readonly baggage: string | null;
}

/**
 * One operation. `startSpan` and `Tracer.startSpan` make spans. After its end, and if nothing is
 * recorded, its methods do nothing. No method fails for a value: an unsupported one is dropped and
 * counted in `spans.dropped_attributes` of the status.
 */
export declare class Span implements Context {
  private constructor();
  /**
   * Sets an attribute. A later value of the same key replaces the earlier one.
   * @param key Name of the attribute, not empty.
   * @param value Text, number, boolean, bytes, null, or a list or mapping of these (OpenTelemetry
   * AnyValue).
   */
  setAttribute(key: string, value: AttributeValue): this;
  /**
   * Sets each attribute of a mapping, as `setAttribute` does.
   * @param attributes Mapping of names to values; null is empty.
   */
  setAttributes(attributes: Attributes | undefined): this;
  /**
   * Adds an event.
   * @param name Name of the event.
   * @param attributes Attributes of the event.
   * @param time Time of the event; now by default.
   */
  addEvent(name: string, attributes?: Attributes, time?: Time): this;
  addEvent(name: string, time: Time): this;
  /**
   * Adds a link to another span. A span context without valid ids is ignored.
   * @param link A span, its context, or an object with `context` and `attributes`.
   * @param attributes Attributes of the link.
   */
  addLink(link: Link, attributes?: Attributes): this;
  /**
   * Adds each link of a list, as `addLink` does.
   * @param links The links.
   */
  addLinks(links: readonly Link[]): this;
  /**
   * Adds an event `exception` with exception.type, exception.message and exception.stacktrace
   * (OpenTelemetry semantic conventions). A stack trace is cut at 32,768 characters. The status of
   * the span is not changed.
   * @param error The error, or any other value that was thrown.
   * @param attributes Additional attributes of the event.
   * @param time As for `addEvent`.
   */
  recordException(error: unknown, attributes?: Attributes, time?: Time): this;
  recordException(error: unknown, time: Time): this;
  /**
   * Sets the status. OK is final: later calls change nothing. An unknown status is dropped and
   * counted.
   * @param status unset, ok or error, as a word, a number or a `StatusCode`; or an object with a
   * code and a description.
   * @param message Description of an error; ignored with another status.
   */
  setStatus(status: StatusCode | { code: StatusCode; message?: string }, message?: string): this;
  /**
   * Changes the name of the span.
   * @param name The new name.
   */
  updateName(name: string): this;
  /**
   * Ends the span. Only the first call counts.
   * @param time Time of the end; now by default.
   */
  end(time?: Time): void;
  /** Whether the span records what it is given: it has not ended and recording is on. */
  isRecording(): boolean;
  /** Returns the ids, flags and tracestate of the span (W3C Trace Context). */
  spanContext(): SpanContext;
  /** The span itself, so that a span can be used as a context. */
  readonly span: Span;
  /**
   * Text of the baggage that was current when the span started (W3C Baggage); null if there is
   * none.
   */
  readonly baggage: string | null;
  /** The trace id: 32 lower-case hexadecimal digits, all 0 without one (W3C Trace Context). */
  readonly traceId: string;
  /** The span id: 16 lower-case hexadecimal digits, all 0 without one (W3C Trace Context). */
  readonly spanId: string;
  /** The trace flags: bit 0 is the sampled flag, bit 1 the random flag (W3C Trace Context). */
  readonly traceFlags: number;
  /** Text of the tracestate header; empty if there is none (W3C Trace Context). */
  readonly traceState: string;
}

/**
 * Starts a span, which the caller ends. Never fails for a value. The span does not become current;
 * see withSpan().
 * @param name Name of the span; an empty or invalid one becomes `unnamed`.
 * @param attributes Attributes of the span.
 * @param options Kind, start time, links, parent, or a new root.
 */
export function startSpan(name: string, attributes?: Attributes, options?: SpanOptions): Span;

/**
 * Calls fn with a new span as the current one. The span ends when fn returns or, if fn returns a
 * promise, when the promise settles. An error is recorded and thrown again.
 * @param name Name of the span.
 * @param attributes Attributes of the span.
 * @param options As for `startSpan`.
 * @param fn The function.
 * @returns What fn returns.
 */
export function withSpan<R>(name: string, fn: (span: Span) => R): R;
export function withSpan<R>(
  name: string,
  attributes: Attributes | undefined,
  fn: (span: Span) => R,
): R;
export function withSpan<R>(
  name: string,
  attributes: Attributes | undefined,
  options: SpanOptions | undefined,
  fn: (span: Span) => R,
): R;

/**
 * Makes each call of a function a span. The span ends when the function returns or, if the result
 * is an awaitable, promise, future or generator, when that is done. An exception is recorded and
 * passed on unchanged.
 * @param name Name of the span; the name of the function by default.
 * @param fn The function.
 */
export function traced<F extends (this: any, ...args: any[]) => any>(fn: F): F;
export function traced<F extends (this: any, ...args: any[]) => any>(name: string, fn: F): F;

/** Starts spans under an instrumentation scope. `getTracer` makes tracers. */
export declare class Tracer {
  private constructor();
  /**
   * Starts a span, which the caller ends. Arguments as for `startSpan` of the package.
   * @param name Name of the span.
   * @param context The parent; the current span by default.
   * @param options Kind, start time, links, attributes, or a new root.
   */
  startSpan(name: string, options?: SpanOptions, context?: Parent): Span;
  /**
   * Calls fn with a new span as the current one. fn ends the span, as with @opentelemetry/api.
   * Returns what fn returns.
   * @param name Name of the span.
   * @param options As for `startSpan`.
   * @param context The parent; the current span by default.
   * @param fn The function.
   */
  startActiveSpan<R>(name: string, fn: (span: Span) => R): R;
  startActiveSpan<R>(name: string, options: SpanOptions, fn: (span: Span) => R): R;
  startActiveSpan<R>(name: string, options: SpanOptions, context: Parent, fn: (span: Span) => R): R;
  /** As withSpan() of the package, under the scope of this tracer. */
  withSpan: typeof withSpan;
}
// gen:end

/** Options of getTracer(). */
export interface TracerOptions {
  /** URL of the schema of the attribute names. */
  schemaUrl?: string;
  /** Attributes of the scope: texts, numbers and booleans. */
  attributes?: Record<string, Text | bigint> | Map<string, Text | bigint>;
}

// gen:begin surface get_tracer get_current_span get_current_trace_id get_current_span_id
/**
 * Returns a tracer for an instrumentation scope. A process can use 1,023 different scopes; spans of
 * further ones are recorded without a scope.
 * @param name Name of the scope, usually of the library.
 * @param version Version of the scope.
 * @param options URL of the schema and attributes of the scope.
 */
export function getTracer(name?: string, version?: string, options?: TracerOptions): Tracer;

/** Returns the current span; without one, a span that has no ids and records nothing. */
export function getCurrentSpan(): Span;

/**
 * Returns the trace id of the current span as 32 lower-case hexadecimal digits; empty without a
 * span.
 */
export function getCurrentTraceId(): string;

/**
 * Returns the span id of the current span as 16 lower-case hexadecimal digits; empty without a
 * span.
 */
export function getCurrentSpanId(): string;
// gen:end

// ---- contexts -----------------------------------------------------------------------------------

// gen:begin surface get_current_context run_with_context
/** Returns the current span and baggage as a Context. */
export function getCurrentContext(): Context;

/**
 * Calls fn with a context as the current one, also in what it awaits. Returns what fn returns.
 * @param context A context, span or span context.
 * @param fn The function.
 * @param args Arguments of fn.
 */
export function runWithContext<A extends any[], R>(
  context: Parent,
  fn: (...args: A) => R,
  ...args: A
): R;
// gen:end

/** Sets a header of a carrier that is not a plain object. */
export type Setter<C> =
  | ((carrier: C, name: string, value: string) => void)
  | { set(carrier: C, name: string, value: string): void };
/** Reads a header of a carrier that is not a plain object. */
export type Getter<C> =
  | ((carrier: C, name: string) => string | string[] | undefined | null)
  | { get(carrier: C, name: string): string | string[] | undefined | null };

// gen:begin surface inject extract get_baggage get_all_baggage set_baggage remove_baggage
// gen:names clear_baggage
/**
 * Writes traceparent, tracestate (W3C Trace Context) and baggage (W3C Baggage) into a carrier. An
 * error of the carrier is ignored.
 * @param carrier A mutable mapping of headers; a new one by default.
 * @param setter Sets a header of a carrier of another type: set(carrier, name, value).
 * @param context The context to write; the current one by default.
 * @returns The carrier.
 */
export function inject(): Record<string, string>;
export function inject<C>(carrier: C, context?: Parent | null, setter?: Setter<C>): C;

/**
 * Extracts trace context (W3C Trace Context) and baggage (W3C Baggage) from a carrier. Never fails.
 * @param carrier The headers.
 * @param getter Reads a header of a carrier of another type: get(carrier, name).
 * @returns A Context; its span is invalid (null in Node) if no valid header was found.
 */
export function extract<C>(carrier: C, getter?: Getter<C>): Context;

/**
 * Returns the value of a baggage entry.
 * @param name Name of the entry.
 * @param context The context; the current one by default.
 * @returns The value, or undefined.
 */
export function getBaggage(name: string, context?: Context): string | undefined;

/**
 * Returns all baggage entries as a new object.
 * @param context The context; the current one by default.
 */
export function getAllBaggage(context?: Context): Record<string, string>;

/**
 * Returns a context with the baggage entry set, for `runWithContext`. An invalid name or value
 * leaves the baggage unchanged (W3C Baggage).
 * @param name Name of the entry.
 * @param value Value of the entry.
 * @param context The context; the current one by default.
 */
export function setBaggage(name: string, value: string, context?: Context): Context;

/**
 * Returns a context without the baggage entry.
 * @param name Name of the entry.
 * @param context The context; the current one by default.
 */
export function removeBaggage(name: string, context?: Context): Context;

/**
 * Returns a context without baggage.
 * @param context The context; the current one by default.
 */
export function clearBaggage(context?: Context): Context;
// gen:end

// ---- recorders ----------------------------------------------------------------------------------

// A call records the span and the metrics of an operation. Do not call one for a request that the
// middleware records, or together with a recorder of the same metrics.

// gen:begin surface otel.record_http_span otel.record_job_span otel.record_external_api_span
/**
 * Records an answered HTTP request that has just ended: a server span `http.server`, which is an
 * error for a status of 500 or more, and the metrics of `recordHttpRequest`. The middleware does
 * this for each request: do not call it there.
 * @param method HTTP method.
 * @param route Template of the route, never a path with ids.
 * @param statusCode HTTP status, 100 to 599.
 * @param durationSeconds Duration in seconds.
 */
export function recordHttpSpan(
  method: string,
  route: string,
  statusCode: number,
  durationSeconds: number,
): void;

/**
 * Records a job that has just ended: a span `job.run`, queue_job_latency_seconds and, for a
 * failure, queue_job_failures_total.
 * @param queueName Name of the queue.
 * @param jobType Type of the job.
 * @param durationSeconds Duration in seconds.
 * @param success Whether the job succeeded.
 * @param errorType Class of the error, never a message; `_OTHER` is recorded without one.
 * @param options errorType: class of the error, never a message; `_OTHER` is recorded without one.
 */
export function recordJobSpan(
  queueName: string,
  jobType: string,
  durationSeconds: number,
  success?: boolean,
  options?: { errorType?: string },
): void;

/**
 * Records a call of another service that has just ended: a client span `external.api.call`,
 * external_api_calls_total, external_api_duration_seconds and, for a failure,
 * external_api_errors_total.
 * @param service Name of the service.
 * @param operation Name of the operation.
 * @param durationSeconds Duration in seconds.
 * @param success Whether the call succeeded.
 * @param statusCode HTTP status of the response.
 * @param options statusCode: HTTP status of the response.
 */
export function recordExternalApiSpan(
  service: string,
  operation: string,
  durationSeconds: number,
  success?: boolean,
  options?: { statusCode?: number },
): void;
// gen:end

// Only the documented metrics. docs/metrics.md lists names, labels and buckets. An invalid number
// is dropped and counted.

// gen:begin surface prom.record_http_request prom.record_queue_job prom.record_queue_job_failure
// gen:names prom.set_queue_depth prom.record_external_api_call prom.record_external_api_error
// gen:names prom.record_token_cost prom.record_workflow_cost prom.record_model_request
// gen:names prom.record_task prom.set_task_queue_depth prom.set_gpu_utilization
/**
 * Records an answered HTTP request in http_requests_total, http_request_duration_seconds and, with
 * a size, http_request_size_bytes. An invalid duration is left out; the request is counted. The
 * middleware does this for each request: do not call it there.
 * @param method HTTP method.
 * @param endpoint Template of the route, never a path with ids.
 * @param statusCode HTTP status, 100 to 599.
 * @param durationSeconds Duration in seconds.
 * @param requestSizeBytes Size of the request body in bytes.
 */
export function recordHttpRequest(
  method: string,
  endpoint: string,
  statusCode: number,
  durationSeconds: number,
  requestSizeBytes?: number,
): void;

/**
 * Records a finished job in queue_job_latency_seconds.
 * @param jobType Type of the job.
 * @param durationSeconds Duration in seconds.
 */
export function recordQueueJob(jobType: string, durationSeconds: number): void;

/**
 * Counts a failed job in queue_job_failures_total.
 * @param errorType Class of the error, never a message.
 */
export function recordQueueJobFailure(errorType: string): void;

/**
 * Sets the number of waiting jobs in queue_depth, which is also shown as queue_depth_total.
 * @param queueName Name of the queue.
 * @param depth Number of waiting jobs.
 */
export function setQueueDepth(queueName: string, depth: number): void;

/**
 * Records a call of another service in external_api_calls_total and external_api_duration_seconds.
 * @param service Name of the service.
 * @param operation Name of the operation.
 * @param durationSeconds Duration in seconds.
 */
export function recordExternalApiCall(
  service: string,
  operation: string,
  durationSeconds: number,
): void;

/**
 * Counts a failed call of another service in external_api_errors_total.
 * @param service Name of the service.
 * @param statusCode HTTP status; `other` is recorded without one.
 */
export function recordExternalApiError(service: string, statusCode?: number): void;

/**
 * Adds the cost of model tokens to token_cost_usd_total.
 * @param model Name of the model.
 * @param tenant Hash of the tenant: everyone who can scrape the metrics can read labels.
 * @param usd Cost in US dollars.
 */
export function recordTokenCost(model: string, tenant: string, usd: number): void;

/**
 * Adds the cost of a workflow to workflow_cost_usd_total.
 * @param usd Cost in US dollars.
 */
export function recordWorkflowCost(usd: number): void;

/**
 * Records a request to a model in model_requests_total, its tokens in model_tokens_total and its
 * cost in model_cost_usd_total.
 * @param provider Name of the provider.
 * @param model Name of the model.
 * @param status Result; success by default.
 * @param inputTokens Number of input tokens; left out if null.
 * @param outputTokens Number of output tokens; left out if null.
 * @param costUsd Cost in US dollars; left out if null.
 */
export function recordModelRequest(
  provider: string,
  model: string,
  status?: string,
  used?: { inputTokens?: number; outputTokens?: number; costUsd?: number },
): void;

/**
 * Records a finished task in task_duration_seconds.
 * @param status Result of the task.
 * @param priority Priority of the task.
 * @param durationSeconds Duration in seconds.
 */
export function recordTask(status: string, priority: string, durationSeconds: number): void;

/**
 * Sets the number of waiting tasks in task_queue_depth.
 * @param priority Priority of the tasks.
 * @param depth Number of waiting tasks.
 */
export function setTaskQueueDepth(priority: string, depth: number): void;

/**
 * Sets the utilization of a GPU in gpu_utilization_percent.
 * @param device Name of the device.
 * @param model Model of the device.
 * @param percent Utilization, 0 to 100 percent.
 */
export function setGpuUtilization(device: string, model: string, percent: number): void;
// gen:end

// ---- outgoing requests --------------------------------------------------------------------------

/** Options of instrumentOutgoing(). */
export interface OutgoingOptions {
  /** false: requests of fetch and undici are not instrumented. */
  fetch?: boolean;
  /** false: requests of http and https are not instrumented. */
  http?: boolean;
  /**
   * Only requests to these origins carry context: an origin (scheme://host:port), a pattern, a
   * function, or a list of these; all by default. Context must not go to untrusted hosts.
   */
  origins?: string | RegExp | ReadonlyArray<string | RegExp> | ((origin: string) => boolean);
  /** true: each request is a client span. */
  spans?: boolean;
}

// gen:begin surface instrument_outgoing
/**
 * Adds trace context and baggage to outgoing HTTP requests. Headers that a request already has are
 * not changed, and no request fails because of it. Covers http, https, fetch and undici.
 * @param options Which requests carry context, and whether they are spans.
 * @returns A function that ends the instrumentation.
 */
export function instrumentOutgoing(options?: OutgoingOptions): () => void;
// gen:end

// ---- about the package --------------------------------------------------------------------------

// gen:begin surface take_exported_bytes
/**
 * Removes all requests from the exporter memory and returns them as OTLP ExportTraceServiceRequest
 * messages (protobuf). For tests: call `flush` first. Empty with another exporter.
 */
export function takeExported(): Uint8Array[];
// gen:end

/** A span of the exporter memory. Times are in nanoseconds since 1970. */
export interface ExportedSpan {
  /** Name of the span. */
  name: string;
  /** Kind of the span. */
  kind: 'internal' | 'server' | 'client' | 'producer' | 'consumer' | 'unspecified';
  /** Trace id: 32 lower-case hexadecimal digits. */
  traceId: string;
  /** Span id: 16 lower-case hexadecimal digits. */
  spanId: string;
  /** Span id of the parent; '' for a root span. */
  parentSpanId: string;
  /** Tracestate as the value of its header; '' without one. */
  traceState: string;
  /** Start of the span. */
  startTime: bigint;
  /** End of the span. */
  endTime: bigint;
  /** Attributes of the span. */
  attributes: Record<string, any>;
  /** Events of the span. */
  events: { name: string; time: bigint; attributes: Record<string, any> }[];
  /** Links to other spans. */
  links: { traceId: string; spanId: string; traceState: string; attributes: Record<string, any> }[];
  /** Status of the span. */
  status: { code: 'unset' | 'ok' | 'error'; message: string };
  /** Attributes lost to limits or to values of an unsupported type. */
  droppedAttributes: number;
  /** The instrumentation scope. */
  scope: { name: string; version: string; schemaUrl: string; attributes: Record<string, any> };
  /** Attributes of the resource. */
  resource: Record<string, any>;
}

// gen:begin surface take_spans
/**
 * Removes all spans from the exporter memory and returns them in the order of their export. For
 * tests: call `flush` first. Empty with another exporter.
 */
export function takeSpans(): ExportedSpan[];
// gen:end

/** Version of the package. */
export declare const version: string;
/** native, or noop if the native core could not be loaded. */
export declare const impl: 'native' | 'noop';
/** Why the native core is missing; '' if it is loaded. */
export declare const implReason: string;
