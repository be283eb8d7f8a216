'use strict';
// The values of several processes as one.

const { Grouper, hashObject } = require('./util.js');

/** Returns a function that joins the same metric of several processes, value by value. */
function AggregatorFactory(aggregatorFn) {
  return (metrics) => {
    if (metrics.length === 0) return undefined;
    const { help, name, type, aggregator } = metrics[0];
    const groups = new Grouper();
    for (const metric of metrics) {
      for (const value of metric.values)
        groups.add(`${value.metricName}_${hashObject(value.labels)}`, value);
    }
    const values = [];
    for (const group of groups.values()) {
      const { labels, metricName } = group[0];
      const joined = { value: aggregatorFn(group), labels };
      values.push(metricName ? { ...joined, metricName } : joined);
    }
    return { help, name, type, values, aggregator };
  };
}

const sum = (values) => values.reduce((total, { value }) => total + value, 0);
const numbers = (values) => values.map(({ value }) => value);
const aggregators = {
  sum: AggregatorFactory(sum),
  first: AggregatorFactory((values) => values[0].value),
  omit: () => undefined,
  average: AggregatorFactory((values) => sum(values) / values.length),
  min: AggregatorFactory((values) => Math.min(...numbers(values))),
  max: AggregatorFactory((values) => Math.max(...numbers(values))),
};

module.exports = { AggregatorFactory, aggregators };
