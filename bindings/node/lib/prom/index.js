'use strict';
// The interface of prom-client on the native core. See docs/node-prom.md.

const { exponentialBuckets, linearBuckets } = require('./bucketGenerators.js');
const Registry = require('./registry.js');

module.exports = {
  register: Registry.globalRegistry,
  Registry,
  prometheusContentType: Registry.PROMETHEUS_CONTENT_TYPE,
  openMetricsContentType: Registry.OPENMETRICS_CONTENT_TYPE,
  validateMetricName: require('./validation.js').validateMetricName,
  Counter: require('./counter.js'),
  Gauge: require('./gauge.js'),
  Histogram: require('./histogram.js'),
  Summary: require('./summary.js'),
  Pushgateway: require('./pushgateway.js'),
  linearBuckets,
  exponentialBuckets,
  collectDefaultMetrics: require('./defaultMetrics.js'),
  aggregators: require('./metricAggregators.js').aggregators,
  AggregatorRegistry: require('./cluster.js'),
  install: require('./install.js').install,
};
Object.defineProperty(module.exports, 'contentType', {
  configurable: false,
  enumerable: true,
  get: () => Registry.globalRegistry.contentType,
  set: (value) => Registry.globalRegistry.setContentType(value),
});
