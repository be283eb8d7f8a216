"""The documented spans of HTTP requests, jobs and calls to other services. A duration measured by
the caller becomes a span that ends now. Each call also records the documented metrics. Durations
are converted to float, status codes to int, success to bool, everything else to text; the core
defines the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from . import _measured, _runtime
from ._loader import impl, native

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
    if native is not None:
        native._record_request(
            _measured.text(method),
            _measured.text(route),
            _measured.status_code(status_code),
            _measured.seconds(duration_seconds),
        )


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
    if native is not None:
        native._record_job(
            _measured.text(queue_name),
            _measured.text(job_type),
            _measured.seconds(duration_seconds),
            _measured.truth(success),
            None if error_type is None else _measured.text(error_type),
        )


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
    if native is not None:
        native._record_external_call(
            _measured.text(service),
            _measured.text(operation),
            _measured.seconds(duration_seconds),
            _measured.truth(success),
            _measured.status_code(status_code),
        )
