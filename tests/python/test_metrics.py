"""Counter, Gauge and Histogram: shapes as in prometheus_client, never an exception into the
application, bounded memory."""

import asyncio
import decimal
import gc
import math
import sys
import threading

import asgi_driver as driver
import djp_telemetry
import pytest
from djp_telemetry import metrics
from djp_telemetry.metrics import Counter, Gauge, Histogram

pytest.importorskip("djp_telemetry._native")


@pytest.fixture
def on():
    with driver.telemetry():
        yield


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


def test_a_label_set_is_shown_at_zero(on):
    Counter("zero_c", "", ["a"]).labels("x")
    Gauge("zero_g", "", ["a"]).labels(a="x")
    Histogram("zero_h", "", ["a"], buckets=[1]).labels("x")
    assert driver.samples("zero_c") == {'zero_c_total{a="x"}': 0.0}
    assert driver.samples("zero_g") == {'zero_g{a="x"}': 0.0}
    assert driver.samples("zero_h")['zero_h_count{a="x"}'] == 0.0


def test_a_label_set_made_at_import_is_shown_at_zero():
    counter = Counter("import_c", "", ["a"])
    child = counter.labels("x")
    gone = Counter("import_gone", "", ["a"]).labels("x")
    for _ in range(2):
        with driver.telemetry():
            assert driver.samples("import_c") == {'import_c_total{a="x"}': 0.0}
            child.inc(2)
            assert driver.samples("import_c") == {'import_c_total{a="x"}': 2.0}
            gone.inc()
            assert driver.samples("import_gone") == {'import_gone_total{a="x"}': 1.0}


def test_gauge(on):
    gauge = Gauge("depth", "Depth", ["queue"], unit="")
    child = gauge.labels("q")
    child.set(5)
    child.inc()
    child.dec(2.5)
    assert child.value == 3.5
    child.set(math.inf)
    assert driver.samples("depth") == {'depth{queue="q"}': math.inf}
    child.set_to_current_time()
    assert child.value > 1.7e9
    with child.track_inprogress():
        pass


def test_histogram(on):
    histogram = Histogram("wait_seconds", "Waiting", ["queue"], buckets=(0.1, 1, math.inf))
    child = histogram.labels("q")
    for value in (0.05, 0.1, 0.5, 7):
        child.observe(value)
    assert child.count == 4 and child.value == pytest.approx(7.65)
    assert driver.samples("wait_seconds") == {
        'wait_seconds_bucket{queue="q",le="0.1"}': 2,
        'wait_seconds_bucket{queue="q",le="1.0"}': 3,
        'wait_seconds_bucket{queue="q",le="+Inf"}': 4,
        'wait_seconds_sum{queue="q"}': pytest.approx(7.65),
        'wait_seconds_count{queue="q"}': 4,
    }


def test_full_names(on):
    Counter("hits", "h", namespace="shop", subsystem="cart", unit="items").inc()
    assert driver.samples("shop_") == {"shop_cart_hits_items_total": 1}


def test_the_same_definition_twice_is_one_family(on):
    Counter("twice_total", "t", ["a"]).labels("x").inc()
    Counter("twice_total", "t", ["a"]).labels("x").inc()
    assert driver.samples("twice_total") == {'twice_total{a="x"}': 2}


def test_declared_before_telemetry_and_kept_over_restarts():
    djp_telemetry.shutdown(1)
    counter = Counter("early_total", "e", ["a"])
    plain = Counter("early_plain_total", "e")
    child = counter.labels("x")
    child.inc()
    assert (
        child.value == 0
        and metrics.generate_metrics() == b""
        and metrics.generate_metrics_text() == ""
    )
    for _ in range(3):
        with driver.telemetry():
            assert driver.samples("early_plain_total") == {"early_plain_total": 0}
            child.inc()
            counter.labels("x").inc()
            plain.inc()
            assert driver.samples("early_") == {'early_total{a="x"}': 2, "early_plain_total": 1}
        child.inc()


def test_other_values_than_text_are_labels(on):
    counter = Counter("typed_total", "t", ["v"])
    for value in (200, True, None, 1.5, decimal.Decimal("2"), b"x"):
        counter.labels(value).inc()
        counter.labels(value).inc()
    texts = {key.split('"')[1] for key in driver.samples("typed_total")}
    assert texts == {"200", "True", "None", "1.5", "2", "b'x'"}
    assert set(driver.samples("typed_total").values()) == {2}


