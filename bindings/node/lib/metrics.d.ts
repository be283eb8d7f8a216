// Counters, gauges and histograms; see docs/node-metrics.md.

/** Value of a label; it is recorded as text. */
export type LabelValue = string | number | bigint | boolean | null;
/** Label values by name. */
export type Labels<T extends string = string> = Record<T, LabelValue>;

/** The span that an exemplar points to. */
export interface Exemplar {
  /** Trace id: 32 lower-case hexadecimal digits. */
  traceId: string;
  /** Span id: 16 lower-case hexadecimal digits. */
  spanId: string;
}

/** The declaration of a metric. */
export interface MetricOptions<T extends string = string> {
  /** Name of the metric (Prometheus). */
  name: string;
  /** Help text. */
  help?: string;
  /** Label names. */
  labelNames?: readonly T[] | T;
  /** First part of the name. */
  namespace?: string;
  /** Second part of the name. */
  subsystem?: string;
  /** Unit, appended to the name if it is missing. */
  unit?: string;
}

/** The declaration of a gauge. */
export interface GaugeOptions<T extends string = string> extends MetricOptions<T> {
  /** Called before each exposition that this thread makes. */
  collect?: (this: Gauge<T>) => void | Promise<void>;
  /** How the values of several processes become one, as in prom-client; `sum` by default. */
  aggregator?: 'sum' | 'first' | 'min' | 'max' | 'average' | 'omit';
}

/** The declaration of a histogram. */
export interface HistogramOptions<T extends string = string> extends MetricOptions<T> {
  /** Upper bounds, ascending, without +Inf. */
  buckets?: Iterable<number>;
  /**
   * True keeps base-2 exponential buckets too, false only the explicit ones; the setting
   * `histogramAggregation` by default.
   */
  exponential?: boolean;
}

type Rest<O> = Omit<O, 'name' | 'help' | 'labelNames'>;

// gen:begin surface Metric Counter Gauge Histogram metrics_text metrics_content_type expose_metrics
// gen:names start_metrics_server
/** What all metric types share. */
declare abstract class Metric<T extends string> {
  /** The name as declared. */
  readonly name: string;
  /** The declared label names. */
  readonly labelNames: T[];
  /** The present value over all threads; the sum of a histogram; 0 while metrics are off. */
  readonly value: number;
  /**
   * Returns the series of a label set. Keep it where it is used often. Labels that do not match the
   * declaration are dropped and counted.
   * @param values Label values in the order of the declaration.
   * @param labels Label values by name.
   */
  labels(labels: Labels<T>): this;
  labels(...values: LabelValue[]): this;
  /**
   * Removes the series of a label set.
   * @param values Label values in the order of the declaration.
   * @param labels Label values by name.
   */
  remove(labels: Labels<T>): void;
  remove(...values: LabelValue[]): void;
  /** Removes all series. A metric without labels starts again at 0. */
  clear(): void;
  /** The same as clear(), under the name that prom-client uses. */
  reset(): void;
}

/**
 * A sum that only increases. `_total` is appended to the name if it is missing (OpenMetrics). Equal
 * declarations are one metric. A declaration that is invalid or conflicts with another one records
 * nothing and logs a warning.
 */
export class Counter<T extends string = string> extends Metric<T> {
  /**
   * Declares the counter. Throws nothing.
   * @param name Name of the metric (Prometheus).
   * @param help Help text.
   * @param labelNames Label names.
   * @param options All parts of the declaration by name.
   */
  constructor(options: MetricOptions<T>);
  constructor(
    name: string,
    help?: string,
    labelNames?: readonly T[] | T,
    options?: Rest<MetricOptions<T>>,
  );
  /**
   * Adds an amount. A negative, infinite or non-numeric amount is dropped and counted.
   * @param amount A finite number of 0 or more; 1 by default.
   * @param exemplar trace_id and span_id of an exemplar; those of the current sampled span by
   * default.
   * @param labels Label values by name.
   */
  inc(amount?: number, exemplar?: Exemplar): void;
  inc(labels: Labels<T>, amount?: number, exemplar?: Exemplar): void;
}

