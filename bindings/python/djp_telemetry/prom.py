"""The documented metrics of requests, jobs, calls, models, tasks and devices, for code that records them by hand; names,
labels and buckets stand in docs/metrics.md. No function here raises; all are no-ops while telemetry is off or without the
native core. A number that makes no sense (negative, NaN, infinite, no number) is counted as dropped and changes nothing."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Optional

from . import _measured
from ._loader import native
from .metrics import generate_metrics_text, start_metrics_server


def init_prometheus() -> None:
    """Starts telemetry as the environment says (see init_telemetry). May be called any number of times."""
    from . import init_telemetry

    init_telemetry()


def _record(name: str, labels: tuple[Any, ...], value: Any) -> None:
    if native is not None:
        native._metrics_standard(name, tuple(map(_measured.text, labels)), _measured.number(value))


def record_http_request(
    method: str, endpoint: str, status_code: int, duration_seconds: float, request_size_bytes: Optional[int] = None
) -> None:
    """Records one answered request in http_requests_total, http_request_duration_seconds and, with a size,
    http_request_size_bytes. endpoint must be a route template. A duration that makes no sense is left out; the request
    is counted all the same. The middleware does this for every request: do not call it there as well."""
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


def record_queue_job(job_type: str, duration_seconds: float) -> None:
    """Records one finished job in queue_job_latency_seconds."""
    _record("queue_job_latency_seconds", (job_type,), duration_seconds)


def record_queue_job_failure(error_type: str) -> None:
    """Records one failed job in queue_job_failures_total. error_type is a class of errors, never a message."""
    _record("queue_job_failures_total", (error_type,), 1)


def set_queue_depth(queue_name: str, depth: float) -> None:
    """Sets how many jobs wait: queue_depth and, under its documented name, queue_depth_total."""
    _record("queue_depth", (queue_name,), depth)


def record_external_api_call(service: str, operation: str, duration_seconds: float) -> None:
    """Records one call of another service in external_api_calls_total and external_api_duration_seconds."""
    _record("external_api_calls_total", (service, operation), 1)
    _record("external_api_duration_seconds", (service, operation), duration_seconds)


def record_external_api_error(service: str, status_code: Any = None) -> None:
    """Records one failed call in external_api_errors_total; "other" stands for no HTTP status."""
    _record("external_api_errors_total", (service, _measured.status_code(status_code) or "other"), 1)


def record_token_cost(model: str, tenant: str, usd: float) -> None:
    """Adds to token_cost_usd_total. tenant must be hashed already: a label is public to everybody who may scrape."""
    _record("token_cost_usd_total", (model, tenant), usd)


def record_workflow_cost(usd: float) -> None:
    """Adds to workflow_cost_usd_total."""
    _record("workflow_cost_usd_total", (), usd)


def record_model_request(
    provider: str,
    model: str,
    status: str = "success",
    *,
    input_tokens: Optional[int] = None,
    output_tokens: Optional[int] = None,
    cost_usd: Optional[float] = None,
) -> None:
    """Records one request to a model in model_requests_total and what it used in model_tokens_total (type input and
    output) and model_cost_usd_total. What is None is left out."""
    _record("model_requests_total", (provider, model, status), 1)
    if input_tokens is not None:
        _record("model_tokens_total", (provider, model, "input"), input_tokens)
    if output_tokens is not None:
        _record("model_tokens_total", (provider, model, "output"), output_tokens)
    if cost_usd is not None:
        _record("model_cost_usd_total", (provider, model), cost_usd)


def record_task(status: str, priority: str, duration_seconds: float) -> None:
    """Records one finished task in task_duration_seconds."""
    _record("task_duration_seconds", (status, priority), duration_seconds)


def set_task_queue_depth(priority: str, depth: float) -> None:
    """Sets how many tasks wait in task_queue_depth."""
    _record("task_queue_depth", (priority,), depth)


def set_gpu_utilization(device: str, model: str, percent: float) -> None:
    """Sets gpu_utilization_percent, 0 to 100."""
    _record("gpu_utilization_percent", (device, model), percent)


class TimerContext:
    """Measures its block; elapsed_seconds is set also when the block raises."""

    def __init__(self, label: str = "operation") -> None:
        self.label = label
        self.elapsed_seconds = 0.0
        self._start = 0.0

    def __enter__(self) -> TimerContext:
        self._start = time.perf_counter()
        return self

    def __exit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.elapsed_seconds = time.perf_counter() - self._start


def timer_context(label: str = "operation") -> TimerContext:
    """with timer_context("op") as t: ...; then t.elapsed_seconds."""
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
