"""Registries of collectors. The default one, REGISTRY, shows the metrics of the native core, too:
those that are declared here and those of the SDK are one page."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Iterable, Iterator
from typing import Any, Optional, Protocol

from .metrics_core import Metric

_logger = logging.getLogger("djp_telemetry")
# Further series of a family of each type, which its name reserves.
_SUFFIXES = {
    "counter": ("_total", "_created"),
    "summary": ("_sum", "_count", "_created"),
    "histogram": ("_bucket", "_sum", "_count", "_created"),
    "gaugehistogram": ("_bucket", "_gsum", "_gcount"),
    "info": ("_info",),
}


class Collector(Protocol):
    """Whatever has collect()."""

    def collect(self) -> Iterable[Metric]:
        """The metrics of the present moment."""


class _EmptyCollector:
    def collect(self) -> Iterable[Metric]:
        return []


class DuplicateTimeseries(ValueError):
    """A collector was registered with names that another one has.

    Args:
        duplicates: These names.
    """

    def __init__(self, duplicates: set[str]) -> None:
        super().__init__(f"Duplicated timeseries in CollectorRegistry: {duplicates}")
        self.duplicates = duplicates


_failed: weakref.WeakSet[Any] = weakref.WeakSet()


def _report(collector: Any) -> None:
    """Logs the exception of a collector, once for each."""
    try:
        seen = collector in _failed
        _failed.add(collector)
    except TypeError:
        seen = False
    if not seen:
        _logger.warning(
            "A Prometheus collector failed, its metrics are missing: %s",
            type(collector).__qualname__,
            exc_info=True,
        )


def collect_safely(collector: Any) -> list[Metric]:
    """The metrics of a collector; none, and a message, if it fails."""
    try:
        return list(collector.collect())
    except Exception:
        _report(collector)
        return []


def _never(written: Any) -> bool:
    return False


class _Lock:
    """A reentrant lock, so that a signal handler may use the registry that it interrupts."""

    def __init__(self) -> None:
        self._inner = threading.RLock()
        self.acquire = self._inner.acquire
        self.release = self._inner.release
        self._depth = 0

    def __enter__(self) -> bool:
        self._inner.acquire()
        self._depth += 1
        return True

    def __exit__(self, *exception: Any) -> None:
        self._depth -= 1
        self._inner.release()

    def locked(self) -> bool:
        """Whether a thread holds the lock."""
        return self._depth > 0


class CollectorRegistry:
    """Collectors, and the names of their metrics.

    Args:
        auto_describe: Collectors without describe() are collected at their registration for the
            names of their metrics.
        target_info: Labels of the metric target_info.
        support_collectors_without_names: Collectors without names are part of restricted ones.
    """

    # What else the registry shows: only the default registry has the metrics of the core.
    _core: Any = None

    def __init__(
        self,
        auto_describe: bool = False,
        target_info: Optional[dict[str, str]] = None,
        support_collectors_without_names: bool = False,
    ) -> None:
        self._collector_to_names: dict[Any, list[str]] = {}
        self._names_to_collectors: dict[str, Any] = {}
        self._auto_describe = auto_describe
        self._support_collectors_without_names = support_collectors_without_names
        self._collectors_without_names: list[Any] = []
        self._target_info: Optional[dict[str, str]] = {}
        # Reentrant and new in a forked child: neither a signal handler nor a fork blocks it.
        self._lock = _Lock()
        _registries.add(self)
        self.set_target_info(target_info)

    def register(self, collector: Any) -> None:
        """Adds a collector.

        Args:
            collector: An object with collect() and, for the names of its metrics, describe().
        """
        names = self._get_names(collector)
        with self._lock:
            duplicates = set(names).intersection(self._names_to_collectors)
            if duplicates:
                raise DuplicateTimeseries(duplicates)
            self._names_to_collectors.update(dict.fromkeys(names, collector))
            self._collector_to_names[collector] = names
            if not names and self._support_collectors_without_names:
                self._collectors_without_names.append(collector)
        if self._core is not None:
            self._core.show(names)

    def unregister(self, collector: Any) -> None:
        """Removes a collector.

        Args:
            collector: One that is registered.
        """
        with self._lock:
            names = self._collector_to_names.pop(collector)
            for name in names:
                self._names_to_collectors.pop(name, None)
            if collector in self._collectors_without_names:
                self._collectors_without_names.remove(collector)
        if self._core is not None:
            self._core.hide(names)

    def _get_names(self, collector: Any) -> list[str]:
        describe = getattr(collector, "describe", None)
        if not describe and self._auto_describe:
            describe = collector.collect
        names: list[str] = []
        for metric in describe() if describe else ():
            names.append(metric.name)
            names.extend(metric.name + suffix for suffix in _SUFFIXES.get(metric.type, ()))
        return names

    def collect(self) -> Iterator[Metric]:
        """Yields the metrics of all collectors. One that fails is left out, with a message."""
        yield from self._collect_registered()
        if self._core is not None:
            yield from self._core.collect()

    def _collect_registered(self, written: frozenset[str] = frozenset()) -> Iterator[Metric]:
        """Yields the metrics of all collectors but those whose families are written already."""
        with self._lock:
            collectors = list(self._collector_to_names)
            info = self._target_info_metric() if self._target_info else None
        if info is not None:
            yield info
        for collector in collectors:
            if not written or not getattr(collector, "_is_written", _never)(written):
                yield from collect_safely(collector)

    def restricted_registry(self, names: Iterable[str]) -> RestrictedRegistry:
        """A view that collects only the samples of some names.

        Args:
            names: Names of samples.
        """
        return RestrictedRegistry(names, self)

    def set_target_info(self, labels: Optional[dict[str, str]]) -> None:
        """Sets the labels of the metric target_info; no labels remove it.

        Args:
            labels: Labels.
        """
        with self._lock:
            if labels:
                if not self._target_info and "target_info" in self._names_to_collectors:
                    raise ValueError("CollectorRegistry already contains a target_info metric")
                self._names_to_collectors["target_info"] = _EmptyCollector()
            elif self._target_info:
                self._names_to_collectors.pop("target_info", None)
            self._target_info = labels

    def get_target_info(self) -> Optional[dict[str, str]]:
        """The labels of the metric target_info."""
        return self._target_info

    def _target_info_metric(self) -> Metric:
        metric = Metric("target", "Target metadata", "info")
        metric.add_sample("target_info", self._target_info or {}, 1)
        return metric

    def get_sample_value(
        self, name: str, labels: Optional[dict[str, str]] = None
    ) -> Optional[float]:
        """The value of a sample, for tests; None if there is none.

        Args:
            name: Name of the sample.
            labels: Its labels.
        """
        wanted = labels or {}
        for metric in self.collect():
            for sample in metric.samples:
                if sample.name == name and sample.labels == wanted:
                    return sample.value
        return None


class RestrictedRegistry:
    """A view of a registry that collects only the samples of some names.

    Args:
        names: Names of samples.
        registry: The registry.
    """

    def __init__(self, names: Iterable[str], registry: CollectorRegistry) -> None:
        self._name_set = set(names)
        self._registry = registry

    def _metrics(self) -> Iterator[Metric]:
        registry = self._registry
        with registry._lock:
            collectors = dict.fromkeys(registry._collectors_without_names)
            for name in self._name_set:
                collector = registry._names_to_collectors.get(name)
                if collector is not None and name != "target_info":
                    collectors[collector] = None
        for collector in collectors:
            yield from collect_safely(collector)
        if registry._core is not None:
            yield from registry._core.collect()

    def collect(self) -> Iterator[Metric]:
        """Yields the metrics with the samples of these names."""
        with self._registry._lock:
            info = self._registry._target_info_metric() if self._registry._target_info else None
        if info is not None and "target_info" in self._name_set:
            yield info
        for metric in self._metrics():
            restricted = metric._restricted_metric(self._name_set)
            if restricted:
                yield restricted


_registries: weakref.WeakSet[CollectorRegistry] = weakref.WeakSet()


def _after_fork() -> None:
    for registry in list(_registries):
        registry._lock = _Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

REGISTRY = CollectorRegistry(auto_describe=True)
