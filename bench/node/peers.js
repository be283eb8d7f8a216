'use strict';
// Sets up the contenders: djp-telemetry from this checkout, and peers as their documentation
// describes. Measures nothing.

const fs = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');

const ROOT = process.env.BENCH_PACKAGE || path.join(__dirname, '..', '..');
const SINK = process.env.BENCH_SINK || 'http://127.0.0.1:1';
const TRACES = `${SINK}/v1/traces`;
const METRICS = `${SINK}/v1/metrics`;

const [major, minor] = process.versions.node.split('.').map(Number);
/** OpenTelemetry 3.x requires Node 22.15; with earlier versions the last 2.x is the peer. */
const OTEL_3 = (major > 22 || (major === 22 && minor >= 15)) && process.env.BENCH_OTEL !== '2';
const requireOtel = createRequire(path.join(__dirname, OTEL_3 ? 'otel3' : '.', 'package.json'));
const otelModule = (name) => requireOtel(`@opentelemetry/${name}`);

/**
 * Loads the package under its name, as a user does: `djp-telemetry` or `djp-telemetry/express`.
 * Throws "not there yet" if it is not built.
 */
function requireOurs(name = 'djp-telemetry') {
  const missing = Object.assign(new Error('not there yet'), { notThere: true });
  let loaded;
  try {
    loaded = createRequire(path.join(ROOT, 'package.json'))(name);
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND' && error.code !== 'ERR_PACKAGE_PATH_NOT_EXPORTED')
      throw error;
    throw missing;
  }
  if (typeof (loaded.startSpan || loaded.telemetryMiddleware) !== 'function') throw missing;
  return loaded;
}

function ours(options = {}) {
  const djp = requireOurs();
  djp.init({
    enabled: true,
    backend: 'otel',
    exporter: 'otlp',
    endpoint: TRACES,
    protocol: 'http/protobuf',
    serviceName: 'bench',
    sampleRatio: 1,
    ...options,
  });
  const { impl, impl_reason: reason } = djp.telemetryStatus();
  // a no-op would look very fast
  if (impl === 'noop') throw new Error(`the addon is not loaded: ${reason}`);
  return djp;
}

/**
 * The provider, tracer and context manager of OpenTelemetry JS with a batch processor that exports
 * OTLP/HTTP protobuf.
 */
function otel({ ratio = 1, wrap = (exporter) => exporter, url = TRACES } = {}) {
  const api = otelModule('api');
  const sdk = otelModule(OTEL_3 ? 'sdk-trace' : 'sdk-trace-base');
  const { OTLPTraceExporter } = otelModule('exporter-trace-otlp-proto');
  const root = new sdk.TraceIdRatioBasedSampler(ratio);
  const sampler = ratio === 1 ? undefined : new sdk.ParentBasedSampler({ root });
  const exporter = wrap(new OTLPTraceExporter({ url }));
  const spanProcessors = [new sdk.BatchSpanProcessor(OTEL_3 ? { exporter } : exporter)];
  const Provider = OTEL_3 ? sdk.TracerProvider : otelModule('sdk-trace-node').NodeTracerProvider;
  const provider = new Provider({ sampler, spanProcessors });
  if (OTEL_3) {
    const { AsyncLocalStorageContextManager } = otelModule('context-async-hooks');
    const { W3CTraceContextPropagator } = requireOtel('@opentelemetry/core');
    const manager = new AsyncLocalStorageContextManager();
    api.context.setGlobalContextManager(manager.enable ? manager.enable() : manager);
    api.propagation.setGlobalPropagator(new W3CTraceContextPropagator());
    api.trace.setGlobalTracerProvider(provider);
  } else provider.register();
  return { api, provider, tracer: provider.getTracer('bench') };
}

/** The meter provider of OpenTelemetry JS with a periodic OTLP reader. */
function otelMeters() {
  const { MeterProvider, PeriodicExportingMetricReader } = otelModule('sdk-metrics');
  const { OTLPMetricExporter } = otelModule('exporter-metrics-otlp-proto');
  const exporter = new OTLPMetricExporter({ url: METRICS });
  const provider = new MeterProvider({
    readers: [new PeriodicExportingMetricReader({ exporter })],
  });
  otelModule('api').metrics.setGlobalMeterProvider(provider);
  return provider;
}

/** name -> version of everything in the header of a table. */
function versions() {
  const read = (file) =>
    JSON.parse(fs.readFileSync(path.join(__dirname, file, 'package.json'), 'utf8')).version;
  const file = (name) =>
    read(path.join(OTEL_3 && name.startsWith('@o') ? 'otel3' : '.', 'node_modules', name));
  const sdk = OTEL_3 ? 'sdk-trace' : 'sdk-trace-node';
  return {
    [`@opentelemetry/${sdk}`]: file(`@opentelemetry/${sdk}`),
    '@opentelemetry/exporter-trace-otlp-proto': file('@opentelemetry/exporter-trace-otlp-proto'),
    '@opentelemetry/instrumentation-http': file('@opentelemetry/instrumentation-http'),
    '@opentelemetry/instrumentation-express': file('@opentelemetry/instrumentation-express'),
    'prom-client': file('prom-client'),
    '@prometheus-io/client': file('@prometheus-io/client'),
    'express-prom-bundle': file('express-prom-bundle'),
    express: `${file('express')} and ${read('express4/node_modules/express')}`,
  };
}

module.exports = {
  METRICS,
  OTEL_3,
  TRACES,
  otel,
  otelMeters,
  otelModule,
  ours,
  requireOurs,
  requireOtel,
  versions,
};
