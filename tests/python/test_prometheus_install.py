"""install(): imports of prometheus_client return djp_telemetry.prometheus."""

import pytest
from support import run_program

pytest.importorskip("djp_telemetry._native")
EARLY = """
from djp_telemetry import prometheus
prometheus.install()
prometheus.install()
import prometheus_client, prometheus_client.core
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client import REGISTRY, multiprocess
import prometheus_client.bridge.graphite as graphite
assert prometheus_client is prometheus
assert prometheus_client.core.Counter is prometheus.Counter
assert graphite.__name__ == "djp_telemetry.prometheus.bridge.graphite"
assert prometheus_client.multiprocess.__spec__.name == "djp_telemetry.prometheus.multiprocess"
try:
    import prometheus_client.missing
except ImportError:
    print("ok")
"""
LATE = """
import prometheus_client
import prometheus_client as client
from prometheus_client import Counter, REGISTRY, generate_latest
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics import MetricWrapperBase
theirs = prometheus_client
before = Counter("before", "d", ["x"])
before.labels("1").inc(2)

from djp_telemetry import prometheus
prometheus.install()
assert prometheus_client is client is prometheus
assert (Counter, REGISTRY, generate_latest) == (
    prometheus.Counter, prometheus.REGISTRY, prometheus.generate_latest)
assert choose_encoder is prometheus.exposition.choose_encoder
import prometheus_client.metrics
assert MetricWrapperBase is prometheus_client.metrics.MetricWrapperBase
after = Counter("after", "d")
after.inc()
before.labels("1").inc()
assert isinstance(before, Counter) and isinstance(before, MetricWrapperBase)
page = generate_latest().decode()
assert 'before_total{x="1"} 3.0' in page and "after_total 1.0" in page, page
assert page.count("# TYPE python_info ") == 1
try:
    Counter("before", "d")
except ValueError:
    print("ok")
"""


@pytest.mark.parametrize("program", [EARLY, LATE], ids=["early", "late"])
def test_imports_return_the_package(program, tmp_path):
    assert run_program(program, tmp_path).stdout == "ok\n"


def test_it_works_without_the_native_core(tmp_path):
    program = """
from djp_telemetry import prometheus
prometheus.install()
from prometheus_client import Counter, Histogram, generate_latest
counter = Counter("c", "d", ["x"])
counter.labels("1").inc(2)
Histogram("h", "d", buckets=[1, 2]).observe(1.5)
page = generate_latest().decode()
assert 'c_total{x="1"} 2.0' in page and 'h_bucket{le="2.0"} 1.0' in page, page
try:
    counter.inc()
except ValueError:
    print("ok")
"""
    assert run_program(program, tmp_path, DJP_TELEMETRY_NATIVE="off").stdout == "ok\n"
