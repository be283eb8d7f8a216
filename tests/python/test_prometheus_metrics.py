"""The metrics of djp_telemetry.prometheus record and show what those of prometheus_client do."""

import asyncio
import math
import threading
from decimal import Decimal

import prometheus_client
import pytest
from djp_telemetry import metrics as declared
from djp_telemetry import prometheus
from prometheus_support import BOTH, lines, outcome
from support import telemetry


def record(package, registry):
    counter = package.Counter("c", "A counter", ["x"], registry=registry)
    counter.labels("1").inc()
    counter.labels("2").inc(2.5)
    gauge = package.Gauge("g", "A gauge", registry=registry, unit="seconds")
    gauge.set(3)
    gauge.inc(0.5)
    gauge.dec(2)
    package.Gauge("f", "From a function", registry=registry).set_function(lambda: 7)
    summary = package.Summary("s", "A summary", registry=registry)
    summary.observe(4)
    histogram = package.Histogram("h", "A histogram", ["x"], registry=registry, buckets=[1, 2])
    for value in (0.5, 1, 1.5, 9):
        histogram.labels("1").observe(value)
    package.Info("i", "An info", ["x"], registry=registry).labels("1").info({"a": "b"})
    enum = package.Enum("e", "An enum", states=["on", "off"], registry=registry)
    enum.state("off")
    package.Counter("unused", "Has\nlines and \\", registry=registry)


@pytest.fixture
def without_created(monkeypatch):
    for package in (prometheus, prometheus_client):
        monkeypatch.setattr(package.metrics, "_use_created", False)


def test_the_pages_are_equal(without_created):
    pages = []
    for package in (prometheus, prometheus_client):
        registry = package.CollectorRegistry()
        record(package, registry)
        om = __import__(f"{package.__name__}.openmetrics.exposition", fromlist=["x"])
        pages.append((package.generate_latest(registry), om.generate_latest(registry)))
    assert pages[0] == pages[1]


CALLS = [
    lambda p: p.Counter("c", "d", registry=None).inc(-1),
    lambda p: p.Counter("c", "d", registry=None).inc(1, {"a": "b" * 200}),
    lambda p: p.Counter("c", "d", ["x"], registry=None).count_exceptions(),
    lambda p: p.Gauge("g", "d", registry=None, multiprocess_mode="none"),
    lambda p: p.Gauge("g", "d", registry=None).set("x"),
    lambda p: p.Gauge("g", "d", ["x"], registry=None).set(1),
    lambda p: p.Gauge("g", "d", ["x"], registry=None).track_inprogress(),
    lambda p: p.Histogram("h", "d", registry=None, buckets=[]),
    lambda p: p.Histogram("h", "d", registry=None, buckets=[2, 1]),
    lambda p: p.Histogram("h", "d", registry=None, buckets=["1", "2"])._upper_bounds,
    lambda p: p.Histogram("h", "d", ["x"], registry=None).observe(1),
    lambda p: p.Summary("s", "d", ["quantile"], registry=None),
    lambda p: p.Info("i", "d", ["a"], registry=None).labels("x").info({"a": "b"}),
    lambda p: p.Info("i", "d", registry=None).info({"a": None}),
    lambda p: p.Info("i", "d", unit="x", registry=None),
    lambda p: p.Enum("e", "d", registry=None),
    lambda p: p.Enum("e", "d", states=["a"], registry=None).state("b"),
    lambda p: p.Histogram.DEFAULT_BUCKETS,
    lambda p: sorted(p.Gauge._MULTIPROC_MODES),
]


@pytest.mark.parametrize("index", range(len(CALLS)))
def test_errors_are_those_of_prometheus_client(index):
    results = [outcome(lambda p=p: CALLS[index](p)) for p in (prometheus, prometheus_client)]
    assert results[0] == results[1]


@BOTH
def test_the_numbers_are_objects(package):
    counter = package.Counter("c", "d", registry=None)
    counter.inc(2)
    assert counter._value.get() == 2
    counter._value.inc(1)
    assert counter._value.get() == 3
    counter._value.set(5)
    assert counter._value.get() == 5
    counter.reset()
    assert counter._value.get() == 0
    histogram = package.Histogram("h", "d", registry=None, buckets=[1, 2])
    histogram.observe(1.5, {"a": "b"})
    assert [bucket.get() for bucket in histogram._buckets] == [0, 1, 0]
    assert histogram._buckets[1].get_exemplar().labels == {"a": "b"}
    assert histogram._sum.get() == 1.5
    summary = package.Summary("s", "d", registry=None)
    summary.observe(3)
    assert (summary._count.get(), summary._sum.get()) == (1, 3)
    gauge = package.Gauge("g", "d", registry=None)
    gauge.set(4)
    assert gauge._value.get() == 4


