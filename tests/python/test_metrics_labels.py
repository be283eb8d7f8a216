"""labels(), remove() and clear(): from label values to one child for each label set, in limited
memory."""

import decimal
import gc
import sys
import threading

import asgi_driver as driver
import djp_telemetry
import pytest
from djp_telemetry import metrics
from djp_telemetry.metrics import Counter, Gauge, Histogram
from growth import gives_back, heap, new, references
from starve import starves_well

pytest.importorskip("djp_telemetry._native")


@pytest.fixture
def on():
    with driver.telemetry():
        yield


@pytest.fixture
def warnings(monkeypatch, caplog):
    monkeypatch.setattr(metrics, "_warned", set())

    def taken():
        found = [record.getMessage() for record in caplog.records]
        caplog.clear()
        return found

    return taken


def test_values_by_position_and_by_name(on):
    counter = Counter("named_total", "n", ["kind", "queue", "zone"])
    child = counter.labels("a", "b", "c")
    assert counter.labels(*("a", "b", "c")) is child
    assert counter.labels(kind="a", queue="b", zone="c") is child
    assert counter.labels(zone="c", kind="a", queue="b") is child
    assert counter.labels(queue="b", zone="c", kind="a") is child
    assert counter.labels(**{"".join(["ki", "nd"]): "a", "queue": "b", "zone": "c"}) is child
    child.inc()
    assert driver.samples("named_total") == {'named_total{kind="a",queue="b",zone="c"}': 1.0}


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
    counter.labels("wrong", "number")  # a child that ends at once
    gone = Counter("import_gone", "", ["a"]).labels("x")
    for _ in range(2):
        with driver.telemetry():
            assert driver.samples("import_c") == {'import_c_total{a="x"}': 0.0}
            child.inc(2)
            assert driver.samples("import_c") == {'import_c_total{a="x"}': 2.0}
            gone.inc()
            assert driver.samples("import_gone") == {'import_gone_total{a="x"}': 1.0}


class Text(str):
    """Its own text differs from the one that str() gives."""

    def __str__(self):
        return "shown"


def test_other_values_than_text_are_labels(on):
    counter = Counter("typed_total", "t", ["v"])
    given = {
        200: "200",
        True: "True",
        None: "None",
        1.5: "1.5",
        decimal.Decimal("2"): "2",
        b"x": "b'x'",
        Text("hidden"): "shown",
    }
    for value in given:
        counter.labels(value).inc()
        counter.labels(v=value).inc()
    assert driver.samples("typed_total") == {
        f'typed_total{{v="{text}"}}': 2 for text in given.values()
    }


class Hostile(str):
    """A text whose comparison is code of the program."""

    def __eq__(self, other):
        raise RuntimeError

    __hash__ = str.__hash__


class Giving:
    def __str__(self):
        return Hostile("given")


def test_a_text_that_compares_itself(on):
    counter = Counter("hostile_total", "h", ["v"])
    for _ in range(3):
        counter.labels(Giving()).inc()
        counter.labels(Hostile("given")).inc()
    assert driver.samples("hostile_total") == {'hostile_total{v="given"}': 6}
    counter.remove(Giving())
    assert driver.samples("hostile_total") == {}


def test_equal_text_in_other_objects_is_the_same_child(on):
    counter = Counter("same_total", "s", ["a", "b", "c"])
    first = counter.labels("x" * 3, "y", "z")
    for i in range(1000):
        assert counter.labels("".join(["x", "xx"]), "y", "z") is first
        counter.labels(f"v{i % 7}", "y", "z").inc()
    assert len(driver.samples("same_total")) == 8  # the first one at zero


class Changing:
    """An object with another text each time."""

    def __init__(self):
        self.number = 0

    def __str__(self):
        self.number += 1
        return str(self.number)


@pytest.mark.parametrize("count", [1, 2, 4, 5])
def test_the_text_of_an_object_is_read_each_time(on, count):
    """Only values with a constant text are found by their address."""
    names = [f"l{i}" for i in range(count)]
    for place in range(count):
        counter = Counter(f"changing_{count}_{place}_total", "c", names)
        values = ["x"] * count
        values[place] = Changing()
        for _ in range(3):
            counter.labels(*values).inc()
        found = driver.samples(counter.name)
        assert [key.split(f'l{place}="')[1][0] for key in found] == ["1", "2", "3"]
        assert set(found.values()) == {1.0}


