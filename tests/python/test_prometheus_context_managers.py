"""time(), track_inprogress() and count_exceptions()."""

import prometheus_client
import pytest
from djp_telemetry import prometheus
from djp_telemetry.prometheus.decorator import getargspec
from prometheus_support import BOTH


@BOTH
def test_blocks(package):
    counter = package.Counter("c", "d", registry=None)
    gauge = package.Gauge("g", "d", registry=None)
    summary = package.Summary("s", "d", ["x"], registry=None)
    for error in (KeyError, ValueError):
        with (
            pytest.raises(error),
            counter.count_exceptions((KeyError, TypeError)),
            gauge.track_inprogress(),
            summary.time() as timer,
        ):
            timer.labels("1")
            assert gauge._value.get() == 1
            raise error
    assert (counter._value.get(), gauge._value.get()) == (1, 0)
    assert summary.labels("1")._count.get() == 2
    with pytest.raises(ValueError), summary.time():
        pass


@BOTH
def test_a_decorated_function_keeps_its_signature(package):
    summary = package.Summary("s", "d", registry=None)

    @summary.time()
    def add(a, b=2, *c, **d):
        """Adds."""
        return a + b if a else add(1)

    assert (add(1), add(0), add.__name__, add.__doc__) == (3, 3, "add", "Adds.")
    assert summary._count.get() == 3
    theirs = prometheus_client.decorator.getargspec
    assert tuple((getargspec if package is prometheus else theirs)(add))[:4] == (
        ["a", "b"],
        "c",
        "d",
        (2,),
    )


def test_a_generator_is_measured_to_its_end():
    gauge = prometheus.Gauge("g", "d", registry=None)

    @gauge.track_inprogress()
    def count():
        yield 1
        yield 2

    steps = count()
    next(steps)
    assert gauge._value.get() == 1
    list(steps)
    assert gauge._value.get() == 0
