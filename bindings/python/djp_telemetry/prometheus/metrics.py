"""Counter, Gauge, Histogram, Summary, Info and Enum. Recordings with plain numbers end in the
native part; the methods whose names end in _rare take the others."""

from __future__ import annotations

import math
import os
import struct
import time
from collections.abc import Iterable, Sequence
from typing import Any, Callable, Optional

from .._loader import native
from . import values
from ._base import Instrument, MetricWrapperBase, _build_full_name, _declared, plain_children
from ._views import Bucket, Count, Number, Sum, View
from .context_managers import ExceptionCounter, InprogressTracker, Timer
from .registry import REGISTRY
from .samples import Exemplar, Sample
from .utils import INF, floatToGoString
from .validation import _validate_exemplar

_BUCKETS_MAX = 160  # of the core
_KINDS = {"counter": 1, "gauge": 2, "histogram": 3}


def _get_use_created() -> bool:
    setting = os.environ.get("PROMETHEUS_DISABLE_CREATED_SERIES", "")
    return setting.lower() not in ("true", "1", "t")


_use_created = _get_use_created()


def disable_created_metrics() -> None:
    """Leaves out the series with the time at which counters, histograms and summaries began."""
    global _use_created
    _use_created = False


def enable_created_metrics() -> None:
    """Shows these series."""
    global _use_created
    _use_created = True


def _created_sample(metric: Any) -> tuple[Sample, ...]:
    return (Sample("_created", {}, metric._created),) if _use_created else ()


class _Exemplars:
    """The exemplars that the application gives. Those of the current span are in the core."""

    _exemplars: Any

    def _keep_exemplar(self, place: int, exemplar: Any) -> None:
        if self._exemplars is None:
            self._exemplars = {}
        self._exemplars[place] = exemplar

    def _exemplar(self, labels: Any, amount: Any) -> Exemplar:
        _validate_exemplar(labels)
        return Exemplar(labels, amount, time.time())


class Counter(_Exemplars, MetricWrapperBase):
    """A sum that only increases. NaN and infinite amounts are dropped: they would stay for ever."""

    _type = "counter"
    _instrument_kind = _KINDS["counter"]
    _core_type = _declared.Counter
    _value: Any = View(Number)
    inc = Instrument._counter_inc
    _read: Any

    def _metric_init(self) -> None:
        if self._use_objects():
            self._value = self._object("_total")
            self._created = time.time()
        else:
            self._start()

    def _inc_rare(self, amount: Any = 1, exemplar: Optional[dict[str, str]] = None) -> None:
        self._raise_if_not_observable()
        if amount < 0:
            raise ValueError("Counters can only be incremented by non-negative amounts.")
        mark = self._exemplar(exemplar, amount) if exemplar else None
        core = self._core
        if self._has_objects:
            self._value.inc(amount)
            if mark is not None:
                self._value.set_exemplar(mark)
            return
        number = float(amount)
        if core is not None:
            core.inc(number, exemplar)
        elif math.isfinite(number):
            self._counter_inc(number)
        if mark is not None:
            self._keep_exemplar(0, mark)

    def _replace(self, value: float) -> None:
        self.reset()
        self._counter_inc(float(value))

    def reset(self) -> None:
        """Starts again at 0."""
        self._raise_if_not_observable()
        if self._has_objects:
            self._value.set(0)
            self._created = time.time()
            return
        if self._series is not None:
            if self._labelvalues:
                self._parent._series.remove(*self._labelvalues)
                self._series = self._parent._series.labels(*self._labelvalues)
            else:
                self._series.clear()
        self._start()

    def count_exceptions(self, exception: Any = Exception) -> ExceptionCounter:
        """A context manager and decorator that counts exceptions and raises them again.

        Args:
            exception: A class of exceptions or a tuple of classes.
        """
        self._raise_if_not_observable()
        return ExceptionCounter(self, exception)

    def _child_samples(self) -> Iterable[Sample]:
        total = Sample("_total", {}, self._value.get(), None, self._value.get_exemplar())
        return (total, *_created_sample(self))