def test_every_place_of_a_label_set_counts(on):
    """Label sets that differ in one place are different, however many places there are."""
    for count in range(1, 9):
        gauge = Gauge(f"places_{count}", "p", [f"l{i}" for i in range(count)])
        same = ["x"] * count
        sets = [same, *([*same[:i], "y", *same[i + 1 :]] for i in range(count))]
        for _ in range(3):
            for number, values in enumerate(sets):
                gauge.labels(*values).set(number)
        assert [gauge.labels(*values).value for values in sets] == list(range(count + 1))


def test_thousands_of_label_sets_stay_apart():
    """More than the cache by address has room for, in an order in which they replace each other."""
    with driver.telemetry(cardinality_limit=5000):
        gauge = Gauge("apart", "a", ["v", "w"])
        texts = [f"v{i}" for i in range(1000)]
        children = [gauge.labels(text, "w") for text in texts]
        for number, text in enumerate(texts):
            gauge.labels(text, "w").set(number)
        for number, text in reversed(list(enumerate(texts))):
            child = gauge.labels(text, "w")
            assert child is children[number] and child.value == number


def test_label_text_is_escaped(on):
    Counter("odd_total", "o\n\\", ["a"]).labels('q"\\\n\ud800').inc()
    (line,) = [
        ln for ln in metrics.generate_metrics_text().splitlines() if ln.startswith("odd_total")
    ]
    assert line == 'odd_total{a="q\\"\\\\\\n\N{REPLACEMENT CHARACTER}"} 1'


class Unprintable:
    def __str__(self):
        raise ValueError("no text")


class Odd:
    def __str__(self):
        return 7


def dropped():
    return djp_telemetry.telemetry_status()["registry"]["dropped"]


WRONG = {
    "no value": lambda metric: metric.labels(),
    "too few": lambda metric: metric.labels("x"),
    "too many": lambda metric: metric.labels("x", "y", "z"),
    "too few names": lambda metric: metric.labels(a="x"),
    "another name": lambda metric: metric.labels(a="x", c="y"),
    "more names": lambda metric: metric.labels(a="x", b="y", c="z"),
    "both": lambda metric: metric.labels("x", b="y"),
    "both, too many": lambda metric: metric.labels("x", "y", b="y"),
    "a child": lambda metric: metric.labels("x", "y").labels("x", "y"),
    "no text": lambda metric: metric.labels(Unprintable(), "y"),
    "no text later": lambda metric: metric.labels("x", Odd()),
    "no labels": lambda metric: Counter("wrong_plain_total").labels(),
    "no labels, a value": lambda metric: Counter("wrong_plain_total").labels("x"),
}


@pytest.mark.parametrize("kind", list(WRONG))
def test_wrong_labels_warn_and_are_counted_as_dropped(on, warnings, kind):
    counter = Counter("wrong_total", "w", ["a", "b"])
    child = WRONG[kind](counter)
    (said,) = warnings()
    assert said.startswith("labels() of the metric 'wrong_")
    assert ("on a child" in said) == (kind == "a child")
    assert ("has no labels" in said) == kind.startswith("no labels")
    assert ("without a text form" in said) == kind.startswith("no text")
    assert dropped() == 0
    child.inc()
    assert isinstance(child, Counter) and child.value == 0 and dropped() == 1
    child.inc("no number")
    assert dropped() == 2
    assert {value for key, value in driver.samples("wrong_").items()} <= {0.0}


def test_a_labelled_metric_without_labels_says_so_once(on, warnings):
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
    gauge.inc(), gauge.dec(), gauge.set_to_current_time(), gauge.labels("a").set(1)
    with gauge.track_inprogress(), pytest.raises(KeyError), counter.count_exceptions():
        raise KeyError
    assert dropped() == 3 * 4 + 3 + 2 + 1
    said = warnings()
    assert len(said) == 3 and all("was used without them" in message for message in said), said
    counter.labels("x").inc()
    counter.labels().inc()  # this one warns about the call, not about its use
    assert len(warnings()) == 1
    assert driver.samples("bare_c") == {'bare_c_total{a="x"}': 1.0}


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


def test_remove(on):
    counter = Counter("gone_total", "g", ["a", "b"])
    for values in ("xx", "xy", "yx"):
        counter.labels(*values).inc()
    old = counter.labels("x", "y")
    assert counter.remove("x", "y") is None
    assert set(driver.samples("gone_total").values()) == {1.0}
    assert len(driver.samples("gone_total")) == 2
    fresh = counter.labels("x", "y")
    fresh.inc()
    assert fresh is not old and driver.samples("gone_total")['gone_total{a="x",b="y"}'] == 1
    counter.remove(*(Text("x") for _ in range(2)))  # by the texts of the values
    counter.labels("x", "y").remove("x", "y")  # a child removes nothing
    for wrong in ((), ("x",), ("x", "y", "z"), (Unprintable(), "y"), ["x"] * 100):
        counter.remove(*wrong)
    assert len(driver.samples("gone_total")) == 3


