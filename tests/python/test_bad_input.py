"""Wrong, huge or hostile input through the whole public API: no exception in the application, no
crash, and dropped values are counted. tests/python/test_robust.py has the plain cases."""

import json
import math
import pathlib
import random
import re

import djp_telemetry
import pytest
from djp_telemetry import INVALID_SPAN, metrics, otel, start_span
from djp_telemetry.metrics import Counter, Gauge, Histogram
from evil import EVIL, HUGE, Number, Raising, named_functions
from support import attributes, run_program, take, telemetry

pytest.importorskip("djp_telemetry._native")


@pytest.fixture
def on():
    with telemetry(backend="hybrid"):
        yield
    assert djp_telemetry.get_current_span() is INVALID_SPAN


@pytest.fixture(params=list(EVIL))
def evil(request):
    return EVIL[request.param]()


@pytest.mark.parametrize("active", [True, False])
def test_every_argument_of_spans(evil, active):
    with telemetry(backend="hybrid") if active else telemetry(enabled=False):
        tracer = djp_telemetry.get_tracer(evil, evil, evil, evil)
        for start in (djp_telemetry.start_span, tracer.start_span, tracer.start_as_current_span):
            for name in ("name", "attributes", "kind", "links", "start_time", "parent"):
                with start(**{"name": "s", name: evil}):
                    pass
        with start_span("s", {"k": evil}, links=[evil, (evil, evil)]) as span:
            span.set_attribute(evil, 1)
            span.set_attribute("k2", evil)
            span.set_attribute("k3", [evil, evil])
            span.set_attributes(evil)
            span.set_attributes({"k4": {"k5": evil}})
            span.add_event(evil)
            span.add_event("e", evil)
            span.add_event("e", {"k": evil}, evil)
            span.add_link(evil)
            span.add_link(span.context, evil)
            span.add_link(span.context, {"k": evil})
            span.record_exception(evil)
            span.record_exception(ValueError(evil), {"k": evil}, evil)
            span.set_status(evil)
            span.set_status("error", evil)
            span.update_name(evil)
            span.end(evil)
        djp_telemetry.Context(evil)
        djp_telemetry.Context(None, evil)
        djp_telemetry.detach(djp_telemetry.attach(evil))
        with djp_telemetry.use_span(evil):
            pass
        assert djp_telemetry.flush(20)
        started = djp_telemetry.telemetry_status()
        assert not active or started["spans"]["started"] > 15


def test_every_argument_of_propagation(evil, on):
    baggage = djp_telemetry.Baggage()
    with start_span("s"):
        for setter in (None, evil):
            djp_telemetry.inject({}, setter)
            djp_telemetry.inject(evil, setter)
            djp_telemetry.inject([], setter, evil)
            djp_telemetry.extract(evil, setter)
            djp_telemetry.extract(
                {"traceparent": evil, "tracestate": evil, "baggage": evil}, setter
            )
            djp_telemetry.extract([("traceparent", evil), (b"baggage", evil), evil], setter)
        baggage.set(evil, evil).set("k", evil).set("k", "v", evil).remove(evil)
        baggage.get(evil)
        otel.record_http_span(evil, evil, evil, evil)
        otel.record_job_span(evil, evil, evil, True)


def test_every_argument_of_metrics(evil, on):
    for kind in (Counter, Gauge, Histogram):
        metric = kind("odd_input_" + kind.__name__.lower(), "h", ["a"])
        for argument in (
            "documentation",
            "labelnames",
            "namespace",
            "subsystem",
            "unit",
            "registry",
        ):
            kind(**{"name": "odd_input_more", argument: evil})
        kind(evil)
        metric.labels(evil)
        metric.labels(a=evil)
        metric.labels(evil, evil, b=evil)
        metric.remove(evil)
        child = metric.labels("x")
        for name in ("inc", "dec", "set", "observe"):
            if hasattr(child, name):
                getattr(child, name)(evil)
                getattr(metric, name)(evil)
    Histogram("odd_input_buckets", "b", buckets=evil)
    Histogram("odd_input_buckets", "b", buckets=[evil])
    Counter("odd_input_exemplar", "b").inc(1, evil)
    Counter("odd_input_exemplar", "b").inc(1, {"trace_id": evil, "span_id": evil})
    Gauge("odd_input_function", "b").set_function(evil)
    Gauge("odd_input_answer", "b").set_function(lambda: evil)
    metrics.get_content_type(evil)
    metrics.generate_metrics(evil)
    assert metrics.generate_metrics_text()


