"""The functions of the extension behind the metrics: the exposition with the functions of gauges,
recordings by the names of the built-in families, and paths as labels."""

import gc
import gzip
import math

import asgi_driver as driver
import djp_telemetry
import pytest
from djp_telemetry import metrics
from djp_telemetry._loader import native
from djp_telemetry.metrics import Counter, Gauge, Histogram
from growth import gives_back, heap, new, references
from starve import starves_well

pytest.importorskip("djp_telemetry._native")


@pytest.fixture
def on():
    with driver.telemetry():
        yield


def dropped():
    return djp_telemetry.telemetry_status()["registry"]["dropped"]


def test_the_status_names_the_largest(on):
    many, few = Counter("many", "m", ["a"]), Gauge("few", "f", ["a"])
    for i in range(40):
        many.labels(str(i)).inc()
    for i in range(30):
        few.labels(str(i)).set(i)
    largest = djp_telemetry.telemetry_status()["registry"]["largest"]
    assert list(largest.items())[:2] == [("many", 40), ("few", 30)] and len(largest) <= 10
    few.clear()
    assert "few" not in djp_telemetry.telemetry_status()["registry"]["largest"]


def test_gauge_functions(on):
    gauge, other = Gauge("live", "l"), Gauge("other", "o", ["a"])
    gauge.set_function(lambda: 42)
    other.labels("x").set_function(lambda: 7)
    assert driver.samples("live") == {"live": 42} and driver.samples("other") == {'other{a="x"}': 7}
    for fails in (lambda: 1 / 0, lambda: "text", lambda: None, lambda: math.nan, lambda x: x):
        gauge.set_function(fails)
        assert driver.samples("live") == {"live": 42} and driver.samples("other")
    gauge.set_function(lambda: 43)
    assert driver.samples("live") == {"live": 43}
    assert dropped() == 0


def test_a_gauge_function_that_cannot_be_called(on, caplog):
    gauge = Gauge("uncalled", "u")
    gauge.set(3)
    gauge.set_function(7)
    assert "set_function() of the gauge 'uncalled' was given something" in caplog.text
    assert driver.samples("uncalled") == {"uncalled": 3}


def test_a_gauge_function_that_changes_the_functions(on):
    """The functions of one exposition are those that were set when it began."""
    made = []

    def more():
        for _ in range(20):
            made.append(Gauge(f"more_{len(made)}"))
            made[-1].set_function(lambda: 1)
        return 5

    gauges = [Gauge(f"first_{i}") for i in range(3)]
    for gauge in gauges:
        gauge.set_function(more)
    assert driver.samples("first_") == {f"first_{i}": 5 for i in range(3)} and len(made) == 60
    for gauge in (*gauges, *made):
        gauge.set_function(lambda: 0)


def test_a_gauge_function_that_ends_telemetry():
    gauge = Gauge("ending", "e")
    with driver.telemetry():
        gauge.set_function(lambda: djp_telemetry.shutdown(1) and 1)
        assert metrics.generate_metrics() == b""
        gauge.set_function(lambda: 2)
    with driver.telemetry():
        assert driver.samples("ending") == {"ending": 2}


def test_an_exposition_binds_all_metrics():
    """Metrics that were declared before the start are shown before their first recording."""
    djp_telemetry.shutdown(1)
    kept = [Counter("bound_total"), Gauge("bound_g"), Counter("bound_labels_total", "", ["a"])]
    child = kept[2].labels("x")
    gone = Counter("bound_gone_total", "", ["a"]).labels("x")
    with driver.telemetry():
        assert driver.samples("bound") == {
            "bound_total": 0,
            "bound_g": 0,
            'bound_labels_total{a="x"}': 0,
        }
        kept[2].clear()
        assert 'bound_labels_total{a="x"}' not in driver.samples("bound")
        gone.inc()
        assert driver.samples("bound_gone") == {'bound_gone_total{a="x"}': 1}
        assert child.value == 0


