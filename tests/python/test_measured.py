"""Conversion of numbers, texts and statuses at their limits by the recorders, and the limits of
exceptions and attributes."""

import http
import inspect
import math

import djp_telemetry
import pytest
from asgi_driver import samples
from djp_telemetry import prom, start_span
from djp_telemetry.metrics import Counter, Gauge, Histogram, start_metrics_server
from support import attributes, take, telemetry

pytest.importorskip("djp_telemetry._native")


@pytest.fixture(autouse=True)
def on():
    with telemetry(backend="hybrid"):
        yield


class Raising:
    def __str__(self):
        raise RuntimeError

    __float__ = __int__ = __str__


GOOD = [0, 0.5, 7, " 1.5 ", "0", True, 86400]
BAD = [
    -0.1,
    math.nan,
    math.inf,
    -math.inf,
    "",
    "x",
    None,
    {},
    [],
    object(),
    Raising(),
    "-1",
    10**400,
]


def test_durations_of_zero_and_more_count_and_all_else_does_not():
    for value in GOOD:
        prom.record_http_request("GET", "/good", 200, value)
    for value in BAD:
        prom.record_http_request("GET", "/bad", 200, value)
    counts = samples("http_request_duration_seconds_count")
    assert sum(value for key, value in counts.items() if '"/good"' in key) == len(GOOD)
    assert sum(value for key, value in counts.items() if '"/bad"' in key) == 0
    assert sum(samples("http_requests_total").values()) == len(GOOD) + len(BAD)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (99, "other"),
        (100, "100"),
        (599, "599"),
        (600, "other"),
        (404.9, "404"),
        ("503", "503"),
        (http.HTTPStatus.CONFLICT, "409"),
        ("", "other"),
        (None, "other"),
        (-200, "other"),
        (Raising(), "other"),
    ],
)
def test_a_status_is_one_from_100_to_599(given, shown):
    prom.record_external_api_error("s", given)
    prom.record_http_request("GET", "/x", given, 1)
    assert [key for key in samples("external_api_errors_total") if f'"{shown}"' in key]
    assert [key for key in samples("http_requests_total") if f'status_code="{shown}"' in key]


def test_a_size_counts_where_one_is_given():
    for size in (None, 0, 7, "8", -1, math.nan, "x"):
        prom.record_http_request("POST", "/size", 200, 1, size)
    assert list(samples("http_request_size_bytes_count").values()) == [3]
    assert list(samples("http_request_size_bytes_sum").values()) == [15]


def test_a_bare_string_is_one_label():
    counter = Counter("bare_total", "h", "name")
    counter.labels("x").inc()
    counter.labels(name="x").inc()
    assert samples("bare_total") == {'bare_total{name="x"}': 2}


def test_a_mistake_is_told_once(caplog):
    for _ in range(3):
        assert start_metrics_server("no port") is False
    assert (
        len([record for record in caplog.records if "start_metrics_server" in record.message]) == 1
    )


def test_the_port_that_is_documented():
    assert inspect.signature(start_metrics_server).parameters["port"].default == 8001


# ---- texts of exceptions -----------------------------------------------------------------------


def stack_of(error):
    with start_span("s") as span:
        span.record_exception(error)
    (event,) = take().one("s").events
    return attributes(event.attributes)["exception.stacktrace"]


def raised(depth, message="at the end"):
    def deeper(left):
        if left == 0:
            raise ValueError(message)
        deeper(left - 1)

    try:
        deeper(depth)
    except ValueError as error:
        return error


@pytest.mark.parametrize("depth", [5, 61, 62, 63, 64, 200])
def test_the_innermost_64_frames_are_told(depth):
    import re
    import traceback

    error = raised(depth)
    text = stack_of(error)
    expected = "".join(
        traceback.format_exception(type(error), error, error.__traceback__, limit=-64)
    )
    assert text == expected
    assert text.endswith("ValueError: at the end\n")
    repeated = sum(
        int(found) for found in re.findall(r"Previous line repeated (\d+) more time", text)
    )
    assert text.count("  File ") + repeated == min(depth + 2, 64)


def test_of_a_long_text_the_end_is_told():
    rest = len(stack_of(raised(1, "")))
    for length in (32768 - rest - 1, 32768 - rest, 32768 - rest + 3, 100_000):
        text = stack_of(raised(1, "é" + "x" * length + "END"))
        assert text.endswith("xEND\n")
        cut = text.startswith("...\n")
        assert cut == (length > 32768 - rest - 4 - 2 + 1) or abs(length - (32768 - rest)) < 8
        assert len(text) <= 32768 + 4
        assert not cut or len(text) == 32768 + 4


def test_a_traceback_that_cannot_be_told_says_so():
    class Broken(Exception):
        __cause__ = property(lambda self: 1 / 0)

    text = stack_of(Broken("x"))
    assert isinstance(text, str) and text


# ---- unsupported attributes --------------------------------------------------------------------


def test_what_is_dropped_is_counted_exactly():
    values = {"a": 1, 7: 1, "b": object(), None: 2, "c": [object()], "d": None, "e": complex(1, 2)}
    for way in ("start", "event", "link"):
        span = start_span("s", values) if way == "start" else start_span("s")
        if way == "event":
            span.add_event("e", values)
        if way == "link":
            span.add_link(djp_telemetry.SpanContext(1, 1), values)
        span.end()
        told = take().one("s")
        holder = {"start": [told], "event": told.events, "link": told.links}[way][0]
        assert set(attributes(holder.attributes)) - {"sampling.reason"} == {"a", "e"}
        assert told.dropped_attributes_count == 4


# ---- decorating with metrics -------------------------------------------------------------------


def test_each_call_of_a_decorated_function_is_measured_by_itself():
    seconds = Histogram("guard_seconds", "h")
    running = Gauge("guard_running", "g")
    failures = Counter("guard_failures", "c")

    @seconds.time()
    @running.track_inprogress()
    @failures.count_exceptions()
    def work(depth):
        seen.append(samples("guard_running")["guard_running"])
        if depth < 0:
            raise ValueError
        if depth > 0:
            work(depth - 1)
        return depth

    seen = []
    assert work(2) == 2
    assert seen == [1, 2, 3]
    with pytest.raises(ValueError):
        work(-1)
    assert samples("guard_running") == {"guard_running": 0}
    assert samples("guard_seconds_count") == {"guard_seconds_count": 4}
    assert sum(samples("guard_failures").values()) == 1


def test_a_decorated_generator_is_measured_up_to_its_end():
    running = Gauge("guard_steps", "g")

    @running.track_inprogress()
    def steps():
        yield 1
        yield 2

    def now():
        return samples("guard_steps")["guard_steps"]

    one, two = steps(), steps()
    next(one), next(two)
    assert now() == 2
    assert list(one) == [2]
    assert now() == 1
    two.close()
    assert now() == 0
