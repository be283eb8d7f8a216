'use strict';
// Recognizes requests of other telemetry agents to their receivers. A span for such a request would
// be exported by the agent and cause the next one.

const API = Symbol.for('opentelemetry.js.api.1');
const SUPPRESSED = Symbol.for('OpenTelemetry SDK Context Key SUPPRESS_TRACING');
const LONGEST_PATH = 1024;

/** User agents. */
const SENDERS =
  /^(otel-otlp-exporter|opentelemetry|apm-agent-|elastic-?apm|elastic-otel|dd-trace|datadog|newrelic|sentry|honeycomb|libhoney|appinsights|dynatrace|splunk-otel|zipkin|jaeger|prom-client)/i;

/** Headers that only agents send. */
const HEADERS = [
  'datadog-meta-lang',
  'datadog-meta-tracer-version',
  'x-sentry-auth',
  'x-honeycomb-team',
];

/** Paths of receivers, for methods with a body. */
const PATHS = [
  /\/v1\/traces$/, // OTLP
  /\/v0\.\d\/(traces|stats)$/, // Datadog's agent
  /\/telemetry\/proxy\/api\/v2\/apmtelemetry$/,
  /\/evp_proxy\/v\d\//,
  /\/profiling\/v1\/input$/,
  /\/intake\/v2\/(events|rum\/events)$/, // Elastic
  /\/api\/\d+\/(envelope|store)\/?$/, // Sentry
  /\/agent_listener\/invoke_raw_method$/, // New Relic
  /\/api\/v[12]\/spans$/, // Zipkin
  /\/loki\/api\/v1\/push$/,
  /\/metrics\/job(@base64)?\//, // a push gateway
  /\/(GetSamplingRules|SamplingTargets)$/, // X-Ray
  /\/com\.instana\./,
  /\/v2(\.1)?\/track$/, // Application Insights
];
const OTLP = /\/v1\/(metrics|logs|profiles)$/; // paths that an application may also use

/** Whether the OpenTelemetry SDK suppresses tracing in the current context. */
function isSuppressed() {
  const api = globalThis[API];
  const manager = api === undefined || api === null ? undefined : api.context;
  return manager !== undefined && manager.active().getValue(SUPPRESSED) === true;
}

/**
 * Whether a request is one of another agent.
 * @param {string} method
 * @param {string} path with its query
 * @param {(name: string) => string|undefined} header by lower-case name
 */
function isOfAgent(method, path, header) {
  if (isSuppressed()) return true;
  const sender = header('user-agent');
  if (typeof sender === 'string' && SENDERS.test(sender)) return true;
  if (method !== 'POST' && method !== 'PUT') return false;
  if (HEADERS.some((name) => header(name) !== undefined)) return true;
  const query = path.indexOf('?');
  const place = query < 0 ? path : path.slice(0, query);
  if (place.length > LONGEST_PATH) return false;
  if (PATHS.some((pattern) => pattern.test(place))) return true;
  return OTLP.test(place) && /^application\/x-protobuf/i.test(String(header('content-type')));
}

module.exports = { isOfAgent };
