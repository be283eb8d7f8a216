'use strict';
// The page of the global registry: the families of the core, then those that only JavaScript has.

const { exposeMetrics } = require('../metrics.js');
const { currentEpoch } = require('./series.js');

const OPENMETRICS = 'application/openmetrics-text; version=1.0.0';
const END = '# EOF\n';

/** The families of a page, each with its name. */
function families(text) {
  const found = [];
  let start = 0;
  let name = null;
  for (const { index, 1: next } of text.matchAll(/^# (?:HELP|TYPE|UNIT) (\S+)/gm)) {
    if (next === name) continue;
    if (name !== null) found.push([name, text.slice(start, index)]);
    name = next;
    start = index;
  }
  if (name !== null) found.push([name, text.slice(start)]);
  return found;
}

/** The name of a metric in a page of the core. */
const nameIn = (metric, isOpenMetrics) =>
  isOpenMetrics && metric.type === 'counter' ? metric.name.replace(/_total$/, '') : metric.name;

/**
 * Returns the families of the core as text, and the names of metrics that it contains; null while
 * metrics are off. With default labels, JavaScript writes the metrics of the registry.
 */
async function ofCore(registry, isOpenMetrics) {
  if (currentEpoch() === 0) return null;
  const own = new Set();
  const whole = new Set();
  const hasDefaults = Object.keys(registry._defaultLabels).length > 0;
  for (const metric of registry.getMetricsAsArray()) {
    const name = nameIn(metric, isOpenMetrics);
    own.add(name);
    if (!hasDefaults && metric._isInCore?.()) whole.add(name);
  }
  const { body } = await exposeMetrics(isOpenMetrics ? OPENMETRICS : undefined);
  const text = body.endsWith(END) ? body.slice(0, -END.length) : body;
  const parts = [];
  const names = new Set();
  for (const [name, part] of families(text)) {
    const isStandard = name.startsWith('process_');
    if (own.has(name) && !whole.has(name) && !(isStandard && !hasDefaults)) continue;
    names.add(name);
    parts.push(part);
  }
  return { text: parts.join(''), names };
}

module.exports = { families, nameIn, ofCore };
