"""The class that all metrics have in common: names, labels and children. The numbers are in its
native part, an instrument."""

from __future__ import annotations

import os
import re
import threading
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Optional

from .. import metrics as _declared
from .._loader import native
from . import _instrument, _sharing, values
from ._views import View
from .metrics_core import Metric
from .registry import REGISTRY, Collector
from .samples import Sample
from .validation import _validate_labelnames, _validate_metric_name

Instrument: Any = _instrument.Instrument if native is None else native.Instrument

_MULTIPROCESS_VARIABLES = ("PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir")
# What the core takes. Metrics with other names keep their numbers in this process.
_CORE_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")
_CORE_LABEL = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*\Z")
_CORE_LABELS_MAX = 32
_CORE_UNIT = re.compile(r"[a-z]{4,}\Z")  # a word, which the core takes as it is
# What a child has in common with its parent.
_INHERITED = (
    "_documentation",
    "_kwargs",
    "_labelnames",
    "_name",
    "_namespace",
    "_original_name",
    "_subsystem",
    "_unit",
)


def _build_full_name(metric_type: Any, name: str, namespace: str, subsystem: str, unit: str) -> str:
    if not name:
        raise ValueError("Metric name should not be empty")
    full = "_".join(part for part in (namespace, subsystem, name) if part)
    if metric_type == "counter" and full.endswith("_total"):
        full = full[: -len("_total")]
    if unit and metric_type in ("info", "stateset"):
        raise ValueError(f"Metric name is of a type that cannot have a unit: {full}")
    return full if not unit or full.endswith(f"_{unit}") else f"{full}_{unit}"


class Children(dict):  # type: ignore[type-arg]
    """The children of a metric by their label values, `_metrics`. A change from outside reaches
    the caches of labels()."""

    def __init__(self, parent: Any) -> None:
        super().__init__()
        self._discard = parent._discard

    def _changed(name: str) -> Any:  # type: ignore[misc]  # noqa: N805
        change = getattr(dict, name)

        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                return change(self, *args, **kwargs)
            finally:
                self._discard()

        method.__name__ = name
        return method

    __setitem__ = _changed("__setitem__")
    __delitem__ = _changed("__delitem__")
    clear = _changed("clear")
    pop = _changed("pop")
    popitem = _changed("popitem")
    update = _changed("update")


def _warn_of_processes(what: str) -> None:
    """Only the numbers of classes like MultiProcessValue remain after a removal."""
    if values.ValueClass is not values.MutexValue and any(
        name in os.environ for name in _MULTIPROCESS_VARIABLES
    ):
        warnings.warn(
            f"{what} of labels has no effect on the files of MultiProcessValue.",
            UserWarning,
            stacklevel=3,
        )


