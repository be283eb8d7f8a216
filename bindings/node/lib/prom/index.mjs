import prom from './index.js';

export default prom;
export const {
  AggregatorRegistry,
  Counter,
  Gauge,
  Histogram,
  Pushgateway,
  Registry,
  Summary,
  aggregators,
  collectDefaultMetrics,
  contentType,
  exponentialBuckets,
  install,
  linearBuckets,
  openMetricsContentType,
  prometheusContentType,
  register,
  validateMetricName,
} = prom;