def test_equal_text_in_other_objects_is_the_same_child(on):
    counter = Counter("same_total", "s", ["a", "b", "c"])
    first = counter.labels("x" * 3, "y", "z")
    for i in range(1000):
        assert counter.labels("".join(["x", "xx"]), "y", "z") is first
        counter.labels(f"v{i % 7}", "y", "z").inc()
    assert len(driver.samples("same_total")) == 8  # the first one at zero


def test_label_text_is_escaped(on):
    Counter("odd_total", "o\n\\", ["a"]).labels('q"\\\n\ud800').inc()
    (line,) = [
        ln for ln in metrics.generate_metrics_text().splitlines() if ln.startswith("odd_total")
    ]
    assert line == 'odd_total{a="q\\"\\\\\\n\N{REPLACEMENT CHARACTER}"} 1' or line.endswith("} 1")


class Unprintable:
    def __str__(self):
        raise ValueError("no text")


class Unnumbered:
    def __float__(self):
        raise ValueError("no number")


def test_wrong_types_never_raise(on, caplog):
    counter, gauge = Counter("wrong_total", "w"), Gauge("wrong_gauge", "w")
    histogram, labelled = (
        Histogram("wrong_seconds", "w"),
        Counter("wrong_labels_total", "w", ["a", "b"]),
    )
    for value in (None, "5", b"5", [], {}, object(), math.nan, Unnumbered(), 1j, 10**400):
        counter.inc(value)
        histogram.observe(value)
        if not isinstance(value, float):
            gauge.set(value)
        gauge.inc(value)
    counter.inc(-1)
    counter.inc()
    assert (counter.value, gauge.value, histogram.count) == (1, 0, 0)
    for labels in ((), ("a",), ("a", "b", "c"), (Unprintable(), "b")):
        labelled.labels(*labels).inc()
    labelled.labels(a="x").inc()
    labelled.labels(a="x", c="y").inc()
    labelled.labels("x", b="y").inc()
    labelled.inc()
    counter.labels("x").inc()
    counter.inc(1, 2, 3)
    histogram.observe()
    gauge.set()
    assert driver.samples("wrong_labels_total") == {}
    assert "wrong_labels_total" in caplog.text


def test_a_labelled_metric_without_labels_says_so_once(on, caplog):
    counter, gauge, histogram = (
        Counter("bare_c", "", ["a"]),
        Gauge("bare_g", "", ["a"]),
        Histogram("bare_h", "", ["a"]),
    )
    for _ in range(3):
        counter.inc()
        gauge.set(1)
        histogram.observe(1)
        with histogram.time():
            pass
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 3 and all("was used without them" in message for message in said), said
    counter.labels("x").inc()
    assert driver.samples("bare_c") == {'bare_c_total{a="x"}': 1.0}


def test_what_is_dropped_is_counted(on):
    counter = Counter("counted_drops", "")
    for amount in ("text", None, math.nan, -1):
        counter.inc(amount)
    found = djp_telemetry.telemetry_status()["registry"]
    assert found["dropped"] == 4 and found["refused"] == 0 and found["families"] >= 1
    dropped = 'djp_telemetry_metric_recordings_total{outcome="dropped"}'
    assert driver.samples("djp_telemetry_metric_recordings_total")[dropped] == 4.0


def test_refused_declarations_warn_once_and_record_nothing(on, caplog):
    broken = [
        Counter("--", "b"),
        Counter("bad_label_total", "b", ["--"]),
        Counter("bad_labels_total", "b", [7]),
        Counter(7, "b"),
        Counter("many_labels_total", "b", [f"l{i}" for i in range(50)]),
        Histogram("bad_buckets", "b", buckets=[2, 1]),
        Histogram("bad_numbers", "b", buckets=["x"]),
        Histogram("bad_iterable", "b", buckets=7),
        Gauge("process_cpu_seconds_total", "taken by another type"),
        Gauge("bad_mode", "b", multiprocess_mode="average"),
        Gauge("bad_mode_type", "b", multiprocess_mode=7),
    ]
    for metric in broken:
        child = metric.labels(*["x"] * len(metric.labelnames))
        child.observe(1) if isinstance(metric, Histogram) else child.inc()
    assert len(caplog.records) >= len(broken) - 1
    assert not any(key.startswith(("bad", "many_labels")) for key in driver.samples())