class MetricWrapperBase(Instrument, Collector):  # type: ignore[misc,valid-type]
    """A metric, or the child of one label set.

    Args:
        name: Name.
        documentation: Help text.
        labelnames: Label names.
        namespace: First part of the name.
        subsystem: Second part of the name.
        unit: Unit, appended to the name if it is missing.
        registry: The registry to register in; None: none.
    """

    _type: Optional[str] = None
    _reserved_labelnames: Sequence[str] = ()
    _instrument_kind = 0  # of the native part: counter 1, gauge 2, histogram 3; 0: none
    _core_type: Any = None  # the class of djp_telemetry.metrics that takes the numbers
    _inherited: tuple[str, ...] = ()  # what a child has in common with its parent beside names
    _has_objects = False  # the numbers are objects of a class that replaced values.ValueClass
    _exemplars: Any = None  # those that the application gave, by bucket
    _parent: Any = None
    _labelvalues: tuple[str, ...] = ()
    _series: Any = None  # a metric of djp_telemetry.metrics
    # Held by nothing here; part of what other packages use.
    _lock = threading.RLock()

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
    ) -> None:
        self._original_name = name
        self._namespace = namespace
        self._subsystem = subsystem
        self._unit = unit
        self._documentation = documentation
        self._kwargs: dict[str, Any] = {}
        self._name = _build_full_name(self._type, name, namespace, subsystem, unit)
        self._labelnames = _validate_labelnames(self, labelnames)
        _validate_metric_name(self._name)
        if _labelvalues:
            self._labelvalues = tuple(_labelvalues)
        if self._is_parent():
            self._metrics: Any = Children(self)
            self._divide(self._labelnames, self._metrics)
        else:
            self._metric_init()
        if registry and not self._labelvalues:
            registry.register(self)
            if registry is REGISTRY:
                self._join_core()

    # ---- the core ----
    def _core_arguments(self) -> dict[str, Any]:
        return {}

    def _fits_core(self) -> bool:
        names = self._labelnames
        return (
            native is not None
            and self._core_type is not None
            and values.ValueClass is values.MutexValue
            and _CORE_NAME.match(self._name) is not None
            and len(names) <= _CORE_LABELS_MAX
            and all(_CORE_LABEL.match(label) for label in names)
        )

    def _join_core(self) -> None:
        """Declares the metric of the default registry in the core."""
        if not self._fits_core():
            return
        _sharing.begin()
        unit = self._unit if _CORE_UNIT.match(self._unit) else ""
        self._series = self._core_type(
            self._name, self._documentation, self._labelnames, unit=unit, **self._core_arguments()
        )
        if not self._is_parent():
            self._metric_init()

    # ---- names ----
    def _is_observable(self) -> bool:
        return not self._labelnames or bool(self._labelvalues)

    def _is_written(self, written: frozenset[str]) -> bool:
        """Whether the core has written the family; text 0.0.4 has a counter under its sample's
        name."""
        return self._name in written or (
            self._type == "counter" and f"{self._name}_total" in written
        )

    def _raise_if_not_observable(self) -> None:
        if not self._is_observable():
            raise ValueError(f"{self._type} metric is missing label values")

    def _is_parent(self) -> bool:
        return bool(self._labelnames) and not self._labelvalues

    def _get_metric(self) -> Metric:
        return Metric(self._name, self._documentation, self._type or "", self._unit)

    def describe(self) -> Iterable[Metric]:
        """The family without samples."""
        return [self._get_metric()]

    def collect(self) -> Iterable[Metric]:
        """The family with its samples."""
        metric = self._get_metric()
        for suffix, *rest in self._samples():
            metric.add_sample(self._name + suffix, *rest)
        return [metric]

    def __str__(self) -> str:
        return f"{self._type}:{self._name}"

    def __repr__(self) -> str:
        kind = type(self)
        module = kind.__module__.replace("djp_telemetry.prometheus._", "prometheus_client.")
        module = module.replace("djp_telemetry.prometheus", "prometheus_client")
        return f"{module}.{kind.__name__}({self._name})"

    # ---- labels ----
    def _label_values(self, labelvalues: Any, labelkwargs: Any) -> tuple[str, ...]:
        if not self._labelnames:
            raise ValueError(f"No label names were set when constructing {self}")
        if self._labelvalues:
            present = dict(zip(self._labelnames, self._labelvalues))
            raise ValueError(
                f"{self} already has labels set ({present}); can not chain calls to .labels()"
            )
        if labelvalues and labelkwargs:
            raise ValueError("Can't pass both *args and **kwargs")
        if labelkwargs:
            if sorted(labelkwargs) != sorted(self._labelnames):
                raise ValueError("Incorrect label names")
            return tuple(str(labelkwargs[name]) for name in self._labelnames)
        if len(labelvalues) != len(self._labelnames):
            raise ValueError("Incorrect label count")
        return tuple(map(str, labelvalues))

    def _labels_rare(self, *labelvalues: Any, **labelkwargs: Any) -> Any:
        texts = self._label_values(labelvalues, labelkwargs)
        child = self._metrics.get(texts)
        if child is None:
            # Two threads may both make one; setdefault keeps the first.
            child = self._metrics.setdefault(texts, self._child(texts))
        return child

    def _child(self, texts: tuple[str, ...]) -> Any:
        kind = type(self)
        if getattr(kind.__init__, "_makes_plain_children", False):
            child = kind.__new__(kind)
            child._parent = self
            child._labelvalues = texts
            # One by one, so that children share the keys of their dictionaries.
            for name in (*_INHERITED, *self._inherited):
                setattr(child, name, getattr(self, name))
            if self._series is not None:
                child._series = self._series.labels(*texts)
            child._metric_init()
            return child
        own = {k: v for k, v in self._kwargs.items() if k not in ("namespace", "subsystem", "unit")}
        child = kind(
            self._original_name,
            documentation=self._documentation,
            labelnames=self._labelnames,
            namespace=self._namespace,
            subsystem=self._subsystem,
            unit=self._unit,
            _labelvalues=texts,
            **own,
        )
        child._parent = self
        if self._series is not None:
            child._series = self._series.labels(*texts)
            child._metric_init()
        return child

    # The child of a label set, by position or name, made by the first call.
    labels = Instrument._find

    def _drop(self, texts: tuple[str, ...]) -> None:
        if self._metrics.pop(texts, None) is not None and self._series is not None:
            self._series.remove(*texts)

    def remove(self, *labelvalues: Any) -> None:
        """Removes the child of a label set.

        Args:
            labelvalues: Label values in the order of the declaration.
        """
        _warn_of_processes("Removal")
        if not self._labelnames:
            raise ValueError(f"No label names were set when constructing {self}")
        if len(labelvalues) != len(self._labelnames):
            raise ValueError(
                f"Incorrect label count (expected {len(self._labelnames)}, got {labelvalues})"
            )
        self._drop(tuple(map(str, labelvalues)))

    def remove_by_labels(self, labels: dict[str, str]) -> None:
        """Removes all children with these values.

        Args:
            labels: Values of some of the labels.
        """
        _warn_of_processes("Removal")
        if not self._labelnames:
            raise ValueError(f"No label names were set when constructing {self}")
        if not isinstance(labels, dict):
            raise TypeError("labels must be a dict of {label_name: label_value}")
        unknown = [name for name in labels if name not in self._labelnames]
        if unknown:
            raise ValueError(f"Unknown label names: {unknown}; expected {self._labelnames}")
        wanted = {self._labelnames.index(name): str(value) for name, value in labels.items()}
        for texts in list(self._metrics) if wanted else ():
            if all(texts[at] == text for at, text in wanted.items()):
                self._drop(texts)

    def clear(self) -> None:
        """Removes all children."""
        if not self._labelnames:
            return
        _warn_of_processes("Clearing")
        self._metrics.clear()
        if self._series is not None:
            self._series.clear()

    # ---- samples ----
    def _samples(self) -> Iterable[Sample]:
        return self._multi_samples() if self._is_parent() else self._child_samples()

    def _multi_samples(self) -> Iterator[Sample]:
        for texts, child in list(self._metrics.items()):
            labels = dict(zip(self._labelnames, texts))
            for suffix, own, *rest in child._samples():
                yield Sample(suffix, {**labels, **own}, *rest)

    def _child_samples(self) -> Iterable[Sample]:
        raise NotImplementedError(f"_child_samples() must be implemented by {self!r}")

    def _metric_init(self) -> None:
        """Starts the numbers of a metric without labels, or of a child, at zero."""
        raise NotImplementedError(f"_metric_init() must be implemented by {self!r}")

    def _use_objects(self) -> bool:
        """Whether the numbers are objects of a class that replaced values.ValueClass."""
        self._has_objects = values.ValueClass is not values.MutexValue
        return self._has_objects

    def _object(self, suffix: str, *label: str, **kwargs: Any) -> Any:
        """A number of that class. label: name and value of one more label."""
        names, texts = self._labelnames, self._labelvalues
        if label:
            names, texts = (*names, label[0]), (*texts, label[1])
        return values.ValueClass(
            self._type, self._name, self._name + suffix, names, texts, self._documentation, **kwargs
        )

    def _start(self, bounds: bytes = b"") -> None:
        """Opens the native part."""
        self._created = time.time()
        self._open(self._instrument_kind, bounds, self._series)


def plain_children(init: Any) -> Any:
    """Marks an __init__() of this package, which children need not run."""
    init._makes_plain_children = True
    return init


plain_children(MetricWrapperBase.__init__)
__all__ = [
    "Instrument",
    "MetricWrapperBase",
    "View",
    "_build_full_name",
    "_declared",
    "plain_children",
]
