"""The metric types without the native core: every method is there and records nothing."""

from __future__ import annotations

from typing import Any, Optional

from ._guard import decorate


class Guard:
    """Context manager and decorator that records nothing."""

    def __enter__(self) -> Guard:
        return self

    def __exit__(self, *exception: Any) -> None:
        return None

    def __call__(self, function: Any) -> Any:
        return decorate(self, function)

    def fresh(self) -> Guard:
        return self

    def labels(self, *values: Any, **names: Any) -> None:
        return None


_guard = Guard()


class _Metric:
    """What all three types share."""

    value = 0.0

    def __init__(self, name: str, documentation: str = "", labelnames: Any = (), *more: Any, **options: Any) -> None:
        self.name = name
        self.labelnames = (labelnames,) if isinstance(labelnames, str) else tuple(labelnames or ())

    def labels(self, *values: Any, **names: Any) -> Any:
        return self

    def remove(self, *values: Any) -> None:
        return None

    def clear(self) -> None:
        return None


class Counter(_Metric):
    """A number that only grows."""

    def inc(self, amount: float = 1, exemplar: Optional[Any] = None) -> None:
        return None

    def count_exceptions(self, exception: Any = Exception) -> Guard:
        return _guard


class Gauge(_Metric):
    """A number that goes up and down."""

    def inc(self, amount: float = 1) -> None:
        return None

    def dec(self, amount: float = 1) -> None:
        return None

    def set(self, value: float) -> None:
        return None

    def set_to_current_time(self) -> None:
        return None

    def track_inprogress(self) -> Guard:
        return _guard

    def time(self) -> Guard:
        return _guard

    def set_function(self, f: Any) -> None:
        return None


class Histogram(_Metric):
    """Observations counted in buckets."""

    count = 0

    def observe(self, amount: float, exemplar: Optional[Any] = None) -> None:
        return None

    def time(self) -> Guard:
        return _guard
