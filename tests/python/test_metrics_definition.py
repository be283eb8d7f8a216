"""Declarations of metrics: names, labels and buckets, refusals with one warning each, and the
binding to each SDK that starts."""

import gc
import math

import asgi_driver as driver
import djp_telemetry
import pytest
from djp_telemetry import metrics
from djp_telemetry._loader import native
from djp_telemetry.metrics import Counter, Gauge, Histogram
from growth import gives_back, heap, new, references
from starve import starves_well
from support import run_program

pytest.importorskip("djp_telemetry._native")
LABELS_MAX = 32  # DJP_LABELS_MAX


MOST = [f"l{i}" for i in range(LABELS_MAX)]


@pytest.fixture
def on():
    with driver.telemetry():
        yield


@pytest.fixture
def warnings(monkeypatch, caplog):
    """The messages about metrics since the last call."""
    monkeypatch.setattr(metrics, "_warned", set())

    def taken():
        found = [record.getMessage() for record in caplog.records]
        caplog.clear()
        metrics._warned.clear()
        return [message for message in found if "metric" in message or "gauge" in message]

    return taken


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        ({}, "hits_total"),
        ({"namespace": "shop"}, "shop_hits_total"),
        ({"subsystem": "cart"}, "cart_hits_total"),
        ({"unit": "items"}, "hits_items_total"),
        (
            {"namespace": "shop", "subsystem": "cart", "unit": "items"},
            "shop_cart_hits_items_total",
        ),
        ({"namespace": None, "subsystem": "", "unit": None}, "hits_total"),
        ({"namespace": "n" * 300}, "n" * 300 + "_hits_total"),
    ],
)
def test_full_names(on, parts, name):
    counter = Counter("hits", "h", **parts)
    counter.inc()
    assert driver.samples(name) == {name: 1}
    assert counter.name + ("" if "unit" not in parts else "_items") + "_total" == name or parts


def test_the_name_is_the_declared_one():
    assert Counter("hits", "h", namespace="shop", subsystem="cart").name == "shop_cart_hits"
    assert Gauge("plain").name == "plain" and Gauge("plain").labelnames == ()
    assert Gauge("labelled", "", ["b", "a"]).labelnames == ("b", "a")


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


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (None, ()),
        ((), ()),
        ("one", ("one",)),
        (["a", "b"], ("a", "b")),
        ({"a": 1}, ("a",)),
        (lambda: iter(MOST), tuple(MOST)),
        (MOST, tuple(MOST)),
    ],
)
def test_forms_of_label_names(on, warnings, labels, names):
    counter = Counter("formed_total", "f", labels() if callable(labels) else labels)
    assert counter.labelnames == names and warnings() == []
    child = counter.labels(*names) if names else counter
    child.inc()
    assert list(driver.samples("formed_total").values()) == [1]


def endless():
    while True:
        yield "x"


class Raising:
    def __iter__(self):
        raise RuntimeError("no items")


class Name(str):
    pass


REFUSED = {
    "name": lambda: Counter("--", "b"),
    "name of another type": lambda: Counter(7, "b"),
    "label": lambda: Counter("refused_total", "b", ["--"]),
    "label of another type": lambda: Counter("refused_total", "b", ["a", 7]),
    "label of a subclass": lambda: Counter("refused_total", "b", [Name("a")]),
    "label named le": lambda: Histogram("refused", "b", ["le"]),
    "labels that are no sequence": lambda: Counter("refused_total", "b", 7),
    "labels that raise": lambda: Counter("refused_total", "b", Raising()),
    "labels without end": lambda: Counter("refused_total", "b", endless()),
    "one label too many": lambda: Counter("refused_total", "b", [*MOST, "more"]),
    "one label too many in an iterator": lambda: Counter(
        "refused_total", "b", iter([*MOST, "more"])
    ),
    "buckets that descend": lambda: Histogram("refused", "b", buckets=[2, 1]),
    "buckets that are no numbers": lambda: Histogram("refused", "b", buckets=[1, "x"]),
    "a bucket that is NaN": lambda: Histogram("refused", "b", buckets=[1, math.nan]),
    "buckets that are no sequence": lambda: Histogram("refused", "b", buckets=7),
    "buckets that raise": lambda: Histogram("refused", "b", buckets=Raising()),
    "a mode that does not exist": lambda: Gauge("refused", "b", multiprocess_mode="average"),
    "a mode of another type": lambda: Gauge("refused", "b", multiprocess_mode=7),
    "the type of another family": lambda: Gauge("process_cpu_seconds_total", "taken"),
}


