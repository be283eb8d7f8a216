"""Recognises export requests of other telemetry in this process. A span of such a request is not
about the application, and the other telemetry would export it in a further request."""

from __future__ import annotations

import re
import sys
from typing import Callable, Optional

_LONGEST_PATH = 1024

# gen:begin agents
_USER_AGENTS = (
    r"otel-otlp-exporter",  # OpenTelemetry
    r"opentelemetry",  # OpenTelemetry
    r"dd-trace",  # Datadog
    r"datadog",  # Datadog
    r"apm-agent-",  # Elastic
    r"elastic-?apm",  # Elastic
    r"elastic-otel",  # Elastic
    r"sentry",  # Sentry
    r"newrelic",  # New Relic
    r"honeycomb",  # Honeycomb
    r"libhoney",  # Honeycomb
    r"appinsights",  # Application Insights
    r"dynatrace",  # Dynatrace
    r"splunk-otel",  # Splunk
    r"zipkin",  # Zipkin
    r"jaeger",  # Jaeger
    r"prom-client",  # Prometheus
)
_HEADERS = (
    r"datadog-meta-lang",  # Datadog
    r"datadog-meta-tracer-version",  # Datadog
    r"x-sentry-auth",  # Sentry
    r"x-honeycomb-team",  # Honeycomb
)
_PATHS = (
    r"/v1/traces$",  # OpenTelemetry
    r"/v0\.\d/(traces|stats)$",  # Datadog
    r"/telemetry/proxy/api/v2/apmtelemetry$",  # Datadog
    r"/evp_proxy/v\d/",  # Datadog
    r"/profiling/v1/input$",  # Datadog
    r"/intake/v2/(events|rum/events)$",  # Elastic
    r"/api/\d+/(envelope|store)/?$",  # Sentry
    r"/agent_listener/invoke_raw_method$",  # New Relic
    r"/v2(\.1)?/track$",  # Application Insights
    r"/api/v[12]/spans$",  # Zipkin
    r"/(GetSamplingRules|SamplingTargets)$",  # X-Ray
    r"/com\.instana\.",  # Instana
    r"/metrics/job(@base64)?/",  # Prometheus
    r"/loki/api/v1/push$",  # Loki
)
_PROTOBUF_PATHS = (
    r"/v1/(metrics|logs|profiles)$",  # OpenTelemetry
)
# gen:end

_SENDERS = re.compile("|".join(_USER_AGENTS), re.IGNORECASE)
_RECEIVERS = re.compile("|".join(_PATHS))
_SHARED = re.compile("|".join(_PROTOBUF_PATHS))


def _is_suppressed() -> bool:
    """Whether OpenTelemetry's SDK suppresses instrumentation at this point."""
    context = sys.modules.get("opentelemetry.context")
    if context is None:
        return False
    keys = (
        getattr(context, name, None)
        for name in ("_SUPPRESS_INSTRUMENTATION_KEY", "_SUPPRESS_HTTP_INSTRUMENTATION_KEY")
    )
    return any(key is not None and bool(context.get_value(key)) for key in keys)


def is_of_agent(method: str, path: str, header: Callable[[str], Optional[str]]) -> bool:
    """Whether another agent sends the request. header: returns a value by lower-case name."""
    if _is_suppressed():
        return True
    sender = header("user-agent")
    if isinstance(sender, str) and _SENDERS.match(sender):
        return True
    if method.upper() not in ("POST", "PUT"):
        return False
    if any(header(name) is not None for name in _HEADERS):
        return True
    if len(path) > _LONGEST_PATH:
        return False
    if _RECEIVERS.search(path):
        return True
    return bool(_SHARED.search(path)) and str(header("content-type")).lower().startswith(
        "application/x-protobuf"
    )