MODES = [
    "all",
    "liveall",
    "min",
    "livemin",
    "max",
    "livemax",
    "sum",
    "livesum",
    "mostrecent",
    "livemostrecent",
]


@pytest.mark.parametrize("mode", [*MODES, None])
def test_a_gauge_of_one_process_has_its_value_in_every_mode(on, mode):
    gauge = Gauge(f"mode_{mode}", "m", multiprocess_mode=mode)
    gauge.set(5)
    gauge.inc(2)
    assert gauge.value == 7
    assert driver.samples(f"mode_{mode}") == {f"mode_{mode}": 7.0}


def test_the_mode_is_part_of_the_declaration(on, caplog):
    first = Gauge("shared_mode", "m", multiprocess_mode="max")
    same = Gauge("shared_mode", "m", multiprocess_mode="max")
    other = Gauge("shared_mode", "m", multiprocess_mode="min")
    first.set(1)
    same.inc()
    other.set(9)
    assert (first.value, same.value, other.value) == (2, 2, 0)
    assert "the same type, labels, buckets and mode" in caplog.text
    # "all" is the default, as in prometheus_client
    Gauge("default_mode", "m").set(1)
    assert Gauge("default_mode", "m", multiprocess_mode="all").value == 1
    assert Gauge("default_mode", "m", multiprocess_mode="sum").value == 0


def test_an_unknown_mode_is_named_with_the_known_ones(on, caplog):
    Gauge("odd_mode", "m", multiprocess_mode="latest").set(1)
    (record,) = [r for r in caplog.records if "odd_mode" in r.getMessage()]
    assert "unknown multiprocess_mode 'latest'" in record.getMessage()
    assert all(mode in record.getMessage() for mode in MODES)
    assert not any("odd_mode" in key for key in driver.samples())
    with pytest.raises(TypeError):
        Counter("no_mode_total", "m", multiprocess_mode="sum")


def test_labels_that_never_end_stay_bounded():
    with driver.telemetry(cardinality_limit=50):
        counter = Counter("flood_total", "f", ["a"])
        for i in range(200):
            counter.labels(f"v{i}").inc()
        gc.collect()
        before = sys.getallocatedblocks()
        for i in range(20000):
            counter.labels(f"w{i}").inc()
        gc.collect()
        assert sys.getallocatedblocks() - before < 1500
        found = driver.samples("flood_total")
        assert len(found) <= 51 and sum(found.values()) == 20200


def test_remove_and_clear(on):
    counter = Counter("gone_total", "g", ["a"])
    counter.labels("x").inc()
    counter.labels("y").inc()
    counter.remove("x")
    assert driver.samples("gone_total") == {'gone_total{a="y"}': 1}
    counter.labels("x").inc()
    assert driver.samples("gone_total")['gone_total{a="x"}'] == 1
    counter.clear()
    assert driver.samples("gone_total") == {}
    counter.remove("none")
    counter.remove()


def test_timers(on):
    histogram, gauge = Histogram("took_seconds", "t", ["op"]), Gauge("last_seconds", "t")
    with histogram.labels("a").time():
        pass
    with pytest.raises(KeyError), histogram.labels("a").time():
        raise KeyError

    @histogram.labels("b").time()
    def plain(x, y=1):
        """doc"""
        return x + y

    @histogram.labels("c").time()
    async def slow():
        await asyncio.sleep(0.02)
        return 7

    @histogram.labels("d").time()
    def items():
        yield from range(3)

    assert plain(1, y=2) == 3 and plain.__doc__ == "doc" and list(items()) == [0, 1, 2]

    async def main():
        return await asyncio.gather(slow(), slow())

    assert asyncio.run(main()) == [7, 7]
    with histogram.time() as timer:
        timer.labels("e")
    with gauge.time():
        pass
    assert [histogram.labels(op).count for op in "abcde"] == [2, 1, 2, 1, 1]
    assert 0.03 < histogram.labels("c").value < 1 and 0 < gauge.value < 1


