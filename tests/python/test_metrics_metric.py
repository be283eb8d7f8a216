"""Counter, Gauge and Histogram: shapes as in prometheus_client, never an exception into the
application, no recording lost."""

import decimal
import fractions
import math
import threading
import time

import asgi_driver as driver
import djp_telemetry
import pytest
from djp_telemetry import metrics
from djp_telemetry.metrics import Counter, Gauge, Histogram
from growth import gives_back, heap, new, references
from starve import starve, starves_well

pytest.importorskip("djp_telemetry._native")


@pytest.fixture
def on():
    with driver.telemetry():
        yield


def dropped():
    return djp_telemetry.telemetry_status()["registry"]["dropped"]


def test_counter(on):
    counter = Counter("jobs_total", "Jobs done", ["kind", "queue"])
    counter.labels("a", "b").inc()
    counter.labels(queue="b", kind="a").inc(2.5)
    counter.labels(*("a", "b")).inc(amount=1)
    child = counter.labels("a", "b")
    assert child is counter.labels("a", "b") and child.value == 4.5
    assert driver.samples("jobs_total") == {'jobs_total{kind="a",queue="b"}': 4.5}
    assert (
        "# HELP jobs_total Jobs done\n# TYPE jobs_total counter\n"
        in metrics.generate_metrics_text()
    )


def test_gauge(on):
    gauge = Gauge("depth", "Depth", ["queue"], unit="")
    child = gauge.labels("q")
    child.set(5)
    child.inc()
    child.dec(2.5)
    assert child.value == 3.5
    child.dec()
    child.inc(amount=2)
    child.dec(amount=1)
    assert child.value == 3.5
    child.set(value=-7)
    assert child.value == -7
    child.set(math.inf)
    assert driver.samples("depth") == {'depth{queue="q"}': math.inf}
    before = time.time()
    child.set_to_current_time()
    assert before - 1 <= child.value <= time.time() + 1


def test_histogram(on):
    histogram = Histogram("wait_seconds", "Waiting", ["queue"], buckets=(0.1, 1, math.inf))
    child = histogram.labels("q")
    for value in (0.05, 0.1, 0.5):
        child.observe(value)
    child.observe(amount=7)
    assert child.count == 4 and child.value == pytest.approx(7.65)
    assert driver.samples("wait_seconds") == {
        'wait_seconds_bucket{queue="q",le="0.1"}': 2,
        'wait_seconds_bucket{queue="q",le="1.0"}': 3,
        'wait_seconds_bucket{queue="q",le="+Inf"}': 4,
        'wait_seconds_sum{queue="q"}': pytest.approx(7.65),
        'wait_seconds_count{queue="q"}': 4,
    }


class Unnumbered:
    def __float__(self):
        raise ValueError("no number")


class Float(float):
    pass


WRONG = (None, "5", b"5", [], {}, object(), Unnumbered(), 1j, 10**400)


@pytest.mark.parametrize("backend", ["prom", "hybrid"])
def test_wrong_types_never_raise_and_are_counted(backend):
    with driver.telemetry(backend=backend):
        counter, gauge = Counter("wrong_total", "w"), Gauge("wrong_gauge", "w")
        histogram = Histogram("wrong_seconds", "w")
        for number, value in enumerate(WRONG, 1):
            counter.inc(value), counter.inc(amount=value)
            histogram.observe(value), histogram.observe(amount=value)
            gauge.set(value), gauge.set(value=value)
            gauge.inc(value), gauge.dec(value)
            assert dropped() == 8 * number, value
        counter.inc(math.nan), counter.inc(-1), gauge.inc(math.nan), histogram.observe(math.nan)
        histogram.observe(), gauge.set()
        assert dropped() == 8 * len(WRONG) + 6
        assert (counter.value, gauge.value, histogram.count) == (0, 0, 0)
        counter.inc(1, None, 3), counter.inc(1, unknown=4)
        assert counter.value == 2


@pytest.mark.parametrize("backend", ["prom", "hybrid"])
@pytest.mark.parametrize(
    "value",
    [3, 2.5, True, Float(2.5), decimal.Decimal("1.5"), fractions.Fraction(1, 2), 2**60, 0, -0.0],
)
def test_numbers_of_every_type(backend, value):
    with driver.telemetry(backend=backend):
        counter, gauge = Counter("count_total", "n"), Gauge("number", "n")
        histogram = Histogram("number_seconds", "n")
        for record in (counter.inc, gauge.set, histogram.observe):
            record(value)
        assert counter.value == gauge.value == histogram.value == float(value)
        gauge.inc(value), gauge.dec(float(value) / 2)
        assert gauge.value == 1.5 * float(value) and histogram.count == 1 and dropped() == 0