def test_numbers_that_are_none_never_reach_a_counter(on):
    counter, histogram = (
        Counter("strict_total", "s"),
        Histogram("strict_seconds", "s", buckets=(1,)),
    )
    for amount in (
        math.nan,
        -1,
        -math.inf,
        "5",
        b"5",
        None,
        [],
        object(),
        1j,
        Raising(),
        Number(3),
    ):
        counter.inc(amount)
    for amount in (math.nan, "5", None, object()):
        histogram.observe(amount)
    counter.inc(2)
    assert counter.value in (2, 5) and histogram.count == 0
    assert "strict_total 2" in metrics.generate_metrics_text() or counter.value == 5


def test_every_argument_of_the_named_metrics(evil, on):
    for function, count in named_functions():
        function(*[evil] * count)
    metrics.generate_metrics()


KEYS = """
import djp_telemetry, itertools, json, os
from support import attributes, take
djp_telemetry.init_telemetry(log_level="none")
def rss():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
given = {"good": 1, "bad": object(), 7: "not a key", "list": [1, object()]}
with djp_telemetry.start_span("s", given) as span:
    span.set_attributes({f"k{number}": number for number in range(10_000)})
    span.set_attribute("good", 2)
recorded = take().one("s")
kept = attributes(recorded.attributes)
assert kept.pop("sampling.reason") == "ratio" and kept.pop("good") == 2, kept
assert len(recorded.attributes) == 128
assert list(kept) == [f"k{number}" for number in range(126)], kept
assert recorded.dropped_attributes_count == 10_000 - 126 + 3
keys, resident = (f"request.{number}" for number in itertools.count()), []
for _ in range(3):
    for number in range(50_000):
        with djp_telemetry.start_span("s") as span:
            span.set_attribute(next(keys), 1)
            span.set_attribute("good", 1)
        if number % 1000 == 0:
            last = take()[-1]
    take()
    resident.append(rss())
assert resident[2] - resident[1] < 4 << 20, resident
assert attributes(last.attributes)["good"] == 1 and last.dropped_attributes_count == 1, last
"""


def test_memory_for_attributes_and_keys_without_number(tmp_path):
    """Ten thousand attributes of a span, and names that never repeat, must not fill the memory:
    dropped attributes are counted on the span. Runs in a separate program, because a process keeps
    a limited number of keys for ever."""
    run_program(KEYS, tmp_path, OTEL_TRACES_EXPORTER="memory")


def test_a_value_of_ten_megabytes_is_kept_cut_or_counted(on):
    for size in (100_000, 1_000_000, HUGE):
        with start_span(f"s{size}", {"text": "x" * size}):
            pass
    recorded = {span.name: span for span in take()}
    status = djp_telemetry.telemetry_status()
    for size in (100_000, 1_000_000, HUGE):
        span = recorded.get(f"s{size}")
        if span is not None and not span.dropped_attributes_count:
            # what a span has room for
            assert len(attributes(span.attributes)["text"]) >= min(size, 500_000)
    lost = sum(status["dropped"].values())
    assert len(recorded) + lost == 3, status["dropped"]
    djp_telemetry.flush(1)


def test_random_values(on):
    """Nested values out of all of the above; the seed of a failure is in its message."""
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    makers = [make for name, make in EVIL.items() if not name.startswith(("huge", "wide"))]

    def value(depth):
        pick = chance.random()
        if depth > 3 or pick < 0.6:
            return chance.choice(makers)()
        if pick < 0.8:
            return [value(depth + 1) for _ in range(chance.randrange(4))]
        return {
            chance.choice(["a", "b", "\ud800", "", "x" * 300]): value(depth + 1) for _ in range(3)
        }

    try:
        for _ in range(300):
            with start_span(
                "s", {"v": value(0)}, links=value(0), kind=value(0), parent=value(0)
            ) as span:
                span.set_attribute("w", value(0))
                span.add_event("e", {"x": value(0)})
                span.set_status(value(0), value(0))
        assert djp_telemetry.flush(20)
    except BaseException as error:
        raise AssertionError(f"seed {seed}") from error