def test_remove_before_telemetry_and_of_what_was_never_there():
    djp_telemetry.shutdown(1)
    counter, plain = Counter("absent_total", "a", ["v"]), Counter("present_total", "p")
    counter.remove("x")
    with driver.telemetry():
        counter.remove("x")
        plain.inc()
        plain.remove()
        assert driver.samples("absent_total") == {} and driver.samples("present_total")


def test_clear(on):
    counter, plain = Counter("clear_total", "c", ["a"]), Gauge("clear_plain", "c")
    old = counter.labels("x")
    old.inc()
    old.clear()  # of a child: nothing
    assert driver.samples("clear_total") == {'clear_total{a="x"}': 1}
    assert counter.labels("x") is old
    counter.clear()
    assert driver.samples("clear_total") == {} and counter.labels("x") is not old
    plain.set(7)
    plain.clear()
    assert driver.samples("clear_plain") == {"clear_plain": 0} and plain.value == 0
    djp_telemetry.shutdown(1)
    counter.clear(), plain.clear()


class Clearing:
    """A value whose text removes what the call reads."""

    def __init__(self, metric):
        self.metric = metric

    def __str__(self):
        self.metric.clear()
        for i in range(300):
            self.metric.labels(new(f"{i}"), "y")
        self.metric.clear()
        return "text"


def test_values_that_clear_the_metric(on):
    counter = Counter("cleared_total", "c", ["a", "b"])
    counter.labels("x", "y").inc()
    for _ in range(3):
        counter.remove(Clearing(counter), "z")
        counter.labels(Clearing(counter), "y").inc()
    assert driver.samples("cleared_total")['cleared_total{a="text",b="y"}'] == 1


class Stopping:
    """A value whose text ends telemetry."""

    def __str__(self):
        djp_telemetry.shutdown(1)
        return "x"


def test_values_that_end_telemetry():
    counter = Counter("stopped_total", "s", ["a"])
    for call in (counter.labels, counter.remove):
        with driver.telemetry():
            counter.labels("x").inc()
            call(Stopping())
        assert counter.labels("x").value == 0


def test_threads_share_the_caches(on):
    gauge = Gauge("shared", "s", ["a"])
    texts = [f"v{i}" for i in range(300)]
    failed = []

    def work():
        for round_ in range(20):
            for text in texts:
                child = gauge.labels(text)
                if repr(child) != f"<Gauge shared('{text}',)>":
                    failed.append(child)
            if round_ % 5 == 4:
                gauge.clear()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed


@pytest.mark.parametrize("count", [1, 2, 4, 5, 9])
def test_label_sets_are_given_back(on, count):
    """The values of a label set may be referenced by the caches, but not after clear()."""
    counter = Counter(f"back_{count}_total", "b", [f"l{i}" for i in range(count)])
    kept = "kept text"

    def call():
        counter.labels(*[new("é" * 600) for _ in range(count)]).inc()
        counter.labels(*[kept] * count)
        counter.labels(*[kept] * (count - 1), new("x"))
        counter.labels(*[kept] * count)
        counter.labels(*[new("é\ud800") for _ in range(count)]).inc()
        counter.remove(*[new("é\ud800") for _ in range(count)])
        counter.remove(*[kept] * count)
        counter.labels(*[Unprintable()] * count)
        counter.remove(*[Unprintable()] * count)
        for _ in range(3):
            counter.labels(*[new("y") for _ in range(count)])
        counter.clear()

    assert gives_back(call, 30)
    assert references(call, kept, type(counter)) == [0, 0]
    djp_telemetry.shutdown(1)  # removed series keep their memory for a while
    assert heap() is None or gives_back(call, 30, measure=heap)


def test_a_metric_frees_its_caches(on):
    def call():
        made = Gauge("freed", "f", ["a", "b"])
        for i in range(300):
            made.labels(new(f"{i}"), "b")
        made.clear()

    assert gives_back(call, 10)


@pytest.mark.parametrize("count", [1, 5])
def test_labels_without_memory(on, count):
    counter = Counter(f"starved_{count}_total", "s", [f"l{i}" for i in range(count)])
    values = [10**9 + i for i in range(count)]  # not in the caches: their texts are made
    for call in (
        lambda: counter.labels(*values).inc(),
        lambda: counter.remove(*values),
        counter.clear,
        lambda: Counter("starved_late_total", "s", ["a"]).labels("x"),
    ):
        assert starves_well(call)
    counter.labels(*values).inc()
    assert counter.labels(*values).value >= 1