def test_not_a_number_is_a_value_of_a_gauge_only(on):
    gauge = Gauge("nan", "n")
    for value in (math.nan, Float("nan")):
        gauge.set(1)
        gauge.set(value)
        assert math.isnan(gauge.value)
        gauge.set(1)
        gauge.set(value=value)
        assert math.isnan(gauge.value)
    gauge.set(1)
    gauge.set("nan")
    assert gauge.value == 1 and dropped() == 1


@pytest.mark.parametrize("value", [-1.0, -1])
def test_a_negative_one_is_no_error(on, value):
    """-1.0 is also what the interpreter returns beside an exception."""
    gauge, histogram = Gauge("minus", "m"), Histogram("minus_seconds", "m")
    gauge.set(value), gauge.inc(value), histogram.observe(value)
    assert (gauge.value, histogram.value, histogram.count) == (-2, -1, 1)


def exemplars(prefix=""):
    """{sample: trace id} of the exposition in OpenMetrics."""
    parser = pytest.importorskip("prometheus_client.openmetrics.parser")
    text = metrics.generate_metrics("application/openmetrics-text").decode()
    return {
        (s.name, *sorted(s.labels.values())): s.exemplar.labels
        for family in parser.text_string_to_metric_families(text)
        for s in family.samples
        if s.exemplar and s.name.startswith(prefix)
    }


