"""Metrics of the process."""

import os

from djp_telemetry import prometheus
from prometheus_support import same_families


def test_families():
    assert same_families("ProcessCollector")


def test_values():
    registry = prometheus.CollectorRegistry()
    prometheus.ProcessCollector("n", pid=os.getpid, registry=registry)
    value = registry.get_sample_value
    assert 0 < value("n_process_resident_memory_bytes") < value("n_process_virtual_memory_bytes")
    assert value("n_process_max_fds") >= value("n_process_open_fds") > 0


def test_a_process_that_is_not_there_has_no_metrics(tmp_path):
    for collector in (
        prometheus.ProcessCollector(proc=str(tmp_path), registry=None),
        prometheus.ProcessCollector(pid=lambda: 2**30, registry=None),
    ):
        assert list(collector.collect()) == []