def test_metrics_that_go_while_an_exposition_binds_them(monkeypatch):
    """A warning runs code of the application, which may drop the metric and its neighbours."""
    djp_telemetry.shutdown(1)
    Counter("taken_total")
    kept = []

    def drop(message):
        kept.clear()
        gc.collect()

    for start in range(5):
        kept[:] = [Gauge(f"between_{i}") for i in range(4)]
        kept.insert(start, Gauge("process_cpu_seconds_total"))  # refused: the type is another one
        native._metrics_on_warning(drop)
        try:
            with driver.telemetry():
                metrics.generate_metrics()
                kept[:] = [Gauge(f"between_{i}") for i in range(4)]
                kept.insert(start, Gauge("process_cpu_seconds_total"))
                assert metrics.generate_metrics()
        finally:
            native._metrics_on_warning(metrics._warn)


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
    openmetrics = metrics.generate_metrics(b"application/openmetrics-text")
    assert openmetrics.endswith(b"# EOF\n")


@pytest.mark.parametrize(
    ("encoding", "packs"),
    [
        ("gzip", True),
        (b"gzip", True),
        ("gzip;q=0", False),
        (None, False),
        (7, False),
        ("\ud800", False),
        ("br", False),
    ],
)
def test_compression(on, encoding, packs):
    Counter("packed_total", "p" * 3000).inc()
    body, content_type, packed = metrics.expose_packed(None, encoding)
    assert packed is packs and content_type == metrics.METRICS_CONTENT_TYPE
    assert b"packed_total 1" in (gzip.decompress(body) if packs else body)


@pytest.mark.parametrize("state", ["off", "without metrics"])
def test_no_exposition_without_metrics(state):
    with driver.telemetry(backend="otel"):
        if state == "off":
            djp_telemetry.shutdown(1)
        assert metrics.expose("application/openmetrics-text")[0] is None
        assert metrics.expose_packed(None, "gzip") == (None, metrics.METRICS_CONTENT_TYPE, False)
        assert native._metrics_standard("queue_depth", ("a",), 1) is False
        assert native._metrics_http("GET", "/", 200, 0.1, 1) is False
        assert native._metrics_listen("127.0.0.1", 1) is False


def test_built_in_families(on):
    assert native._metrics_standard("queue_depth", ("a",), 3) is True
    assert driver.samples("queue_depth{") == {'queue_depth{queue_name="a"}': 3}
    for name, labels, value in (
        ("unknown", ("a",), 1),
        ("queue_depth", ("a", "b"), 1),
        ("queue_depth", (), 1),
        ("queue_depth", ("x",) * 33, 1),
        ("queue_depth", ("x",) * 1000, 1),
        ("queue_depth", ("a",), "text"),
    ):
        assert native._metrics_standard(name, labels, value) is False, (name, labels, value)
    assert native._metrics_standard("queue_depth", (7,), 4) is True  # a label without text
    assert driver.samples("queue_depth{") == {
        'queue_depth{queue_name="a"}': 3,
        'queue_depth{queue_name=""}': 4,
    }


def test_the_exemplar_of_a_built_in_family(on):
    with djp_telemetry.start_span("current"):
        trace_id = djp_telemetry.get_current_trace_id()
        native._metrics_standard("queue_job_latency_seconds", ("a",), 0.1)
        native._metrics_http("GET", "/x", 200, 0.1, 3)
    text = metrics.generate_metrics("application/openmetrics-text").decode()
    found = [ln.split("{")[0] for ln in text.splitlines() if f'trace_id="{trace_id}"' in ln]
    assert {"queue_job_latency_seconds_bucket", "http_request_duration_seconds_bucket"} <= set(
        found
    )


HTTP = '{method="GET",endpoint="/x",status_code="200"}'