/** A value that increases and decreases. Declarations as for `Counter`. */
export class Gauge<T extends string = string> extends Metric<T> {
  /**
   * Declares the gauge. Throws nothing.
   * @param name Name of the metric (Prometheus).
   * @param help Help text.
   * @param labelNames Label names.
   * @param options All parts of the declaration by name.
   */
  constructor(options: GaugeOptions<T>);
  constructor(
    name: string,
    help?: string,
    labelNames?: readonly T[] | T,
    options?: Rest<GaugeOptions<T>>,
  );
  /**
   * Adds an amount.
   * @param amount A number; 1 by default.
   * @param labels Label values by name.
   */
  inc(amount?: number): void;
  inc(labels: Labels<T>, amount?: number): void;
  /**
   * Subtracts an amount.
   * @param amount A number; 1 by default.
   * @param labels Label values by name.
   */
  dec(amount?: number): void;
  dec(labels: Labels<T>, amount?: number): void;
  /**
   * Replaces the value.
   * @param value Any number, including infinities and NaN.
   * @param labels Label values by name.
   */
  set(value: number): void;
  set(labels: Labels<T>, value: number): void;
  /**
   * Sets the value to the time in seconds since 1970 (UTC).
   * @param labels Label values by name.
   */
  setToCurrentTime(labels?: Labels<T>): void;
  /**
   * Starts a timer. The returned function sets the seconds since the start and returns them.
   * @param labels Label values by name; the returned function takes further ones.
   */
  startTimer(labels?: Partial<Labels<T>>): (labels?: Partial<Labels<T>>) => number;
  /**
   * Calls a function for the value before each exposition that this language makes. An exception
   * leaves the value unchanged.
   * @param callback Function without arguments that returns the value.
   */
  setFunction(callback: () => number): void;
}

/** Observations counted in buckets. Declarations as for `Counter`. */
export class Histogram<T extends string = string> extends Metric<T> {
  /**
   * Declares the histogram. Throws nothing.
   * @param name Name of the metric (Prometheus).
   * @param help Help text.
   * @param labelNames Label names.
   * @param options All parts of the declaration by name.
   */
  constructor(options: HistogramOptions<T>);
  constructor(
    name: string,
    help?: string,
    labelNames?: readonly T[] | T,
    options?: Rest<HistogramOptions<T>>,
  );
  /** Number of observations over all threads; 0 while metrics are off. */
  readonly count: number;
  /**
   * Counts an observation. NaN and a value that is not a number are dropped and counted.
   * @param value The observation, in the unit of the metric.
   * @param exemplar As for `Counter.inc`.
   * @param labels Label values by name.
   */
  observe(value: number, exemplar?: Exemplar): void;
  observe(labels: Labels<T>, value: number, exemplar?: Exemplar): void;
  /**
   * Starts a timer. The returned function observes the seconds since the start and returns them.
   * @param labels Label values by name; the returned function takes further ones.
   */
  startTimer(labels?: Partial<Labels<T>>): (labels?: Partial<Labels<T>>) => number;
  /**
   * Shows the series of a label set before its first observation.
   * @param labels Label values by name.
   */
  zero(labels: Labels<T>): void;
}

/**
 * Returns the exposition of all metrics of the process; empty while metrics are off.
 * @param accept Value of the Accept header that selects the format of text: Prometheus text 0.0.4
 * (the default) or 1.0.0, OpenMetrics 1.0 or 2.0.
 */
export function metricsText(accept?: string): string;

/**
 * Returns the content type of `metricsText`.
 * @param accept Value of the Accept header.
 */
export function metricsContentType(accept?: string): string;

/**
 * Returns the exposition after all collect functions are done. It is made outside of the event
 * loop; Prometheus protobuf is a Buffer. Never rejects.
 * @param accept Value of the Accept header.
 */
export function exposeMetrics(
  accept?: string,
): Promise<{ contentType: string; body: string | Buffer }>;

/**
 * Opens a Prometheus endpoint that serves GET /metrics until `shutdown`. Telemetry must be started
 * before. Throws nothing; a failure logs one warning.
 * @param port Port, 1 to 65,535; 8001 by default.
 * @param host Address; all addresses of the host by default.
 * @returns true if the endpoint is open; false if it cannot be opened or metrics are off.
 */
export function startMetricsServer(port?: number, host?: string): boolean;
// gen:end
