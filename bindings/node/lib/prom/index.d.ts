// The interface of prom-client 15.

export type PrometheusContentType = 'text/plain; version=0.0.4; charset=utf-8';
export type OpenMetricsContentType = 'application/openmetrics-text; version=1.0.0; charset=utf-8';
export type RegistryContentType = PrometheusContentType | OpenMetricsContentType;
export type LabelValues<T extends string> = Partial<Record<T, string | number>>;
export type Aggregator = 'omit' | 'sum' | 'first' | 'min' | 'max' | 'average';
export type CollectFunction<T> = (this: T) => void | Promise<void>;

export interface MetricValue<T extends string> {
  value: number;
  labels: LabelValues<T>;
}
export interface MetricValueWithName<T extends string> extends MetricValue<T> {
  metricName?: string;
}
export interface MetricObject {
  name: string;
  help: string;
  type: string;
  aggregator: Aggregator;
}
export interface MetricObjectWithValues<T extends MetricValue<string>> extends MetricObject {
  values: T[];
}
export type Metric<T extends string = string> = Counter<T> | Gauge<T> | Summary<T> | Histogram<T>;

export class Registry<C extends RegistryContentType = PrometheusContentType> {
  static readonly PROMETHEUS_CONTENT_TYPE: PrometheusContentType;
  static readonly OPENMETRICS_CONTENT_TYPE: OpenMetricsContentType;
  constructor(contentType?: C);
  readonly contentType: C;
  metrics(): Promise<string>;
  clear(): void;
  resetMetrics(): void;
  registerMetric<T extends string>(metric: Metric<T>): void;
  getMetricsAsJSON(): Promise<MetricObjectWithValues<MetricValue<string>>[]>;
  getMetricsAsArray(): MetricObject[];
  getMetricsAsString(metrics: Metric): Promise<string>;
  removeSingleMetric(name: string): void;
  setDefaultLabels(labels: object): void;
  getSingleMetric(name: string): Metric<string> | undefined;
  getSingleMetricAsString(name: string): Promise<string>;
  setContentType(contentType: RegistryContentType): void;
  static merge(registers: Registry<RegistryContentType>[]): Registry<RegistryContentType>;
}

export const register: Registry;
export let contentType: RegistryContentType;
export const prometheusContentType: PrometheusContentType;
export const openMetricsContentType: OpenMetricsContentType;

export class AggregatorRegistry<
  C extends RegistryContentType = PrometheusContentType,
> extends Registry<C> {
  clusterMetrics(): Promise<string>;
  static aggregate(metricsArr: object[], registryType?: RegistryContentType): Registry;
  static setRegistries(regs: Registry | Registry[]): void;
}

export interface MetricConfiguration<T extends string> {
  name: string;
  help: string;
  labelNames?: T[] | readonly T[];
  registers?: Registry<RegistryContentType>[];
  aggregator?: Aggregator;
  enableExemplars?: boolean;
}
export interface CounterConfiguration<T extends string> extends MetricConfiguration<T> {
  collect?: CollectFunction<Counter<T>>;
}
export interface GaugeConfiguration<T extends string> extends MetricConfiguration<T> {
  collect?: CollectFunction<Gauge<T>>;
}
export interface HistogramConfiguration<T extends string> extends MetricConfiguration<T> {
  buckets?: number[];
  collect?: CollectFunction<Histogram<T>>;
}
export interface SummaryConfiguration<T extends string> extends MetricConfiguration<T> {
  percentiles?: number[];
  maxAgeSeconds?: number;
  ageBuckets?: number;
  pruneAgedBuckets?: boolean;
  compressCount?: number;
  collect?: CollectFunction<Summary<T>>;
}

export interface IncreaseDataWithExemplar<T extends string> {
  value?: number;
  labels?: LabelValues<T>;
  exemplarLabels?: LabelValues<string>;
}
export interface ObserveDataWithExemplar<T extends string> {
  value: number;
  labels?: LabelValues<T>;
  exemplarLabels?: LabelValues<string>;
}
export type EndTimer<T extends string> = (labels?: LabelValues<T>) => number;

