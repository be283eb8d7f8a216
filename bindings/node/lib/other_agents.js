'use strict';
// Recognizes requests of other telemetry agents to their receivers. A span for such a request would
// be exported by the agent and cause the next one.

const API = Symbol.for('opentelemetry.js.api.1');
const SUPPRESSED = Symbol.for('OpenTelemetry SDK Context Key SUPPRESS_TRACING');
const LONGEST_PATH = 1024;

// gen:begin agents
const USER_AGENTS = [
  'otel-otlp-exporter', // OpenTelemetry
  'opentelemetry', // OpenTelemetry
  'dd-trace', // Datadog
  'datadog', // Datadog
  'apm-agent-', // Elastic
  'elastic-?apm', // Elastic
  'elastic-otel', // Elastic
  'sentry', // Sentry
  'newrelic', // New Relic
  'honeycomb', // Honeycomb
  'libhoney', // Honeycomb
  'appinsights', // Application Insights
  'dynatrace', // Dynatrace
  'splunk-otel', // Splunk
  'zipkin', // Zipkin
  'jaeger', // Jaeger
  'prom-client', // Prometheus
];
const HEADERS = [
  'datadog-meta-lang', // Datadog
  'datadog-meta-tracer-version', // Datadog
  'x-sentry-auth', // Sentry
  'x-honeycomb-team', // Honeycomb
];
const PATHS = [
  '/v1/traces$', // OpenTelemetry
  '/v0\\.\\d/(traces|stats)$', // Datadog
  '/telemetry/proxy/api/v2/apmtelemetry$', // Datadog
  '/evp_proxy/v\\d/', // Datadog
  '/profiling/v1/input$', // Datadog
  '/intake/v2/(events|rum/events)$', // Elastic
  '/api/\\d+/(envelope|store)/?$', // Sentry
  '/agent_listener/invoke_raw_method$', // New Relic
  '/v2(\\.1)?/track$', // Application Insights
  '/api/v[12]/spans$', // Zipkin
  '/(GetSamplingRules|SamplingTargets)$', // X-Ray
  '/com\\.instana\\.', // Instana
  '/metrics/job(@base64)?/', // Prometheus
  '/loki/api/v1/push$', // Loki
];
const PROTOBUF_PATHS = [
  '/v1/(metrics|logs|profiles)$', // OpenTelemetry
];
// gen:end

const SENDERS = new RegExp(`^(${USER_AGENTS.join('|')})`, 'i');
const RECEIVERS = new RegExp(PATHS.join('|'));
const SHARED = new RegExp(PROTOBUF_PATHS.join('|'));

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
  if (!/^(post|put)$/i.test(method)) return false;
  if (HEADERS.some((name) => header(name) !== undefined)) return true;
  const query = path.indexOf('?');
  const place = query < 0 ? path : path.slice(0, query);
  if (place.length > LONGEST_PATH) return false;
  if (RECEIVERS.test(place)) return true;
  return SHARED.test(place) && /^application\/x-protobuf/i.test(String(header('content-type')));
}

module.exports = { isOfAgent };
