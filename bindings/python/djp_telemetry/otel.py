"""The documented spans of HTTP requests, jobs and calls to other services. A duration measured by
the caller becomes a span that ends now. Each call also records the documented metrics. Durations
are converted to float, status codes to int, success to bool, everything else to text."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Optional

from . import _measured, _runtime, prom
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
    """Starts telemetry as the environment configures it, as `init_telemetry` does.

    Args:
        service_name: Resource attribute service.name.
    """
    _runtime.init({"service_name": service_name})


init_opentelemetry = init_tracer


def _record(
    name: str, duration: float, attributes: dict[str, Any], kind: str, failed: bool, error: str
) -> None:
    try:
        end = time.time_ns()
        start = end - int(duration * 1e9) if 0 <= duration < 1e9 else end
        span = impl.start_span(name, attributes, kind=kind, start_time=start)
        if failed:
            span.set_status("error", error)
        span.end(end)
    except Exception as problem:  # the text of the exception may differ each time
        _runtime.warn_once(
            f"A span {name} could not be recorded: {type(problem).__name__} while its values "
            "were read."
        )


def record_http_span(method: str, route: str, status_code: int, duration_seconds: float) -> None:
    """Records an answered HTTP request that has just ended: a server span `http.server`,
    which is an error for a status of 500 or more, and the metrics of
    `record_http_request`. The middleware does this for each request: do not call it
    there.

    Args:
        method: HTTP method.
        route: Template of the route, never a path with ids.
        status_code: HTTP status, 100 to 599.
        duration_seconds: Duration in seconds.
    """
    status, duration = _measured.status_code(status_code), _measured.seconds(duration_seconds)
    attributes: dict[str, Any] = {"http.route": _measured.text(route)}
    semconv = _runtime.settings().get("semconv", "old")
    if semconv in ("old", "both"):
        attributes["http.method"] = _measured.text(method)
        attributes["http.status_code"] = status or None
    if semconv in ("stable", "both"):
        attributes["http.request.method"] = _measured.text(method)
        attributes["http.response.status_code"] = status or None
    if duration == duration:
        attributes["http.duration_seconds"] = duration
    _record("http.server", duration, attributes, "server", status >= 500, "")
    prom.record_http_request(method, route, status, duration)


def record_job_span(
    queue_name: str,
    job_type: str,
    duration_seconds: float,
    success: bool = True,
    *,
    error_type: Optional[str] = None,
) -> None:
    """Records a job that has just ended: a span `job.run`, queue_job_latency_seconds and,
    for a failure, queue_job_failures_total.

    Args:
        queue_name: Name of the queue.
        job_type: Type of the job.
        duration_seconds: Duration in seconds.
        success: Whether the job succeeded.
        error_type: Class of the error, never a message; `_OTHER` is recorded without one.
    """
    duration, succeeded = _measured.seconds(duration_seconds), _measured.truth(success)
    attributes: dict[str, Any] = {
        "queue.name": _measured.text(queue_name),
        "job.type": _measured.text(job_type),
        "job.success": succeeded,
    }
    if duration == duration:
        attributes["job.duration_seconds"] = duration
    if not succeeded and error_type is not None:
        attributes["error.type"] = _measured.text(error_type)
    _record("job.run", duration, attributes, "internal", not succeeded, "Job failed")
    prom.record_queue_job(job_type, duration)
    if not succeeded:
        prom.record_queue_job_failure("_OTHER" if error_type is None else error_type)


def record_external_api_span(
    service: str,
    operation: str,
    duration_seconds: float,
    success: bool = True,
    *,
    status_code: Optional[int] = None,
) -> None:
    """Records a call of another service that has just ended: a client span
    `external.api.call`, external_api_calls_total, external_api_duration_seconds and, for
    a failure, external_api_errors_total.

    Args:
        service: Name of the service.
        operation: Name of the operation.
        duration_seconds: Duration in seconds.
        success: Whether the call succeeded.
        status_code: HTTP status of the response.
    """
    duration, succeeded = _measured.seconds(duration_seconds), _measured.truth(success)
    status = _measured.status_code(status_code)
    attributes: dict[str, Any] = {
        "external.service": _measured.text(service),
        "external.operation": _measured.text(operation),
        "external.success": succeeded,
    }
    if duration == duration:
        attributes["external.duration_seconds"] = duration
    if status:
        attributes["http.status_code"] = status
    _record(
        "external.api.call",
        duration,
        attributes,
        "client",
        not succeeded,
        "External API call failed",
    )
    prom.record_external_api_call(service, operation, duration)
    if not succeeded:
        prom.record_external_api_error(service, status)
