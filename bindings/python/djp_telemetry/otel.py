"""Spans under the names and attributes of the documents: HTTP requests, jobs, calls to other services. Durations
that were measured elsewhere become spans that end now and started that long ago."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Callable, Optional

from . import _runtime
from ._loader import impl

if TYPE_CHECKING:
    from ._native import get_current_span_id, get_current_trace_id, get_tracer, start_span
else:
    get_current_span_id = impl.get_current_span_id
    get_current_trace_id = impl.get_current_trace_id
    get_tracer = impl.get_tracer
    start_span = impl.start_span

__all__ = [
    "get_current_span_id",
    "get_current_trace_id",
    "get_tracer",
    "init_opentelemetry",
    "init_tracer",
    "record_external_api_span",
    "record_http_span",
    "record_job_span",
    "start_span",
]


def init_tracer(service_name: Optional[str] = None) -> None:
    """Starts telemetry as the environment says, under this service name if one is given. Does nothing while it is
    active."""
    _runtime.init_telemetry(service_name=service_name)


init_opentelemetry = init_tracer


def _record(
    name: str, duration_seconds: float, attributes: dict[str, Any], kind: str, failed: Callable[[], Any], error: str
) -> None:
    try:
        end = time.time_ns()
        duration = float(duration_seconds)
        start = end - int(duration * 1e9) if 0 <= duration < 1e9 else end
        span = impl.start_span(name, attributes, kind=kind, start_time=start)
        if failed():
            span.set_status("error", error)
        span.end(end)
    except Exception as problem:  # the text of the problem may be another one each time
        _runtime.warn_once(f"A span {name} could not be recorded: {type(problem).__name__} while its values were read.")


def record_http_span(method: str, route: str, status_code: int, duration_seconds: float) -> None:
    """One served HTTP request that has just ended."""
    semconv = _runtime.settings().get("semconv", "old")
    attributes: dict[str, Any] = {"http.route": route, "http.duration_seconds": duration_seconds}
    if semconv in ("old", "both"):
        attributes["http.method"] = method
        attributes["http.status_code"] = status_code
    if semconv in ("stable", "both"):
        attributes["http.request.method"] = method
        attributes["http.response.status_code"] = status_code

    def failed() -> bool:
        return isinstance(status_code, int) and status_code >= 500

    _record("http.server", duration_seconds, attributes, "server", failed, "")


def record_job_span(queue_name: str, job_type: str, duration_seconds: float, success: bool = True) -> None:
    """One background job that has just ended."""
    attributes = {
        "queue.name": queue_name,
        "job.type": job_type,
        "job.duration_seconds": duration_seconds,
        "job.success": success,
    }
    _record("job.run", duration_seconds, attributes, "internal", lambda: not success, "Job failed")


def record_external_api_span(service: str, operation: str, duration_seconds: float, success: bool = True) -> None:
    """One call to another service that has just ended."""
    attributes = {
        "external.service": service,
        "external.operation": operation,
        "external.duration_seconds": duration_seconds,
        "external.success": success,
    }
    _record(
        "external.api.call", duration_seconds, attributes, "client", lambda: not success, "External API call failed"
    )