# ---- settings ----------------------------------------------------------------------------------

BAD_WORDS = [
    "nonsense",
    "-1",
    "1e999",
    "NaN",
    "99999999999999999999",
    "=,=",
    "\udcff\udcfe",
    " \t ",
    "a" * 40_000,
    "%zz%",
]

SETTINGS = """
import json, logging, os, re, sys
warnings = []
class Keep(logging.Handler):
    def emit(self, record):
        warnings.append(record.getMessage())
logging.getLogger().addHandler(Keep())
import djp_telemetry
from djp_telemetry import metrics
failures = []
NAMES, TYPED = json.loads(os.environ.pop("NAMES")), json.loads(os.environ.pop("TYPED"))
WORDS = json.loads(os.environ.pop("WORDS"))
START = dict(os.environ)
for name in NAMES:
    for word in WORDS:
        os.environ.clear()
        os.environ.update({**START, "TELEMETRY_ENABLED": "true", "TELEMETRY_BACKEND": "hybrid",
                           "OTEL_TRACES_EXPORTER": "memory", "OTEL_TRACE_SAMPLE": "1", name: word})
        warnings.clear()
        djp_telemetry._runtime._runtime.reported.clear()
        djp_telemetry.init_telemetry()
        with djp_telemetry.start_span("s", {"a": 1}):
            pass
        metrics.generate_metrics()
        status = djp_telemetry.telemetry_status()
        about = [text for text in warnings if text.startswith(name)]
        if len(about) > 1 or (not about and word == "nonsense" and name in TYPED):
            failures.append([name, word[:20], about])
        if any("could not" in text and "Telemetry" in text for text in warnings):
            failures.append([name, word[:20], warnings[:]])
        whole = "last_error" in status or not status["enabled"]
        if os.environ.get("OTEL_SDK_DISABLED") is None and not whole:
            failures.append([name, word[:20], "no status"])
        djp_telemetry.shutdown(0.05)
print(json.dumps(failures))
"""


def variables(default=".*"):
    """Every variable of the table in docs/configuration.md whose default is like this."""
    page = pathlib.Path(__file__).parents[2] / "docs" / "configuration.md"
    rows = [line.split("|") for line in page.read_text().splitlines() if line.startswith("| `")]
    cells = [row[2] for row in rows if re.fullmatch(default, row[3].strip())]
    return sorted({name for cell in cells for name in re.findall(r"`(\w+)`", cell)})


def test_bad_values_of_every_variable(tmp_path):
    """In one program, so that a harmful value affects all that follow."""
    names, typed = (
        variables(),
        variables("`([0-9.]+|true|false|noop|console|grpc|none|code|endpoint|old|info)`"),
    )
    # others that are set come first
    unread = {"ENABLE_OBSERVABILITY", "OTEL_EXPORTER", "TRACES_SAMPLE_RATE"}
    unread |= {"DJP_TELEMETRY_PROMETHEUS_HOST", "OTEL_EXPORTER_PROMETHEUS_HOST"}  # any name
    unread.add("OTEL_SEMCONV_STABILITY_OPT_IN")  # a list of any words
    assert len(names) > 60 and len(typed) > 25 and unread < set(typed)
    done = run_program(
        SETTINGS,
        tmp_path,
        timeout=110,
        NAMES=json.dumps(names),
        TYPED=json.dumps(sorted(set(typed) - unread)),
        WORDS=json.dumps(BAD_WORDS),
    )
    failures = json.loads(done.stdout.splitlines()[-1])
    assert not failures, failures[:5]


def test_bad_values_of_every_option(evil):
    """Programs give options: the same values as for variables, and other types."""
    from djp_telemetry._loader import impl

    djp_telemetry.shutdown(1)
    for keyword in impl.sdk_keywords():
        options = {
            "enabled": True,
            "backend": "hybrid",
            "exporter": "memory",
            "log_level": "none",
            keyword: evil,
        }
        djp_telemetry.init_telemetry(**options)
        with start_span("s", {"a": 1}):
            pass
        djp_telemetry.telemetry_status()
        djp_telemetry.shutdown(0.05)