REFUSED_BY_THE_CORE = {
    "name",
    "label",
    "label named le",
    "buckets that descend",
    "the type of another family",
}


@pytest.mark.parametrize("kind", list(REFUSED))
def test_a_refused_declaration_warns_and_records_nothing(on, warnings, kind):
    before = set(driver.samples())
    metric = REFUSED[kind]()
    said = warnings()
    assert len(said) == 1 and "records nothing" in said[0], said
    assert ("was refused" in said[0]) == (kind in REFUSED_BY_THE_CORE), said
    child = metric.labels(*["x"] * len(metric.labelnames)) if metric.labelnames else metric
    for used in (metric, child):
        used.observe(1) if isinstance(metric, Histogram) else used.inc()
        assert used.value == 0
    with metric.time() if isinstance(metric, Histogram) else Gauge("none").time():
        pass
    assert not [key for key in driver.samples() if key.startswith("refused")]
    assert set(driver.samples()) - before <= {"none"} and warnings() == []
    with driver.telemetry():  # a restart does not declare it again
        driver.samples()
        assert warnings() == []


def test_a_declaration_names_its_fault(on, warnings):
    Counter("clash_total", "c"), Counter("clash_labels", "c")
    for make, advice in (
        (lambda: Gauge("clash_total", "c"), "Give it another name"),
        (lambda: Counter("clash_labels", "c", ["a"]), "the same type, labels, buckets and mode"),
        (lambda: Histogram("descending", buckets=[2, 1]), "ascending buckets"),
        (lambda: Counter(7, "c"), "Give a str name, a sequence of str label names"),
    ):
        make()
        (said,) = warnings()
        assert advice in said, said


def test_a_full_registry_says_so(warnings):
    with driver.telemetry(cardinality_limit=1):
        kept = []
        for i in range(100000):
            kept.append(Counter(f"full_{i:_<150}"))
            said = warnings()
            if said:
                break
        assert len(said) == 1 and "Declare fewer metrics." in said[0]
        kept[-1].inc()
        assert kept[-1].value == 0


def test_wrong_arguments_raise_as_a_function_does():
    for wrong in (
        lambda: Counter(),
        lambda: Counter("n", "d", (), "", "", "", None, (), 9),
        lambda: Counter("n", unknown=1),
    ):
        with pytest.raises(TypeError):
            wrong()
    assert Counter("n", "d", (), "", "", "", None, (1,)).name == "n"  # buckets are ignored


@pytest.mark.parametrize(
    ("buckets", "bounds"),
    [
        ((0.1, 1), ["0.1", "1.0", "+Inf"]),
        ((0.1, 1, math.inf), ["0.1", "1.0", "+Inf"]),
        ((math.inf,), ["+Inf"]),
        (iter([5]), ["5.0", "+Inf"]),
        ({3: "x"}, ["3.0", "+Inf"]),
    ],
)
def test_buckets(on, buckets, bounds):
    Histogram("bounds", "b", buckets=buckets).observe(0.5)
    found = driver.samples("bounds_bucket")
    assert [key.split('"')[1] for key in found] == bounds


def test_the_default_buckets_are_those_of_the_core(on):
    Histogram("default_seconds").observe(1)
    Histogram("given_seconds", buckets=None).observe(1)
    Histogram("none_seconds", buckets=()).observe(1)
    assert len(driver.samples("default_seconds_bucket")) == 17
    assert len(driver.samples("given_seconds_bucket")) == 17
    assert len(driver.samples("none_seconds_bucket")) == 1