def test_in_progress_and_exceptions(on):
    gauge, counter = Gauge("busy", "b"), Counter("errors_total", "e")

    @gauge.track_inprogress()
    def busy(depth):
        return [gauge.value] + (busy(depth - 1) if depth else [])

    assert busy(2) == [1, 2, 3] and gauge.value == 0
    for exceptions, raised in (
        ((), ValueError),
        ((KeyError,), ValueError),
        (((KeyError, ValueError),), ValueError),
    ):
        with pytest.raises(ValueError), counter.count_exceptions(*exceptions):
            raise raised
    with counter.count_exceptions():
        pass
    assert counter.value == 2


def test_gauge_function(on):
    gauge = Gauge("live", "l")
    gauge.set_function(lambda: 42)
    assert driver.samples("live") == {"live": 42}
    gauge.set_function(lambda: 1 / 0)
    assert driver.samples("live") == {"live": 42}
    gauge.set_function(7)


def test_exemplars_come_from_the_current_span(on):
    parser = pytest.importorskip("prometheus_client.openmetrics.parser")
    histogram, counter = Histogram("ex_seconds", "e"), Counter("ex_total", "e")
    with djp_telemetry.start_span("work"):
        trace_id = djp_telemetry.get_current_trace_id()
        histogram.observe(0.2)
    counter.inc(1, exemplar={"trace_id": "a" * 32, "span_id": "b" * 16})
    counter.inc(1, exemplar={"trace_id": "bad"})
    text = metrics.generate_metrics("application/openmetrics-text").decode()
    found = {}
    for family in parser.text_string_to_metric_families(text):
        found.update({s.name: s.exemplar.labels for s in family.samples if s.exemplar})
    assert found["ex_seconds_bucket"]["trace_id"] == trace_id
    assert found["ex_total"]["trace_id"] == "a" * 32
    labelled = Counter("ex_labelled_total", "e", ["kind"])
    with djp_telemetry.start_span("work") as span:
        labelled.labels("a").inc()
        labelled.labels(kind="b").inc(2)
    labelled.labels("c").inc()
    text = metrics.generate_metrics("application/openmetrics-text").decode()
    lines = [line for line in text.splitlines() if line.startswith("ex_labelled_total")]
    trace_id = f"{span.get_span_context().trace_id:032x}"
    assert {line[24]: f'trace_id="{trace_id}"' in line for line in lines} == {
        "a": True,
        "b": True,
        "c": False,
    }


def test_content_negotiation(on):
    assert metrics.get_content_type() == metrics.METRICS_CONTENT_TYPE
    assert metrics.get_content_type("application/openmetrics-text").startswith(
        "application/openmetrics-text; version=1.0.0"
    )
    assert (
        metrics.generate_metrics("application/openmetrics-text;q=0.1,text/plain;q=0.9").find(
            b"# EOF"
        )
        == -1
    )
    for accept in (None, b"*/*", "\ud800", 7, "x" * 100000):
        assert metrics.generate_metrics(accept)


def test_text_is_accepted_by_the_peer_parser(on):
    parser = pytest.importorskip("prometheus_client.parser")
    Counter("p_total", "p", ["a"]).labels("x").inc()
    Histogram("p_seconds", "p").observe(3)
    names = {
        family.name
        for family in parser.text_string_to_metric_families(metrics.generate_metrics_text())
    }
    assert {"p", "p_seconds"} <= names


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


def test_metrics_may_die_in_any_order(on):
    children = [Counter("dying_total", "d", ["a"]).labels("x") for _ in range(10)]
    gc.collect()
    for child in children:
        child.inc()
    assert driver.samples("dying_total") == {'dying_total{a="x"}': 10}
    repr(children[0]), repr(Counter("r_total", "r"))


def test_noop_twin_has_the_same_surface():
    from djp_telemetry import _noop_metrics

    for name in ("Counter", "Gauge", "Histogram"):
        real = {n for n in dir(getattr(metrics, name)) if not n.startswith("_")}
        twin = {
            n for n in dir(getattr(_noop_metrics, name)("n", "d", ["a"])) if not n.startswith("_")
        }
        assert real <= twin, name
    counter = _noop_metrics.Counter("c", "c", ["a"])
    counter.labels("x").inc()
    with _noop_metrics.Histogram("h").time():
        pass

    @_noop_metrics.Gauge("g").track_inprogress()
    def function():
        return 7

    assert function() == 7
