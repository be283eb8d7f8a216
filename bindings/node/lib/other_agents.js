'use strict';
// Requests that other telemetry in this process sends to its own receivers: a span of those says
// nothing about the application, and would itself be reported by them, which makes the next one.

const API = Symbol.for('opentelemetry.js.api.1');
const SUPPRESSED = Symbol.for('OpenTelemetry SDK Context Key SUPPRESS_TRACING');
const LONGEST_PATH = 1024;

/** What senders call themselves. */
const SENDERS =
  /^(otel-otlp-exporter|opentelemetry|apm-agent-|elastic-?apm|elastic-otel|dd-trace|datadog|newrelic|sentry|honeycomb|libhoney|appinsights|dynatrace|splunk-otel|zipkin|jaeger|prom-client)/i;

/** Headers that only they send. */
const HEADERS = [
  'datadog-meta-lang',
  'datadog-meta-tracer-version',
  'x-sentry-auth',
  'x-honeycomb-team',
];

/** Where they send to, by methods that carry a body. */
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
const OTLP = /\/v1\/(metrics|logs|profiles)$/; // words that an application may use, too

/** Whether OpenTelemetry's SDK marked what runs now as its own work. */
function isSuppressed() {
  const api = globalThis[API];
  const manager = api === undefined || api === null ? undefined : api.context;
  return manager !== undefined && manager.active().getValue(SUPPRESSED) === true;
}

/**
 * Whether a request is another agent's.
 * @param {string} method @param {string} path with its query @param {(name: string) =>
 * string|undefined} header by lower-case name
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
