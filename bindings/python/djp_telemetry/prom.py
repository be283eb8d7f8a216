"""The documented request, job and call metrics, for code that records them by hand. No function here raises; all are
no-ops while telemetry is off or without the native core."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Optional

from ._loader import native
from .metrics import generate_metrics_text

_ADD, _SET, _OBSERVE = 0, 1, 2


def init_prometheus() -> None:
    """Starts telemetry as the environment says (see init_telemetry). May be called any number of times."""
    from . import init_telemetry

    init_telemetry()


def _record(name: str, operation: int, labels: tuple[Any, ...], value: Any) -> None:
    if native is not None:
        native._metrics_standard(name, operation, tuple(map(_text, labels)), value)


def _text(value: Any) -> str:
    try:
        return value if isinstance(value, str) else str(value)
    except Exception:
        return ""


def record_http_request(method: str, endpoint: str, status_code: int, duration_seconds: float) -> None:
    """One answered request; endpoint must be a route template."""
    if native is None:
        return
    try:
        status = int(status_code)
        if not -(2**31) <= status < 2**31:
            status = 0
    except Exception:
        status = 0
    native._metrics_http(_text(method), _text(endpoint), status, duration_seconds)


def record_queue_job(job_type: str, duration_seconds: float) -> None:
    """One finished job in queue_job_latency_seconds."""
    _record("queue_job_latency_seconds", _OBSERVE, (job_type,), duration_seconds)


def set_queue_depth(queue_name: str, depth: float) -> None:
    """How many jobs wait: queue_depth and, under its documented name, queue_depth_total."""
    _record("queue_depth", _SET, (queue_name,), depth)


def record_external_api_call(service: str, operation: str, duration_seconds: float) -> None:
    """One call of another service in external_api_calls_total and external_api_duration_seconds."""
    _record("external_api_calls_total", _ADD, (service, operation), 1)
    _record("external_api_duration_seconds", _OBSERVE, (service, operation), duration_seconds)


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
    "record_http_request",
    "record_queue_job",
    "set_queue_depth",
    "timer_context",
]
