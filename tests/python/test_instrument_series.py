"""Metrics of djp_telemetry.prometheus through starts, ends and forks of telemetry."""

import gc
import os

import pytest
from djp_telemetry import metrics, prometheus
from support import telemetry

pytest.importorskip("djp_telemetry._native")


@pytest.fixture
def counter():
    made = prometheus.Counter("series_jobs", "Jobs", ["kind"])
    yield made
    prometheus.REGISTRY.unregister(made)


def test_every_child_moves_when_telemetry_starts_without_being_touched(counter):
    for number in range(300):
        counter.labels(str(number)).inc(number)
    with telemetry(backend="prom"):
        page = metrics.generate_metrics().decode().splitlines()
        found = [line for line in page if line.startswith("series_jobs_total{")]
        assert len(found) == 300
        assert sum(float(line.split()[-1]) for line in found) == sum(range(300))


def test_children_that_are_gone_are_not_bound(counter):
    counter.labels("a").inc()
    counter.labels("b").inc()
    counter.remove("a")
    gc.collect()
    with telemetry(backend="prom"):
        assert b'kind="a"' not in metrics.generate_metrics()
        assert counter.labels("b")._value.get() == 1


def test_a_forked_child_records_into_the_metrics_of_its_parent(counter):
    with telemetry(backend="prom"):
        counter.labels("a").inc()
        child = os.fork()
        if child == 0:
            counter.labels("a").inc(2)
            counter.labels("b").inc(3)
            os._exit(0)
        os.waitpid(child, 0)
        assert counter.labels("a")._value.get() == 3
        assert b'series_jobs_total{kind="b"} 3' in metrics.generate_metrics()


def test_a_restart_of_telemetry_begins_at_zero(counter):
    with telemetry(backend="prom"):
        counter.labels("a").inc(5)
    assert counter.labels("a")._value.get() == 5
    with telemetry(backend="otel"):  # without metrics the numbers stay where they are
        counter.labels("a").inc()
        assert counter.labels("a")._value.get() == 6
    with telemetry(backend="prom"):
        counter.labels("a").inc()
        assert counter.labels("a")._value.get() == 1