class Gauge(MetricWrapperBase):
    """A value that increases and decreases.

    Args:
        multiprocess_mode: How the values of several processes become one.
    """

    _type = "gauge"
    _instrument_kind = _KINDS["gauge"]
    _core_type = _declared.Gauge
    _inherited = ("_multiprocess_mode",)
    _MULTIPROC_MODES = frozenset(
        live + mode for live in ("", "live") for mode in ("all", "min", "max", "sum", "mostrecent")
    )
    _MOST_RECENT_MODES = frozenset(("mostrecent", "livemostrecent"))
    _value: Any = View(Number)
    _function: Any = None
    inc = Instrument._gauge_inc
    dec = Instrument._gauge_dec
    set = Instrument._gauge_set

    @plain_children
    def __init__(
        self,
        name: str,
        documentation: str,
        labelnames: Iterable[str] = (),
        namespace: str = "",
        subsystem: str = "",
        unit: str = "",
        registry: Any = REGISTRY,
        _labelvalues: Optional[Sequence[str]] = None,
        multiprocess_mode: str = "all",
    ) -> None:
        if multiprocess_mode not in self._MULTIPROC_MODES:
            raise ValueError(f"Invalid multiprocess mode: {multiprocess_mode}")
        self._multiprocess_mode = multiprocess_mode
        super().__init__(
            name, documentation, labelnames, namespace, subsystem, unit, registry, _labelvalues
        )
        self._kwargs["multiprocess_mode"] = multiprocess_mode

    def _core_arguments(self) -> dict[str, Any]:
        return {"multiprocess_mode": self._multiprocess_mode}

    def _metric_init(self) -> None:
        if self._use_objects():
            self._value = self._object("", multiprocess_mode=self._multiprocess_mode)
        else:
            self._start()
            if self._function is not None and self._series is not None:
                self._series.set_function(self._function)

    def _add(self, amount: Any, sign: int) -> None:
        self._raise_if_not_observable()
        if self._has_objects:
            if self._multiprocess_mode in self._MOST_RECENT_MODES:
                raise RuntimeError("inc and dec must not be used with the mode mostrecent")
            self._value.inc(amount * sign)
            return
        number = float(amount)
        if not math.isnan(number):
            self._gauge_inc(number * sign)

    def _inc_rare(self, amount: Any = 1) -> None:
        self._add(amount, 1)

    def _dec_rare(self, amount: Any = 1) -> None:
        self._add(amount, -1)

    def _set_rare(self, value: Any) -> None:
        self._raise_if_not_observable()
        if not self._has_objects:
            self._gauge_set(float(value))
        elif self._multiprocess_mode in self._MOST_RECENT_MODES:
            self._value.set(float(value), timestamp=time.time())
        else:
            self._value.set(float(value))

    def _replace(self, value: float) -> None:
        self._gauge_set(float(value))

    def set_to_current_time(self) -> None:
        """Sets the value to the time in seconds since 1970 (UTC)."""
        self.set(time.time())

    def track_inprogress(self) -> InprogressTracker:
        """A context manager and decorator that adds 1 while its block runs."""
        self._raise_if_not_observable()
        return InprogressTracker(self)

    def time(self) -> Timer:
        """A context manager and decorator that sets its duration in seconds."""
        return Timer(self, "set")

    def set_function(self, f: Callable[[], float]) -> None:
        """Calls a function for the value at each collection.

        Args:
            f: Function without arguments.
        """
        self._raise_if_not_observable()
        self._function = f
        if self._series is not None:
            self._series.set_function(f)

    def _child_samples(self) -> Iterable[Sample]:
        function = self._function
        value = float(function()) if function is not None else self._value.get()
        return (Sample("", {}, value),)


