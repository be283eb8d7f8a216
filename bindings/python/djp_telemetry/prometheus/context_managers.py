"""What time(), track_inprogress() and count_exceptions() return: context managers that are
decorators, too, of coroutine functions and generators as well."""

from __future__ import annotations

from time import perf_counter
from typing import Any, Callable, TypeVar

from .decorator import decorate_with

F = TypeVar("F", bound=Callable[..., Any])


class ExceptionCounter:
    """Counts the exceptions that leave its block.

    Args:
        counter: The counter.
        exception: A class of exceptions or a tuple of classes.
    """

    def __init__(self, counter: Any, exception: Any) -> None:
        self._counter = counter
        self._exception = exception

    def __enter__(self) -> None:
        return None

    def __exit__(self, typ: Any, value: Any, traceback: Any) -> None:
        if isinstance(value, self._exception):
            self._counter.inc()

    def __call__(self, f: F) -> F:
        return decorate_with(f, lambda: ExceptionCounter(self._counter, self._exception))


class InprogressTracker:
    """Adds 1 to a gauge while its block runs.

    Args:
        gauge: The gauge.
    """

    def __init__(self, gauge: Any) -> None:
        self._gauge = gauge

    def __enter__(self) -> None:
        self._gauge.inc()

    def __exit__(self, typ: Any, value: Any, traceback: Any) -> None:
        self._gauge.dec()

    def __call__(self, f: F) -> F:
        return decorate_with(f, lambda: InprogressTracker(self._gauge))


class Timer:
    """Passes the duration of its block in seconds to a method of a metric, and keeps it as
    duration.

    Args:
        metric: The metric.
        callback_name: Name of the method.
    """

    def __init__(self, metric: Any, callback_name: str) -> None:
        self._metric = metric
        self._callback_name = callback_name
        self.duration: Any = None

    def _new_timer(self) -> Timer:
        return type(self)(self._metric, self._callback_name)

    def __enter__(self) -> Timer:
        self._start = perf_counter()
        return self

    def __exit__(self, typ: Any, value: Any, traceback: Any) -> None:
        self.duration = max(perf_counter() - self._start, 0)
        getattr(self._metric, self._callback_name)(self.duration)

    def labels(self, *args: Any, **kw: Any) -> None:
        """Sets the labels inside the block.

        Args:
            args: Label values.
            kw: Label values by name.
        """
        self._metric = self._metric.labels(*args, **kw)

    def __call__(self, f: F) -> F:
        return decorate_with(f, self._new_timer)
