// Counters, gauges and histograms; see docs/node-metrics.md.

export type LabelValue = string | number | bigint | boolean | null;
export type Labels<T extends string = string> = Record<T, LabelValue>;

/** The span that an exemplar points to. */
export interface Exemplar {
  traceId: string;
  spanId: string;
}

export interface MetricOptions<T extends string = string> {
  name: string;
  help?: string;
  labelNames?: readonly T[] | T;
  namespace?: string;
  subsystem?: string;
  unit?: string;
}

export interface GaugeOptions<T extends string = string> extends MetricOptions<T> {
  /** Called before each exposition that this thread makes. */
  collect?: (this: Gauge<T>) => void | Promise<void>;
}

export interface HistogramOptions<T extends string = string> extends MetricOptions<T> {
  /** Upper bounds, ascending, without +Inf. */
  buckets?: Iterable<number>;
}

type Rest<O> = Omit<O, 'name' | 'help' | 'labelNames'>;

declare abstract class Metric<T extends string> {
  readonly name: string;
  readonly labelNames: T[];
  /** Over all threads of the process; the sum for a histogram; 0 while metrics are off. */
  readonly value: number;
  /** The series of these labels: keep it where it is used often. */
  labels(labels: Labels<T>): this;
  labels(...values: LabelValue[]): this;
  /** Ends one series. */
  remove(labels: Labels<T>): void;
  remove(...values: LabelValue[]): void;
  /** Ends all series; a metric without labels starts again from zero. */
  clear(): void;
  reset(): void;
}

/** A sum that only grows. `_total` is added to its name where it is missing. The same declaration twice is one metric. */
export class Counter<T extends string = string> extends Metric<T> {
  constructor(options: MetricOptions<T>);
  constructor(name: string, help?: string, labelNames?: readonly T[] | T, options?: Rest<MetricOptions<T>>);
  inc(amount?: number, exemplar?: Exemplar): void;
  inc(labels: Labels<T>, amount?: number, exemplar?: Exemplar): void;
}

/** A value that goes up and down. */
export class Gauge<T extends string = string> extends Metric<T> {
  constructor(options: GaugeOptions<T>);
  constructor(name: string, help?: string, labelNames?: readonly T[] | T, options?: Rest<GaugeOptions<T>>);
  inc(amount?: number): void;
  inc(labels: Labels<T>, amount?: number): void;
  dec(amount?: number): void;
  dec(labels: Labels<T>, amount?: number): void;
  set(value: number): void;
  set(labels: Labels<T>, value: number): void;
  setToCurrentTime(labels?: Labels<T>): void;
  startTimer(labels?: Partial<Labels<T>>): (labels?: Partial<Labels<T>>) => number;
  /** Called before each exposition that this thread makes. */
  setFunction(callback: () => number): void;
}

/** Observations, counted in buckets. */
export class Histogram<T extends string = string> extends Metric<T> {
  constructor(options: HistogramOptions<T>);
  constructor(name: string, help?: string, labelNames?: readonly T[] | T, options?: Rest<HistogramOptions<T>>);
  /** The number of observations over all threads of the process. */
  readonly count: number;
  observe(value: number, exemplar?: Exemplar): void;
  observe(labels: Labels<T>, value: number, exemplar?: Exemplar): void;
  /** What it returns observes the seconds since, and returns them. */
  startTimer(labels?: Partial<Labels<T>>): (labels?: Partial<Labels<T>>) => number;
  /** Shows the series before its first observation. */
  zero(labels: Labels<T>): void;
}

/** The metrics of the whole process in the format that an Accept header asks for; '' while metrics are off. */
export function metricsText(accept?: string): string;
/** The content type of metricsText(accept). */
export function metricsContentType(accept?: string): string;
/** The same, made off the event loop, after the promises of all collect functions. Never rejects. */
export function exposeMetrics(accept?: string): Promise<{ contentType: string; body: string }>;

/**
 * Opens a listener for GET /metrics on a port (1 to 65535, 8001 by default) and an address (all of this machine by
 * default). To be called after init(); it ends with shutdown(). True when it listens; false, with one warning, when the
 * port cannot be had, and without one while metrics are off.
 */
export function startMetricsServer(port?: number, host?: string): boolean;