def test_help_and_names_of_every_text(on):
    Counter("texts_total", "h€\ud800\n\\" + "x" * 300).inc()
    text = metrics.generate_metrics_text()
    assert "# HELP texts_total h€\N{REPLACEMENT CHARACTER}\\n\\\\x" in text
    Counter("bytes_total", b"as bytes").inc()
    assert "# HELP bytes_total as bytes\n" in metrics.generate_metrics_text()
    Counter("other_total", 7).inc()
    assert "# HELP other_total \n" in metrics.generate_metrics_text()


def test_metrics_may_die_in_any_order(on):
    children = [Counter("dying_total", "d", ["a"]).labels("x") for _ in range(10)]
    gc.collect()
    for child in children:
        child.inc()
    assert driver.samples("dying_total") == {'dying_total{a="x"}': 10}
    kept = [Gauge(f"chain_{i}") for i in range(5)]
    for index in (2, 0, 1, 1, 0):  # the middle, the ends, the last one
        del kept[index]
        driver.samples()
    fresh = Gauge("chain_fresh")
    with driver.telemetry():
        assert "chain_fresh" in driver.samples() and not any(
            f"chain_{i}" in driver.samples() for i in range(5)
        )
    del fresh


@pytest.mark.parametrize("limit", [1, 3])
def test_the_children_limit_is_the_setting(limit):
    with driver.telemetry(cardinality_limit=limit):
        counter = Counter("limited_total", "l", ["a"])
        children = [counter.labels(str(i)) for i in range(5)]
        again = [counter.labels(str(i)) for i in range(5)]
    assert [a is b for a, b in zip(children, again)] == [True] * limit + [False] * (5 - limit)


def test_the_children_limit_without_telemetry():
    djp_telemetry.shutdown(1)
    counter = Counter("unlimited_total", "l", ["a"])
    texts = [str(i) for i in range(2001)]
    children = [counter.labels(text) for text in texts]
    again = [counter.labels(text) for text in texts]
    assert [a is b for a, b in zip(children, again)] == [True] * 2000 + [False]


def declared():
    long = new("é" * 600)
    Counter(long, long, [long, "b"], long, long, long)
    Histogram("back_seconds", long, ("a",), buckets=[i + 0.5 for i in range(100)])
    Gauge("back", long, long)
    Counter(long, long, [7])
    Histogram("back_seconds", "b", buckets=[math.nan])
    Histogram("back_seconds", "b", buckets=["x"])


@pytest.fixture
def quiet():
    native._metrics_on_warning(lambda message: new("heard"))
    yield
    native._metrics_on_warning(metrics._warn)


def test_declarations_are_given_back(quiet):
    djp_telemetry.shutdown(1)
    for _ in range(20):
        declared()
    assert gives_back(declared)
    assert heap() is None or gives_back(declared, measure=heap)


def test_declarations_without_memory(on, quiet):
    for call in (
        lambda: Counter("starved_total", "s", ["a", "b"]),
        lambda: Counter("starved_named", "é", "a", "n", "s", "u"),
        lambda: Histogram("starved_seconds", "s", ("a",), buckets=[1, 2]),
        lambda: Gauge(7),
    ):
        assert starves_well(call)


def test_an_sdk_that_ended_is_freed():
    """Metrics refer to the SDK that they are bound to, and to no earlier one."""
    kept = [Counter("bound_total", "b"), Histogram("bound_seconds", "b", ["a"])]

    def call():
        with driver.telemetry():
            driver.samples("bound")
            Counter("short_total"), Counter("short_labels_total", "", ["a"]).labels("x")

    assert references(call, type(kept[0]), kept[0], rounds=10) == [0, 0]
    for _ in range(5):
        call()
    before = heap()
    for _ in range(10):
        call()
    assert before is None or heap() - before < 1 << 20


def test_nothing_listens_to_warnings(tmp_path):
    """The extension may be used before djp_telemetry.metrics is imported."""
    done = run_program(
        """
        import djp_telemetry, sys
        native = djp_telemetry._loader.native
        assert native.Counter(7).inc() is None and "djp_telemetry.metrics" not in sys.modules
        """,
        tmp_path,
    )
    assert done.stderr == ""


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