def test_exemplars_come_from_the_current_span(on):
    histogram, counter = Histogram("ex_seconds", "e", buckets=[1]), Counter("ex_total", "e", ["k"])
    with djp_telemetry.start_span("work") as span:
        histogram.observe(0.2)
        histogram.observe(2, None)
        counter.labels("a").inc()
        counter.labels(k="b").inc(2)
    counter.labels("c").inc()
    context = span.get_span_context()
    ids = {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
    assert exemplars("ex_") == {
        ("ex_seconds_bucket", "1.0"): ids,
        ("ex_seconds_bucket", "+Inf"): ids,
        ("ex_total", "a"): ids,
        ("ex_total", "b"): ids,
    }


TRACE, SPAN = "0123456789abcdef" * 2, "fedcba9876543210"


@pytest.mark.parametrize("spans", [True, False], ids=["with spans", "without spans"])
def test_a_given_exemplar(spans):
    with driver.telemetry(backend="hybrid" if spans else "prom"):
        counter, histogram = Counter("given_total", "g", ["n"]), Histogram("given_h", "g", ["n"])
        ids = {"trace_id": TRACE, "span_id": SPAN}
        with djp_telemetry.start_span("not this one"):
            counter.labels("position").inc(1, ids)
            counter.labels("name").inc(exemplar=ids)
            counter.labels("names").inc(exemplar=ids, amount=1)
            histogram.labels("position").observe(1, ids)
            histogram.labels("name").observe(1, exemplar=ids)
        found = exemplars("given")
        assert len(found) == 5 and all(labels == ids for labels in found.values())
        assert counter.labels("position").value == counter.labels("names").value == 1


@pytest.mark.parametrize(
    "ids",
    [
        {},
        {"trace_id": TRACE},
        {"span_id": SPAN},
        {"trace_id": TRACE[:-1], "span_id": SPAN},
        {"trace_id": TRACE + "0", "span_id": SPAN},
        {"trace_id": TRACE, "span_id": SPAN[1:]},
        {"trace_id": TRACE.upper(), "span_id": SPAN},
        {"trace_id": TRACE.replace("9", "g"), "span_id": SPAN},
        {"trace_id": TRACE.replace("9", ":"), "span_id": SPAN},
        {"trace_id": TRACE.replace("9", "/"), "span_id": SPAN},
        {"trace_id": TRACE.replace("9", "`"), "span_id": SPAN},
        {"trace_id": TRACE, "span_id": 7},
        {"trace_id": TRACE.encode(), "span_id": SPAN},
        {"trace_id": "é" * 16, "span_id": SPAN},
        {"trace_id": "\ud800" * 32, "span_id": SPAN},
    ],
)
def test_an_exemplar_that_is_not_valid(on, ids):
    """Neither it nor the current span is recorded, and the recording counts."""
    counter, histogram = Counter("invalid_total", "i"), Histogram("invalid_h", "i")
    with djp_telemetry.start_span("current"):
        counter.inc(1, ids)
        histogram.observe(1, ids)
    assert exemplars("invalid") == {} and (counter.value, histogram.count) == (1, 1)


def test_an_exemplar_of_another_type_is_not_given(on):
    counter = Counter("typed_total", "t", ["k"])
    with djp_telemetry.start_span("current"):
        counter.labels("a").inc(1, "text")
        counter.labels("b").inc(1, None)
        counter.labels("c").inc(1, [])
    assert len(exemplars("typed")) == 3


def test_reading(on):
    counter, gauge = Counter("read_total", "r", ["a"]), Gauge("read_g", "r")
    histogram = Histogram("read_seconds", "r")
    assert (counter.name, gauge.labelnames, counter.labelnames) == ("read_total", (), ("a",))
    assert counter.labels("x").name == "read_total"
    assert repr(gauge) == "<Gauge read_g>" and repr(histogram) == "<Histogram read_seconds>"
    assert repr(counter.labels("x")) == "<Counter read_total('x',)>"
    assert repr(counter.labels()) == "<Counter read_total()>"
    assert type(gauge.value) is float and type(histogram.count) is int
    for metric in (counter, counter.labels("x"), gauge):
        assert not hasattr(metric, "count")
        with pytest.raises(AttributeError):
            metric.value = 3
    assert counter.value == 0


def test_recordings_while_telemetry_is_off():
    djp_telemetry.shutdown(1)
    counter, gauge, histogram = Counter("off_total"), Gauge("off_g"), Histogram("off_seconds")
    for metric in (counter, gauge):
        metric.inc(), metric.inc(2)
    gauge.dec(), gauge.set(1), gauge.set_to_current_time()
    histogram.observe(1), histogram.observe(1, {})
    with histogram.time(), gauge.track_inprogress(), gauge.time():
        pass
    assert (counter.value, gauge.value, histogram.value, histogram.count) == (0, 0, 0, 0)
    with driver.telemetry():
        assert dropped() == 0 and (counter.value, gauge.value, histogram.count) == (0, 0, 0)


def test_threads_lose_nothing(on):
    counter = Counter("threads_total", "t", ["a"])
    histogram = Histogram("threads_seconds", "t")

    def work():
        for i in range(5000):
            counter.labels(f"v{i % 5}").inc()
            histogram.observe(0.1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        metrics.generate_metrics()
    assert sum(driver.samples("threads_total").values()) == 20000 == histogram.count


class Restarting:
    """A number that ends telemetry while it is read, and may start it again."""

    def __init__(self, starts):
        self.starts = starts

    def __float__(self):
        djp_telemetry.shutdown(1)
        if self.starts:
            djp_telemetry.init_telemetry(enabled=True, backend="prom")
        return 1.0


@pytest.mark.parametrize("starts", [False, True])
def test_numbers_that_end_telemetry(starts):
    counter, gauge, histogram = Counter("ends_total"), Gauge("ends_g"), Histogram("ends_seconds")
    for metric, record in (
        (counter, counter.inc),
        (counter, lambda number: counter.inc(number, {"trace_id": TRACE, "span_id": SPAN})),
        (gauge, gauge.inc),
        (gauge, gauge.dec),
        (gauge, gauge.set),
        (histogram, histogram.observe),
        (histogram, lambda number: histogram.observe(number, {})),
    ):
        with driver.telemetry():
            record(Restarting(starts))
            assert abs(metric.value) == starts


def test_metrics_without_memory(on):
    counter, gauge, histogram = (
        Counter("poor_total", "p", ["a"]),
        Gauge("poor_g"),
        Histogram("poor_h"),
    )
    child = counter.labels("x")
    big = 10**30
    for call in (
        child.inc,
        lambda: child.inc(big),
        lambda: gauge.set(big),
        gauge.set_to_current_time,
        lambda: histogram.observe(big),
        lambda: (child.value, histogram.count, child.name, repr(child), repr(gauge)),
        lambda: Counter("poor_other_total"),
    ):
        assert starves_well(call)
    starve(lambda: gauge.set_function(len))


def test_metrics_are_given_back(on):
    counter, gauge, histogram = (
        Counter("back_total", "b", ["a"]),
        Gauge("back"),
        Histogram("back_h"),
    )
    child = counter.labels("x")
    ids = {"trace_id": TRACE, "span_id": SPAN}

    def call():
        with djp_telemetry.start_span("s"):
            child.inc(10**30, exemplar={**ids, new("é" * 100): 1})
            child.inc(Unnumbered())
            gauge.set(10**30), gauge.dec("x"), gauge.set(value=Unnumbered())
            histogram.observe(10**30, dict(ids)), histogram.observe(Unnumbered())
            repr(child), child.labelnames, child.name, child.value, histogram.count

    djp_telemetry.set_enabled(False)
    assert gives_back(call)
    assert heap() is None or gives_back(call, measure=heap)
    names = counter.labelnames
    assert references(call, Counter, Gauge, Histogram, child, names, ids) == [0] * 6


def test_types_of_metrics_are_given_back():
    def call():
        made = Counter("made_total", "m", ["a"])
        made.labels("x"), made.labels(), Gauge("made_g"), Histogram("made_seconds")

    djp_telemetry.shutdown(1)
    assert gives_back(call) and references(call, Counter, Gauge, Histogram) == [0, 0, 0]
