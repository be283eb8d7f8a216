"""time(), track_inprogress() and count_exceptions() around blocks and functions: each records in
the right series, and no exception of the block is changed."""

import asyncio
import time

import asgi_driver as driver
import djp_telemetry
import pytest
from djp_telemetry import _guard, metrics
from djp_telemetry.metrics import Counter, Gauge, Histogram
from growth import gives_back, new, references
from starve import starve, starves_well

pytest.importorskip("djp_telemetry._native")


@pytest.fixture(autouse=True)
def on():
    with driver.telemetry():
        yield


def test_timers():
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
    assert histogram.labels("c").value > 0.03 and gauge.value > 0


@pytest.mark.parametrize("make", [Histogram, Gauge])
def test_a_timer_measures_its_block(make):
    metric = make("measured_seconds", "m")
    start = time.monotonic()
    with metric.time():
        time.sleep(0.01)
    assert 0.01 <= metric.value <= time.monotonic() - start


def test_in_progress():
    gauge = Gauge("busy", "b")

    @gauge.track_inprogress()
    def busy(depth):
        return [gauge.value] + (busy(depth - 1) if depth else [])

    assert busy(2) == [1, 2, 3] and gauge.value == 0
    with pytest.raises(KeyError), gauge.track_inprogress():
        raise KeyError
    assert gauge.value == 0


@pytest.mark.parametrize(
    ("exceptions", "raised", "counted"),
    [
        ((), ValueError, 1),
        ((None,), ValueError, 1),
        ((), KeyboardInterrupt, 0),
        ((ValueError,), UnicodeDecodeError("a", b"", 0, 1, "b"), 1),
        ((KeyError,), ValueError, 0),
        (((KeyError, ValueError),), ValueError, 1),
        (((KeyError, TypeError),), ValueError, 0),
        ((7,), ValueError, 0),
    ],
)
def test_exceptions_that_count(exceptions, raised, counted):
    counter = Counter("errors_total", "e")
    with pytest.raises(BaseException) as caught, counter.count_exceptions(*exceptions):
        raise raised
    assert counter.value == counted and isinstance(caught.value, (ValueError, KeyboardInterrupt))
    named = {"exception": exceptions[0]} if exceptions else {}
    with pytest.raises(BaseException), counter.count_exceptions(**named):  # noqa: B017
        raise raised
    assert counter.value == 2 * counted


def test_a_block_without_an_exception_counts_nothing():
    counter = Counter("calm_total", "c")
    with counter.count_exceptions():
        pass
    guard = counter.count_exceptions(type(None))
    guard.__exit__(None, None, None)
    with counter.count_exceptions((None, ValueError)):
        pass
    counter.count_exceptions().__exit__()
    assert counter.value == 0


def test_a_guard_gives_itself_and_swallows_nothing():
    for guard in (
        Histogram("own_seconds", "o").time(),
        Gauge("own", "o").track_inprogress(),
        Counter("own_total", "o").count_exceptions(),
    ):
        assert guard.__enter__() is guard
        assert guard.__exit__(ValueError, ValueError(), None) is False
        assert repr(guard).startswith("<djp_telemetry.metrics.Guard")


def test_the_duration_of_overlapping_guards():
    """fresh() makes a second guard: the second start does not move the first one."""
    histogram = Histogram("overlap_seconds", "o")
    first = histogram.time()
    second = first.fresh()
    assert second is not first and type(second) is type(first)
    for guard in (first, second):
        guard.__enter__()
    for guard in (first, second):
        guard.__exit__(None, None, None)
    assert histogram.count == 2


def test_a_block_chooses_its_child():
    counter = Counter("chosen_total", "c", ["kind"])
    with pytest.raises(ValueError), counter.count_exceptions() as guard:
        assert guard.labels("first") is None
        guard.labels("wrong", "count")
        raise ValueError
    with pytest.raises(ValueError), counter.count_exceptions() as guard:
        guard.labels(kind="second")
        raise ValueError
    assert driver.samples("chosen_total") == {
        'chosen_total{kind="first"}': 0.0,
        'chosen_total{kind="second"}': 1.0,
    }


def test_an_observed_duration_names_the_span():
    histogram = Histogram("linked_seconds", "l")
    with djp_telemetry.start_span("work"), histogram.time():
        trace_id = djp_telemetry.get_current_trace_id()
    text = metrics.generate_metrics("application/openmetrics-text").decode()
    (line,) = [ln for ln in text.splitlines() if "linked_seconds_bucket" in ln and "# {" in ln]
    assert f'trace_id="{trace_id}"' in line


def test_a_guard_decorates_one_function():
    guard = Counter("calls_total", "c").count_exceptions()
    for wrong in ((), (len, len)):
        with pytest.raises(TypeError):
            guard(*wrong)
    assert guard(len)("abc") == 3


def test_guards_over_a_restart():
    gauge, histogram = Gauge("kept", "k"), Histogram("kept_seconds", "k")
    guards = gauge.track_inprogress(), histogram.time()
    for _ in range(2):
        with driver.telemetry():
            for guard in guards:
                with guard:
                    assert guard is guards[1] or gauge.value == 1
            assert gauge.value == 0 and histogram.count == 1
        with guards[0], guards[1]:
            pass


def test_a_guard_without_memory():
    histogram, counter = Histogram("starved_seconds", "s"), Counter("starved_total", "s")
    guard = histogram.time()
    for call in (histogram.time, counter.count_exceptions, guard.fresh, guard.__enter__):
        assert starves_well(call)
    for call in (guard.labels, lambda: guard(len), guard.__exit__):
        starve(call)
    with histogram.time():
        pass
    assert histogram.count == 1


class Refused(Exception):
    pass


def test_guards_are_given_back():
    histogram, counter = Histogram("back_seconds", "b", ["op"]), Counter("back_total", "b")

    def call():
        with histogram.time() as guard:
            guard.labels("a")
            guard.labels("a")
        with histogram.labels("a").time().fresh():
            pass
        with counter.count_exceptions((Refused, type(new("x"), (Exception,), {}))):
            pass

    assert gives_back(call)
    kind = type(counter.count_exceptions())
    child = histogram.labels("a")
    assert references(call, kind, histogram, counter, child, Refused) == [0] * 5


def test_a_decorator_keeps_no_helper():
    counter = Counter("helped_total", "h")
    assert references(lambda: counter.count_exceptions()(len), _guard) == [0]
