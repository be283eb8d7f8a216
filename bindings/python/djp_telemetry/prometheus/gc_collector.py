"""Metrics of Python's garbage collector."""

from __future__ import annotations

import gc
import platform
from collections.abc import Iterable
from typing import Any

from .metrics_core import CounterMetricFamily, Metric
from .registry import REGISTRY, Collector

_FAMILIES = (
    ("collected", "python_gc_objects_collected", "Objects collected during gc"),
    ("uncollectable", "python_gc_objects_uncollectable", "Uncollectable objects found during GC"),
    ("collections", "python_gc_collections", "Number of times this generation was collected"),
)


class GCCollector(Collector):
    """Collects these metrics.

    Args:
        registry: The registry to register in.
    """

    def __init__(self, registry: Any = REGISTRY) -> None:
        if hasattr(gc, "get_stats") and platform.python_implementation() == "CPython":
            registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """The metrics of the present moment."""
        generations = gc.get_stats()
        families = []
        for key, name, documentation in _FAMILIES:
            family = CounterMetricFamily(name, documentation, labels=["generation"])
            for index, generation in enumerate(generations):
                family.add_metric([str(index)], generation[key])
            families.append(family)
        return families


GC_COLLECTOR = GCCollector()