def test_what_is_not_a_number_does_not_poison_a_metric():
    counter = prometheus.Counter("c", "d", registry=None)
    gauge = prometheus.Gauge("g", "d", registry=None)
    histogram = prometheus.Histogram("h", "d", registry=None)
    summary = prometheus.Summary("s", "d", registry=None)
    for bad in (math.nan, Decimal("nan")):
        counter.inc(bad) if isinstance(bad, float) else None
        gauge.inc(bad)
        histogram.observe(bad)
        summary.observe(bad)
    counter.inc(math.inf)
    assert counter._value.get() == gauge._value.get() == histogram._sum.get() == 0
    assert sum(bucket.get() for bucket in histogram._buckets) == summary._count.get() == 0
    gauge.set(math.nan)  # a value of a gauge
    assert math.isnan(gauge._value.get())


def test_a_scrape_sees_count_and_sum_of_one_moment():
    histogram = prometheus.Histogram("h", "d", registry=None, buckets=[1])
    stop = threading.Event()

    def write():
        while not stop.is_set():
            histogram.observe(2)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(2000):
            found = {s.name: s.value for m in histogram.collect() for s in m.samples}
            assert found["h_sum"] == 2 * found["h_count"]
    finally:
        stop.set()
        writer.join()


def test_blocks_and_functions_of_every_kind_are_measured():
    registry = prometheus.CollectorRegistry()
    counter = prometheus.Counter("c", "d", registry=registry)
    gauge = prometheus.Gauge("g", "d", registry=registry)
    histogram = prometheus.Histogram("h", "d", registry=registry)
    seen = []

    @counter.count_exceptions(KeyError)
    @gauge.track_inprogress()
    @histogram.time()
    async def wait(fail):
        await asyncio.sleep(0)
        seen.append(gauge._value.get())
        if fail:
            raise KeyError

    asyncio.run(wait(False))
    with pytest.raises(KeyError):
        asyncio.run(wait(True))
    assert seen == [1, 1]
    assert gauge._value.get() == 0
    assert counter._value.get() == 1
    assert registry.get_sample_value("h_count") == 2
    with gauge.time() as timer:
        pass
    assert gauge._value.get() == timer.duration


def test_metrics_of_the_default_registry_are_in_the_core():
    with telemetry(backend="prom"):
        counter = prometheus.Counter("prom_orders", "Orders", ["kind"])
        histogram = prometheus.Histogram("prom_wait", "Wait", buckets=[1, 2], unit="seconds")
        gauge = prometheus.Gauge("prom_level", "Level")
        try:
            counter.labels("a").inc(2)
            counter.labels(kind="a").inc(1, {"trace_id": "0" * 31 + "1", "span_id": "0" * 15 + "1"})
            histogram.observe(1.5)
            gauge.set_function(lambda: 8)
            page = declared.generate_metrics()
            assert lines(page, "prom_orders_total{") == ['prom_orders_total{kind="a"} 3']
            assert 'prom_wait_seconds_bucket{le="2.0"} 1' in page.decode()
            assert lines(page, "prom_level") == ["prom_level 8"]
            own = prometheus.generate_latest()
            assert own.count(b"# TYPE prom_orders_total counter") == 1
            assert lines(own, "prom_orders_total{") == ['prom_orders_total{kind="a"} 3']
            counter.labels("a").reset()
            assert lines(declared.generate_metrics(), "prom_orders_total{") == [
                'prom_orders_total{kind="a"} 0'
            ]
            counter.remove("a")
            assert lines(declared.generate_metrics(), "prom_orders_total{") == []
        finally:
            for metric in (counter, histogram, gauge):
                prometheus.REGISTRY.unregister(metric)


def test_recordings_from_before_the_start_are_kept():
    counter = prometheus.Counter("prom_early", "Early", ["x"])
    try:
        counter.labels("1").inc(4)
        with telemetry(backend="prom"):
            counter.labels("1").inc()
            assert lines(prometheus.generate_latest(), "prom_early_total{") == [
                'prom_early_total{x="1"} 5'
            ]
        assert prometheus.REGISTRY.get_sample_value("prom_early_total", {"x": "1"}) == 5
    finally:
        prometheus.REGISTRY.unregister(counter)
