"""Records the documented metrics of requests, jobs, calls, models, tasks and devices by hand;
names, labels and buckets are in docs/metrics.md. No function here raises; all are no-ops while
telemetry is off or without the native core. An invalid number (negative, NaN, infinite, not a
number) is counted as dropped and changes nothing."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Optional

from . import _measured
from ._loader import native
from .metrics import generate_metrics_text, start_metrics_server


def init_prometheus() -> None:
    """Starts telemetry as the environment configures it, as `init_telemetry` does."""
    from . import init_telemetry

    init_telemetry()


def _record(name: str, labels: tuple[Any, ...], value: Any) -> None:
    if native is not None:
        native._metrics_standard(name, tuple(map(_measured.text, labels)), _measured.number(value))


def record_http_request(
    method: str,
    endpoint: str,
    status_code: int,
    duration_seconds: float,
    request_size_bytes: Optional[int] = None,
) -> None:
    """Records an answered HTTP request in http_requests_total, http_request_duration_seconds
    and, with a size, http_request_size_bytes. An invalid duration is left out; the
    request is counted. The middleware does this for each request: do not call it there.

    Args:
        method: HTTP method.
        endpoint: Template of the route, never a path with ids.
        status_code: HTTP status, 100 to 599.
        duration_seconds: Duration in seconds.
        request_size_bytes: Size of the request body in bytes.
    """
    if native is None:
        return
    size = -1 if request_size_bytes is None else _measured.number(request_size_bytes)
    native._metrics_http(
        _measured.text(method),
        _measured.text(endpoint),
        _measured.status_code(status_code),
        _measured.seconds(duration_seconds),
        size,
    )


# gen:begin recorders
def record_queue_job(job_type: str, duration_seconds: float) -> None:
    """Records a finished job in queue_job_latency_seconds.

    Args:
        job_type: Type of the job.
        duration_seconds: Duration in seconds.
    """
    _record("queue_job_latency_seconds", (job_type,), duration_seconds)


def record_queue_job_failure(error_type: str) -> None:
    """Counts a failed job in queue_job_failures_total.

    Args:
        error_type: Class of the error, never a message.
    """
    _record("queue_job_failures_total", (error_type,), 1)


def set_queue_depth(queue_name: str, depth: float) -> None:
    """Sets the number of waiting jobs in queue_depth, which is also shown as
    queue_depth_total.

    Args:
        queue_name: Name of the queue.
        depth: Number of waiting jobs.
    """
    _record("queue_depth", (queue_name,), depth)


def record_external_api_call(service: str, operation: str, duration_seconds: float) -> None:
    """Records a call of another service in external_api_calls_total and
    external_api_duration_seconds.

    Args:
        service: Name of the service.
        operation: Name of the operation.
        duration_seconds: Duration in seconds.
    """
    _record(
        "external_api_calls_total",
        (
            service,
            operation,
        ),
        1,
    )
    _record(
        "external_api_duration_seconds",
        (
            service,
            operation,
        ),
        duration_seconds,
    )


def record_external_api_error(service: str, status_code: Any = None) -> None:
    """Counts a failed call of another service in external_api_errors_total.

    Args:
        service: Name of the service.
        status_code: HTTP status; `other` is recorded without one.
    """
    _record(
        "external_api_errors_total",
        (
            service,
            _measured.status_code(status_code) or "other",
        ),
        1,
    )


def record_token_cost(model: str, tenant: str, usd: float) -> None:
    """Adds the cost of model tokens to token_cost_usd_total.

    Args:
        model: Name of the model.
        tenant: Hash of the tenant: everyone who can scrape the metrics can read labels.
        usd: Cost in US dollars.
    """
    _record(
        "token_cost_usd_total",
        (
            model,
            tenant,
        ),
        usd,
    )


def record_workflow_cost(usd: float) -> None:
    """Adds the cost of a workflow to workflow_cost_usd_total.

    Args:
        usd: Cost in US dollars.
    """
    _record("workflow_cost_usd_total", (), usd)


def record_task(status: str, priority: str, duration_seconds: float) -> None:
    """Records a finished task in task_duration_seconds.

    Args:
        status: Result of the task.
        priority: Priority of the task.
        duration_seconds: Duration in seconds.
    """
    _record(
        "task_duration_seconds",
        (
            status,
            priority,
        ),
        duration_seconds,
    )


def set_task_queue_depth(priority: str, depth: float) -> None:
    """Sets the number of waiting tasks in task_queue_depth.

    Args:
        priority: Priority of the tasks.
        depth: Number of waiting tasks.
    """
    _record("task_queue_depth", (priority,), depth)


def set_gpu_utilization(device: str, model: str, percent: float) -> None:
    """Sets the utilization of a GPU in gpu_utilization_percent.

    Args:
        device: Name of the device.
        model: Model of the device.
        percent: Utilization, 0 to 100 percent.
    """
    _record(
        "gpu_utilization_percent",
        (
            device,
            model,
        ),
        percent,
    )


# gen:end


def record_model_request(
    provider: str,
    model: str,
    status: str = "success",
    *,
    input_tokens: Optional[int] = None,
    output_tokens: Optional[int] = None,
    cost_usd: Optional[float] = None,
) -> None:
    """Records a request to a model in model_requests_total, its tokens in model_tokens_total
    and its cost in model_cost_usd_total.

    Args:
        provider: Name of the provider.
        model: Name of the model.
        status: Result; success by default.
        input_tokens: Number of input tokens; left out if None.
        output_tokens: Number of output tokens; left out if None.
        cost_usd: Cost in US dollars; left out if None.
    """
    _record("model_requests_total", (provider, model, status), 1)
    if input_tokens is not None:
        _record("model_tokens_total", (provider, model, "input"), input_tokens)
    if output_tokens is not None:
        _record("model_tokens_total", (provider, model, "output"), output_tokens)
    if cost_usd is not None:
        _record("model_cost_usd_total", (provider, model), cost_usd)


class TimerContext:
    """Context manager that measures its block, as timer_context() returns it.

    label: as given. elapsed_seconds: the duration in seconds, set at the end of the block, also
    after an exception.
    """

    def __init__(self, label: str = "operation") -> None:
        self.label = label
        self.elapsed_seconds = 0.0
        self._start = 0.0

    def __enter__(self) -> TimerContext:
        """Starts the measurement."""
        self._start = time.perf_counter()
        return self

    def __exit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        """Ends the measurement. Does not suppress the exception."""
        self.elapsed_seconds = time.perf_counter() - self._start


def timer_context(label: str = "operation") -> TimerContext:
    """Returns a context manager that measures its block: elapsed_seconds is set at its end,
    also after an exception.

    Args:
        label: Kept as the attribute label.
    """
    return TimerContext(label)


__all__ = [
    "TimerContext",
    "generate_metrics_text",
    "init_prometheus",
    "record_external_api_call",
    "record_external_api_error",
    "record_http_request",
    "record_model_request",
    "record_queue_job",
    "record_queue_job_failure",
    "record_task",
    "record_token_cost",
    "record_workflow_cost",
    "start_metrics_server",
    "set_gpu_utilization",
    "set_queue_depth",
    "set_task_queue_depth",
    "timer_context",
]
