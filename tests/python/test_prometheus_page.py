"""The page of the default registry: the core's families and those of Python, each once."""

import re

import pytest
from djp_telemetry import metrics, prometheus
from djp_telemetry.prometheus.openmetrics import exposition as openmetrics
from djp_telemetry.prometheus.openmetrics.parser import text_string_to_metric_families
from prometheus_support import lines
from support import telemetry

ACCEPT = "application/openmetrics-text;version=1.0.0"


@pytest.fixture
def declared():
    made = [
        prometheus.Counter("page_orders", "Orders"),
        prometheus.Info("page_build", "Build"),
        prometheus.Summary("page_wait", "Wait"),
    ]
    yield made
    for metric in made:
        prometheus.REGISTRY.unregister(metric)


def types(page):
    return re.findall(r"^# TYPE (\S+) ", page.decode(), re.MULTILINE)


def test_every_page_shows_each_family_once(declared):
    declared[0].inc(2)
    declared[1].info({"a": "b"})
    with telemetry(backend="prom"):
        native = metrics.Gauge("page_native")
        native.set(4)
        for page in (prometheus.generate_latest(), metrics.generate_metrics()):
            assert len(types(page)) == len(set(types(page)))
            assert {"page_orders_total", "page_build_info", "page_wait", "page_native"} <= set(
                types(page)
            )
            assert lines(page, "page_orders_total") == ["page_orders_total 2"]
            assert lines(page, "page_build_info") == ['page_build_info{a="b"} 1.0']
        for page in (openmetrics.generate_latest(prometheus.REGISTRY), metrics.expose(ACCEPT)[0]):
            names = [family.name for family in text_string_to_metric_families(page.decode())]
            assert len(names) == len(set(names))
            assert {"page_orders", "page_build", "page_wait", "page_native"} <= set(names)


def test_the_registry_collects_what_only_the_core_has():
    with telemetry(backend="prom"):
        metrics.Counter("page_only", "", ["a"]).labels("x").inc(3)
        assert prometheus.REGISTRY.get_sample_value("page_only_total", {"a": "x"}) == 3
        restricted = prometheus.REGISTRY.restricted_registry(["page_only_total"])
        assert [metric.name for metric in restricted.collect()] == ["page_only"]


def test_a_removed_metric_leaves_the_page_and_comes_back():
    gauge = prometheus.Gauge("page_hidden", "d")
    with telemetry(backend="prom"):
        assert "page_hidden" in types(prometheus.generate_latest())
        prometheus.REGISTRY.unregister(gauge)
        assert "page_hidden" not in types(prometheus.generate_latest())
        prometheus.REGISTRY.register(gauge)
        assert "page_hidden" in types(prometheus.generate_latest())
    prometheus.REGISTRY.unregister(gauge)


def test_a_gauge_may_be_called_like_a_counter():
    gauge = prometheus.Gauge("page_level_total", "d")
    try:
        gauge.set(3)
        with telemetry(backend="prom"):
            page = prometheus.generate_latest()
            assert lines(page, "page_level_total") == ["page_level_total 3"]
            assert types(page).count("page_level_total") == 1
    finally:
        prometheus.REGISTRY.unregister(gauge)


def test_exemplars_of_the_application_keep_their_labels(declared):
    with telemetry(backend="prom"):
        declared[0].inc(1, {"order": "17"})
        for page in (openmetrics.generate_latest(prometheus.REGISTRY), metrics.expose(ACCEPT)[0]):
            (line,) = lines(page, "page_orders_total")
            assert line.startswith('page_orders_total 1.0 # {order="17"} 1.0 ')


def test_a_page_of_the_sdk_is_compressed_on_request(declared):
    import gzip

    with telemetry(backend="prom"):
        body, _, packed = metrics.expose_packed(None, b"gzip")
        assert packed
        assert b"page_wait_count" in gzip.decompress(body)
        assert not metrics.expose_packed(None, b"gzip;q=0")[2]


def test_a_metric_that_cannot_be_written_is_left_out_of_the_sdk_page(declared):
    class Broken:
        def collect(self):
            metric = prometheus.Metric("broken", "d", "gauge")
            metric.add_sample("broken", {"a": None}, 1)
            yield metric

    broken = Broken()
    prometheus.REGISTRY.register(broken)
    try:
        with telemetry(backend="prom"):
            assert b"page_wait_count" in metrics.generate_metrics()
            with pytest.raises(AttributeError):
                prometheus.generate_latest()
    finally:
        prometheus.REGISTRY.unregister(broken)
