"""Metrics of the garbage collector."""

import gc

from djp_telemetry import prometheus
from prometheus_support import same_families


def test_families():
    assert same_families("GCCollector")


def test_a_collection_is_counted():
    registry = prometheus.CollectorRegistry()
    prometheus.GCCollector(registry)
    names = ("python_gc_collections_total", {"generation": "2"})
    before = registry.get_sample_value(*names)
    gc.collect()
    assert registry.get_sample_value(*names) > before