@pytest.mark.parametrize(
    ("seconds", "observed"),
    [
        (0.25, 0.25),
        (0, 0),
        (1, 1),
        (999_999_999.0, 999_999_999.0),
        (1e9, None),
        (-0.001, None),
        (math.nan, None),
        (math.inf, None),
        ("text", None),
    ],
)
def test_the_duration_of_a_request(on, seconds, observed):
    assert native._metrics_http("GET", "/x", 200, seconds, -1) is True
    found = driver.samples("http_request")
    assert found["http_requests_total" + HTTP] == 1
    assert found["http_request_duration_seconds_sum" + HTTP] == (observed or 0)
    assert found["http_request_duration_seconds_count" + HTTP] == (observed is not None)
    assert dropped() == (observed is None)


@pytest.mark.parametrize(
    ("size", "observed"),
    [(0, 0), (1500, 1500), (8e18, 8e18), (9e18, None), (-1, None), (math.nan, None), ("x", None)],
)
def test_the_size_of_a_request(on, size, observed):
    assert native._metrics_http("GET", "/x", 200, 0.1, size) is True
    name = next((key for key in driver.samples("http_request") if "_bytes_sum" in key), None)
    assert (name and driver.samples(name)[name]) == observed


def test_wrong_arguments_of_the_functions():
    for wrong in (
        lambda: native._metrics_standard("queue_depth", ["a"], 1),
        lambda: native._metrics_standard(7, ("a",), 1),
        lambda: native._metrics_http("GET", "/x", "200", 1, 1),
        lambda: native._metrics_http("GET"),
        lambda: native._metrics_expose(),
        lambda: native._metrics_listen("127.0.0.1"),
        lambda: native._path_normalise(),
    ):
        with pytest.raises(TypeError):
            wrong()


def test_paths_of_every_type():
    assert native._path_normalise("/users/1234/x") == "/users/{id}/x"
    assert native._path_normalise(b"/users/1234") == "/users/{id}"
    assert native._path_normalise("/é") == "/{id}" and native._path_normalise(7) == ""
    assert len(native._path_normalise("/a" * 5000)) <= 2048


class Ending:
    def __float__(self):
        djp_telemetry.shutdown(1)
        return 1.0


def test_numbers_that_end_telemetry():
    for call in (
        lambda: native._metrics_standard("queue_depth", ("a",), Ending()),
        lambda: native._metrics_http("GET", "/", 200, Ending(), 1),
        lambda: native._metrics_http("GET", "/", 200, 1, Ending()),
    ):
        with driver.telemetry():
            assert call() is False


def test_the_functions_give_back(on):
    gauge = Gauge("given", "g")
    text = "é" * 3000
    broken = text + "\ud800"

    def call():
        gauge.set_function(lambda: 0.5 + len(new("x")))
        made = Gauge("given_made", "g")
        metrics.expose_packed(new(broken), new(broken))
        del made
        metrics.expose_packed(b"application/openmetrics-text", "gzip")
        native._metrics_standard("queue_depth", (new(text), new("\ud800")), 1)
        native._metrics_standard("queue_depth", (broken,), 10**30)
        native._metrics_http(broken, broken, 200, 10**30, 10**30)
        native._path_normalise(new(broken))
        native._metrics_on_warning(lambda message: None)
        gauge.set_function(7)

    try:
        assert gives_back(call, 50)
        assert heap() is None or gives_back(call, 50, measure=heap)
        assert references(call, type(gauge), gauge, text, None, True, False) == [0] * 6
        djp_telemetry.shutdown(1)
        assert gives_back(call, 50) and references(call, None, False) == [0, 0]
    finally:
        native._metrics_on_warning(metrics._warn)
        gauge.set_function(lambda: 0)


def test_the_functions_without_memory(on):
    gauge, histogram = Gauge("starved"), Histogram("starved_seconds", "", ["a"])
    histogram.labels("x")
    gauge.set_function(lambda: 10**30)
    for call in (
        lambda: native._metrics_expose("text/plain", "gzip"),
        lambda: native._metrics_standard("queue_depth", ("é" * 3000,), 1),
        lambda: native._metrics_http("é" * 3000, "b", 200, 1, 1),
        lambda: native._path_normalise("/é"),
    ):
        assert starves_well(call)
    gauge.set_function(lambda: 0)