class Summary(MetricWrapperBase):
    """The number and sum of observations."""

    _type = "summary"
    _reserved_labelnames = ("quantile",)
    _instrument_kind = _KINDS["histogram"]
    _count: Any = View(Count)
    _sum: Any = View(Sum)
    observe = Instrument._observe

    def _metric_init(self) -> None:
        if self._use_objects():
            self._count = self._object("_count")
            self._sum = self._object("_sum")
            self._created = time.time()
        else:
            self._start()

    def _observe_rare(self, amount: Any) -> None:
        self._raise_if_not_observable()
        if self._has_objects:
            self._count.inc(1)
            self._sum.inc(amount)
            return
        number = float(amount)
        if not math.isnan(number):
            self._observe(number)

    def time(self) -> Timer:
        """A context manager and decorator that observes its duration in seconds."""
        return Timer(self, "observe")

    def _child_samples(self) -> Iterable[Sample]:
        if self._has_objects:
            total, count = self._sum.get(), self._count.get()
        else:
            total, counts = self._read()
            count = float(sum(counts))
        return (Sample("_count", {}, count), Sample("_sum", {}, total), *_created_sample(self))


class Histogram(_Exemplars, MetricWrapperBase):
    """Observations counted in buckets.

    Args:
        buckets: Upper bounds in ascending order; +Inf may be left out.
    """

    _type = "histogram"
    _reserved_labelnames = ("le",)
    _instrument_kind = _KINDS["histogram"]
    _core_type = _declared.Histogram
    _inherited = ("_upper_bounds",)
    DEFAULT_BUCKETS = (
        *(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75),
        *(1.0, 2.5, 5.0, 7.5, 10.0, INF),
    )
    _sum: Any = View(Sum)
    _buckets: Any = View(lambda self: [Bucket(self, i) for i in range(len(self._upper_bounds))])
    observe = Instrument._observe

    @plain_children
    def __init__(
        self,
        name: str,
        documentation: str,
        labelnames: Iterable[str] = (),
        namespace: str = "",
        subsystem: str = "",
        unit: str = "",
        registry: Any = REGISTRY,
        _labelvalues: Optional[Sequence[str]] = None,
        buckets: Sequence[Any] = DEFAULT_BUCKETS,
    ) -> None:
        self._prepare_buckets(buckets)
        super().__init__(
            name, documentation, labelnames, namespace, subsystem, unit, registry, _labelvalues
        )
        self._kwargs["buckets"] = buckets

    def _prepare_buckets(self, source_buckets: Sequence[Any]) -> None:
        bounds = [float(bound) for bound in source_buckets]
        if bounds != sorted(bounds):
            raise ValueError("Buckets not in sorted order")
        if bounds and bounds[-1] != INF:
            bounds.append(INF)
        if len(bounds) < 2:
            raise ValueError("Must have at least two buckets")
        self._upper_bounds = bounds

    def _core_arguments(self) -> dict[str, Any]:
        return {"buckets": self._upper_bounds}

    def _fits_core(self) -> bool:
        bounds = self._upper_bounds
        rising = all(low < high for low, high in zip(bounds, bounds[1:]))
        return super()._fits_core() and rising and len(bounds) <= _BUCKETS_MAX

    def _metric_init(self) -> None:
        if not self._use_objects():
            self._start(struct.pack(f"{len(self._upper_bounds) - 1}d", *self._upper_bounds[:-1]))
            return
        self._created = time.time()
        self._sum = self._object("_sum")
        self._buckets = [
            self._object("_bucket", "le", floatToGoString(bound)) for bound in self._upper_bounds
        ]

    def _observe_rare(self, amount: Any, exemplar: Optional[dict[str, str]] = None) -> None:
        self._raise_if_not_observable()
        mark = self._exemplar(exemplar, amount) if exemplar else None
        number = float(amount)
        if math.isnan(number):
            return
        place = next(i for i, bound in enumerate(self._upper_bounds) if number <= bound)
        core = self._core
        if self._has_objects:
            self._sum.inc(amount)
            self._buckets[place].inc(1)
            if mark is not None:
                self._buckets[place].set_exemplar(mark)
            return
        if core is not None:
            core.observe(number, exemplar)
        else:
            self._observe(number)
        if mark is not None:
            self._keep_exemplar(place, mark)

    def time(self) -> Timer:
        """A context manager and decorator that observes its duration in seconds."""
        return Timer(self, "observe")

    def _numbers(self) -> tuple[Any, Any, Any]:
        """Sum, counts and exemplars of the buckets, of one moment."""
        if self._has_objects:
            buckets = self._buckets
            counts = [bucket.get() for bucket in buckets]
            return self._sum.get(), counts, [bucket.get_exemplar() for bucket in buckets]
        total, counts = self._read()
        marks = self._exemplars or {}
        return total, counts, [marks.get(place) for place in range(len(counts))]

    def _child_samples(self) -> Iterable[Sample]:
        total, counts, exemplars = self._numbers()
        samples = []
        count = 0.0
        for bound, number, exemplar in zip(self._upper_bounds, counts, exemplars):
            count += number
            samples.append(Sample("_bucket", {"le": floatToGoString(bound)}, count, None, exemplar))
        samples.append(Sample("_count", {}, count))
        if self._upper_bounds[0] >= 0:
            samples.append(Sample("_sum", {}, total))
        return (*samples, *_created_sample(self))


