"""The metric types without the native core: all methods exist and record nothing."""

from __future__ import annotations

from typing import Any

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
    """The declaration, common to the three types."""

    __slots__ = ("_labelnames", "_name")

    def __init__(self, name: str, labelnames: Any) -> None:
        self._name = name
        self._labelnames = (labelnames,) if isinstance(labelnames, str) else tuple(labelnames or ())


# gen:begin noop_classes Counter Gauge Histogram


class Counter(_Metric):
    """A sum that only increases. `_total` is appended to the name if it is missing
    (OpenMetrics). Equal declarations are one metric. A declaration that is invalid or
    conflicts with another one records nothing and logs a warning.

    Args:
        name: Name of the metric (Prometheus).
        documentation: Help text.
        labelnames: Label names.
        namespace: First part of the name.
        subsystem: Second part of the name.
        unit: Unit, appended to the name if it is missing.
        registry: Accepted for compatibility with prometheus_client; ignored.
    """

    __slots__ = ()

    def __init__(
        self,
        name: Any,
        documentation: Any = "",
        labelnames: Any = (),
        namespace: Any = "",
        subsystem: Any = "",
        unit: Any = "",
        registry: Any = None,
    ) -> None:
        super().__init__(name, labelnames)

    @property
    def name(self) -> Any:
        """The name as declared."""
        return self._name

    @property
    def labelnames(self) -> Any:
        """The declared label names."""
        return self._labelnames

    @property
    def value(self) -> Any:
        """The present value over all threads; the sum of a histogram; 0 while metrics are off."""
        return 0.0

    def labels(self, *values: Any, **names: Any) -> Any:
        """Returns the series of a label set. Keep it where it is used often. Labels that do not
        match the declaration are dropped and counted.

        Args:
            values: Label values in the order of the declaration.
            names: Label values by name.
        """
        return self

    def remove(self, *values: Any) -> Any:
        """Removes the series of a label set.

        Args:
            values: Label values in the order of the declaration.
        """
        return None

    def clear(self, /) -> Any:
        """Removes all series. A metric without labels starts again at 0."""
        return None

    def inc(self, amount: Any = 1, exemplar: Any = None) -> Any:
        """Adds an amount. A negative, infinite or non-numeric amount is dropped and counted.

        Args:
            amount: A finite number of 0 or more; 1 by default.
            exemplar: trace_id and span_id of an exemplar; those of the current sampled span
                by default.
        """
        return None

    def count_exceptions(self, exception: Any = None) -> Any:
        """Returns a context manager and decorator that adds 1 for each exception and raises it
        again.

        Args:
            exception: A class of exceptions or a tuple of classes; Exception by default.
        """
        return _guard


class Gauge(_Metric):
    """A value that increases and decreases. Declarations as for `Counter`.

    Args:
        multiprocess_mode: How the values of several processes become one, as in
            prometheus_client; an unknown mode is refused like an invalid name.
    """

    __slots__ = ()

    def __init__(
        self,
        name: Any,
        documentation: Any = "",
        labelnames: Any = (),
        namespace: Any = "",
        subsystem: Any = "",
        unit: Any = "",
        registry: Any = None,
        multiprocess_mode: Any = "all",
    ) -> None:
        super().__init__(name, labelnames)

    @property
    def name(self) -> Any:
        """The name as declared."""
        return self._name

    @property
    def labelnames(self) -> Any:
        """The declared label names."""
        return self._labelnames

    @property
    def value(self) -> Any:
        """The present value over all threads; the sum of a histogram; 0 while metrics are off."""
        return 0.0

    def labels(self, *values: Any, **names: Any) -> Any:
        """Returns the series of a label set. Keep it where it is used often. Labels that do not
        match the declaration are dropped and counted.

        Args:
            values: Label values in the order of the declaration.
            names: Label values by name.
        """
        return self

    def remove(self, *values: Any) -> Any:
        """Removes the series of a label set.

        Args:
            values: Label values in the order of the declaration.
        """
        return None

    def clear(self, /) -> Any:
        """Removes all series. A metric without labels starts again at 0."""
        return None

    def inc(self, amount: Any = 1) -> Any:
        """Adds an amount.

        Args:
            amount: A number; 1 by default.
        """
        return None

    def dec(self, amount: Any = 1) -> Any:
        """Subtracts an amount.

        Args:
            amount: A number; 1 by default.
        """
        return None

    def set(self, value: Any) -> Any:
        """Replaces the value.

        Args:
            value: Any number, including infinities and NaN.
        """
        return None

    def set_to_current_time(self, /) -> Any:
        """Sets the value to the time in seconds since 1970 (UTC)."""
        return None

    def track_inprogress(self, /) -> Any:
        """Returns a context manager and decorator that adds 1 at its start and subtracts it at
        its end.
        """
        return _guard

    def time(self, /) -> Any:
        """Returns a context manager and decorator that sets its duration in seconds."""
        return _guard

    def set_function(self, f: Any, /) -> Any:
        """Calls a function for the value before each exposition that this language makes. An
        exception leaves the value unchanged.

        Args:
            f: Function without arguments that returns the value.
        """
        return None


class Histogram(_Metric):
    """Observations counted in buckets. Declarations as for `Counter`.

    Args:
        buckets: Upper bounds in ascending order; +Inf may be left out.
        exponential: True keeps base-2 exponential buckets too, False only the explicit
            ones; the setting `histogram_aggregation` by default.
    """

    __slots__ = ()

    def __init__(
        self,
        name: Any,
        documentation: Any = "",
        labelnames: Any = (),
        namespace: Any = "",
        subsystem: Any = "",
        unit: Any = "",
        registry: Any = None,
        buckets: Any = None,
        exponential: Any = None,
    ) -> None:
        super().__init__(name, labelnames)

    @property
    def name(self) -> Any:
        """The name as declared."""
        return self._name

    @property
    def labelnames(self) -> Any:
        """The declared label names."""
        return self._labelnames

    @property
    def value(self) -> Any:
        """The present value over all threads; the sum of a histogram; 0 while metrics are off."""
        return 0.0

    def labels(self, *values: Any, **names: Any) -> Any:
        """Returns the series of a label set. Keep it where it is used often. Labels that do not
        match the declaration are dropped and counted.

        Args:
            values: Label values in the order of the declaration.
            names: Label values by name.
        """
        return self

    def remove(self, *values: Any) -> Any:
        """Removes the series of a label set.

        Args:
            values: Label values in the order of the declaration.
        """
        return None

    def clear(self, /) -> Any:
        """Removes all series. A metric without labels starts again at 0."""
        return None

    @property
    def count(self) -> Any:
        """Number of observations over all threads; 0 while metrics are off."""
        return 0

    def observe(self, amount: Any, exemplar: Any = None) -> Any:
        """Counts an observation. NaN and a value that is not a number are dropped and counted.

        Args:
            amount: The observation, in the unit of the metric.
            exemplar: As for `Counter.inc`.
        """
        return None

    def time(self, /) -> Any:
        """Returns a context manager and decorator that observes its duration in seconds."""
        return _guard


# gen:end
