"""Recognises export requests of other telemetry in this process. A span of such a request is not
about the application, and the other telemetry would export it in a further request."""

from __future__ import annotations

import re
import sys
from typing import Callable, Optional

_LONGEST_PATH = 1024

# User agents of exporters.
_SENDERS = re.compile(
    r"(otel-otlp-exporter|opentelemetry|apm-agent-|elastic-?apm|elastic-otel|dd-trace|datadog|"
    r"newrelic|sentry|honeycomb|libhoney|appinsights|dynatrace|splunk-otel|zipkin|jaeger|"
    r"prom-client)",
    re.IGNORECASE,
)
# Headers that only exporters send.
_HEADERS = ("datadog-meta-lang", "datadog-meta-tracer-version", "x-sentry-auth", "x-honeycomb-team")
# Paths of receivers, for methods with a body.
_PATHS = re.compile(
    r"/v1/traces$|/v0\.\d/(traces|stats)$|/telemetry/proxy/api/v2/apmtelemetry$|/evp_proxy/v\d/|"
    r"/profiling/v1/input$|/intake/v2/(events|rum/events)$|/api/\d+/(envelope|store)/?$|"
    r"/agent_listener/invoke_raw_method$|/api/v[12]/spans$|/loki/api/v1/push$"
)
_OTLP = re.compile(r"/v1/(metrics|logs|profiles)$")  # paths that an application may also use


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
    if _PATHS.search(path):
        return True
    return bool(_OTLP.search(path)) and str(header("content-type")).lower().startswith(
        "application/x-protobuf"
    )