class Info(MetricWrapperBase):
    """Texts that describe something, as labels. Each process has its own."""

    _type = "info"

    def _metric_init(self) -> None:
        self._labelname_set = set(self._labelnames)
        self._value: dict[str, str] = {}

    def info(self, val: dict[str, str]) -> None:
        """Replaces the texts.

        Args:
            val: The texts by name.
        """
        self._raise_if_not_observable()
        if self._labelname_set.intersection(val):
            raise ValueError(
                f"Overlapping labels for Info metric, metric: {self._labelnames} child: {val}"
            )
        if any(text is None for text in val.values()):
            raise ValueError("Label value cannot be None")
        self._value = dict(val)

    def _child_samples(self) -> Iterable[Sample]:
        return (Sample("_info", self._value, 1.0),)


class Enum(MetricWrapperBase):
    """One of several states. Each process has its own.

    Args:
        states: The states, the first one at the start.
    """

    _type = "stateset"
    _inherited = ("_states",)

    @plain_children
    def __init__(
        self,
        name: str,
        documentation: str,
        labelnames: Sequence[str] = (),
        namespace: str = "",
        subsystem: str = "",
        unit: str = "",
        registry: Any = REGISTRY,
        _labelvalues: Optional[Sequence[str]] = None,
        states: Optional[Sequence[str]] = None,
    ) -> None:
        if name in labelnames:
            raise ValueError(f"Overlapping labels for Enum metric: {name}")
        if not states:
            raise ValueError(f"No states provided for Enum metric: {name}")
        self._states = states
        super().__init__(
            name, documentation, labelnames, namespace, subsystem, unit, registry, _labelvalues
        )
        self._kwargs["states"] = states

    def _metric_init(self) -> None:
        self._value = 0

    def state(self, state: str) -> None:
        """Chooses a state.

        Args:
            state: One of the states.
        """
        self._raise_if_not_observable()
        self._value = self._states.index(state)

    def _child_samples(self) -> Iterable[Sample]:
        present = self._value
        return [
            Sample("", {self._name: state}, 1 if index == present else 0)
            for index, state in enumerate(self._states)
        ]


__all__ = [
    "Counter",
    "Enum",
    "Gauge",
    "Histogram",
    "Info",
    "MetricWrapperBase",
    "Summary",
    "_build_full_name",
    "_get_use_created",
    "disable_created_metrics",
    "enable_created_metrics",
    "native",
    "values",
]
