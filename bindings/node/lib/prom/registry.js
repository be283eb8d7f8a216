'use strict';
// Registries of metrics, and their exposition.

const { getValueAsString } = require('./util.js');

const PROMETHEUS = 'text/plain; version=0.0.4; charset=utf-8';
const OPENMETRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

const escapeText = (text) => `${text}`.replace(/\\/g, '\\\\').replace(/\n/g, '\\n');
const escapeValue = (value) =>
  typeof value === 'string' ? escapeText(value).replace(/"/g, '\\"') : value;

const labelText = (labels) =>
  Object.entries(labels)
    .map(([name, value]) => `${name}="${escapeValue(value)}"`)
    .join(',');

function exemplarText({ labelSet, value, timestamp }) {
  return ` # {${labelText(labelSet)}} ${getValueAsString(value)} ${timestamp}`;
}

class Registry {
  static get PROMETHEUS_CONTENT_TYPE() {
    return PROMETHEUS;
  }

  static get OPENMETRICS_CONTENT_TYPE() {
    return OPENMETRICS;
  }

  constructor(regContentType = PROMETHEUS) {
    this._metrics = {};
    this._collectors = [];
    this._defaultLabels = {};
    if (regContentType !== PROMETHEUS && regContentType !== OPENMETRICS)
      throw new TypeError(`Content type ${regContentType} is unsupported`);
    this._contentType = regContentType;
  }

  getMetricsAsArray() {
    return Object.values(this._metrics);
  }

  _line(metric, value, isOpenMetrics) {
    let { metricName = metric.name } = value;
    if (isOpenMetrics && metric.type === 'counter') metricName += '_total';
    const { labels = {}, sharedLabels = {}, exemplar } = value;
    const text = labelText({ ...labels, ...this._defaultLabels, ...labels, ...sharedLabels });
    const line = `${metricName}${text && `{${text}}`} ${getValueAsString(value.value)}`;
    return exemplar && isOpenMetrics ? line + exemplarText(exemplar) : line;
  }

  /** The text of one metric. */
  async getMetricsAsString(metrics) {
    const isOpenMetrics = this.contentType === OPENMETRICS;
    const metric =
      typeof metrics.getForPromString === 'function'
        ? await metrics.getForPromString()
        : await metrics.get();
    const name = escapeText(metric.name);
    const lines = [`# HELP ${name} ${escapeText(metric.help)}`, `# TYPE ${name} ${metric.type}`];
    for (const value of metric.values || [])
      lines.push(this._line({ ...metric, name }, value, isOpenMetrics));
    return lines.join('\n');
  }

  async _textOf(metric, isOpenMetrics) {
    if (isOpenMetrics && metric.type === 'counter')
      metric.name = metric.name.replace(/_total$/, '');
    return this.getMetricsAsString(metric);
  }

  /** The page. A metric whose collect() fails rejects, except in the global registry. */
  async metrics() {
    const isOpenMetrics = this.contentType === OPENMETRICS;
    const page = this === module.exports.globalRegistry ? require('./page.js') : null;
    const core = page === null ? null : await page.ofCore(this, isOpenMetrics);
    const all = this.getMetricsAsArray();
    if (core === null) {
      const texts = await Promise.all(all.map((metric) => this._textOf(metric, isOpenMetrics)));
      return isOpenMetrics ? `${texts.join('\n')}\n# EOF\n` : `${texts.join('\n\n')}\n`;
    }
    const rest = all.filter((metric) => !core.names.has(page.nameIn(metric, isOpenMetrics)));
    const texts = await Promise.all(rest.map((metric) => this._textOf(metric, isOpenMetrics)));
    const end = isOpenMetrics ? '# EOF\n' : '';
    return core.text + texts.map((text) => `${text}\n`).join('') + end;
  }

  registerMetric(metric) {
    const present = this._metrics[metric.name];
    if (present && present !== metric)
      throw new Error(`A metric with the name ${metric.name} has already been registered.`);
    this._metrics[metric.name] = metric;
  }

  clear() {
    this._metrics = {};
    this._defaultLabels = {};
  }

  async getMetricsAsJSON() {
    const metrics = await Promise.all(this.getMetricsAsArray().map((metric) => metric.get()));
    if (Object.keys(this._defaultLabels).length === 0) return metrics;
    for (const metric of metrics) {
      for (const value of metric.values || []) {
        const labels = { ...value.labels };
        for (const [name, text] of Object.entries(this._defaultLabels)) labels[name] ||= text;
        value.labels = labels;
      }
    }
    return metrics;
  }

  removeSingleMetric(name) {
    delete this._metrics[name];
  }

  getSingleMetricAsString(name) {
    return this.getMetricsAsString(this._metrics[name]);
  }

  getSingleMetric(name) {
    return this._metrics[name];
  }

  setDefaultLabels(labels) {
    this._defaultLabels = labels;
  }

  resetMetrics() {
    for (const metric of this.getMetricsAsArray()) metric.reset();
  }

  get contentType() {
    return this._contentType;
  }

  setContentType(metricsContentType) {
    if (metricsContentType !== OPENMETRICS && metricsContentType !== PROMETHEUS)
      throw new Error(`Content type ${metricsContentType} is unsupported`);
    this._contentType = metricsContentType;
  }

  static merge(registers) {
    const type = registers[0].contentType;
    if (registers.some((register) => register.contentType !== type))
      throw new Error('Registers can only be merged if they have the same content type');
    const merged = new Registry(type);
    for (const register of registers)
      for (const metric of register.getMetricsAsArray()) merged.registerMetric(metric);
    return merged;
  }
}

module.exports = Registry;
module.exports.globalRegistry = new Registry();