export class Counter<T extends string = string> {
  constructor(configuration: CounterConfiguration<T>);
  inc(labels: LabelValues<T>, value?: number): void;
  inc(value?: number): void;
  inc(increaseData: IncreaseDataWithExemplar<T>): void;
  labels(...values: string[]): { inc(value?: number): void };
  labels(labels: LabelValues<T>): { inc(value?: number): void };
  get(): Promise<MetricObjectWithValues<MetricValue<T>>>;
  reset(): void;
  remove(...values: string[]): void;
  remove(labels: LabelValues<T>): void;
}

export interface GaugeOfLabels<T extends string> {
  inc(value?: number): void;
  dec(value?: number): void;
  set(value: number): void;
  setToCurrentTime(): void;
  startTimer(): EndTimer<T>;
}
export class Gauge<T extends string = string> {
  constructor(configuration: GaugeConfiguration<T>);
  inc(labels: LabelValues<T>, value?: number): void;
  inc(value?: number): void;
  dec(labels: LabelValues<T>, value?: number): void;
  dec(value?: number): void;
  set(labels: LabelValues<T>, value: number): void;
  set(value: number): void;
  setToCurrentTime(labels?: LabelValues<T>): void;
  startTimer(labels?: LabelValues<T>): EndTimer<T>;
  labels(...values: string[]): GaugeOfLabels<T>;
  labels(labels: LabelValues<T>): GaugeOfLabels<T>;
  get(): Promise<MetricObjectWithValues<MetricValue<T>>>;
  reset(): void;
  remove(...values: string[]): void;
  remove(labels: LabelValues<T>): void;
}

export interface ObservedOfLabels<T extends string> {
  observe(value: number): void;
  startTimer(labels?: LabelValues<T>): EndTimer<T>;
}
declare class Observed<T extends string> {
  observe(value: number): void;
  observe(labels: LabelValues<T>, value: number): void;
  startTimer(labels?: LabelValues<T>): EndTimer<T>;
  labels(...values: string[]): ObservedOfLabels<T>;
  labels(labels: LabelValues<T>): ObservedOfLabels<T>;
  get(): Promise<MetricObjectWithValues<MetricValueWithName<T>>>;
  reset(): void;
  remove(...values: string[]): void;
  remove(labels: LabelValues<T>): void;
}
export class Histogram<T extends string = string> extends Observed<T> {
  constructor(configuration: HistogramConfiguration<T>);
  observe(value: number): void;
  observe(labels: LabelValues<T>, value: number): void;
  observe(observeData: ObserveDataWithExemplar<T>): void;
  zero(labels: LabelValues<T>): void;
}
export class Summary<T extends string = string> extends Observed<T> {
  constructor(configuration: SummaryConfiguration<T>);
}

export class Pushgateway<C extends RegistryContentType = PrometheusContentType> {
  constructor(url: string, options?: object, registry?: Registry<C>);
  pushAdd(params?: PushParameters): Promise<{ resp?: unknown; body?: unknown }>;
  push(params?: PushParameters): Promise<{ resp?: unknown; body?: unknown }>;
  delete(params?: PushParameters): Promise<{ resp?: unknown; body?: unknown }>;
}
export interface PushParameters {
  jobName?: string;
  groupings?: Record<string, string>;
}

export function linearBuckets(start: number, width: number, count: number): number[];
export function exponentialBuckets(start: number, factor: number, count: number): number[];

export interface DefaultMetricsCollectorConfiguration<C extends RegistryContentType> {
  register?: Registry<C>;
  prefix?: string;
  gcDurationBuckets?: number[];
  eventLoopMonitoringPrecision?: number;
  labels?: object;
}
export const collectDefaultMetrics: {
  <C extends RegistryContentType = PrometheusContentType>(
    config?: DefaultMetricsCollectorConfiguration<C>,
  ): void;
  metricsList: string[];
};
export const aggregators: Record<Aggregator, (metrics: object[]) => object | undefined>;
export function validateMetricName(name: string): boolean;

/** Makes later require('prom-client') and its lib/ files return this package. */
export function install(): void;
