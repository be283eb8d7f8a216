"""The native part of the metrics of djp_telemetry.prometheus, and the one in plain Python."""

import math
import struct

import pytest
from djp_telemetry import metrics
from djp_telemetry.prometheus import _instrument
from support import telemetry

native = pytest.importorskip("djp_telemetry._native")
COUNTER, GAUGE, HISTOGRAM = 1, 2, 3
BOUNDS = struct.pack("3d", -1.0, 0.5, 2.0)


def instrument(base, kind, bounds=b"", core=None):
    class Own(base):
        def __init__(self):
            self.rare = []

        def __getattribute__(self, name):
            if name.endswith("_rare"):
                return lambda *args, **kwargs: self.rare.append((name, args, kwargs))
            return super().__getattribute__(name)

    own = Own()
    own._open(kind, bounds, core)
    return own


BOTH = pytest.mark.parametrize(
    "base", [native.Instrument, _instrument.Instrument], ids=["native", "python"]
)


@BOTH
def test_plain_numbers_are_recorded(base):
    counter, gauge = instrument(base, COUNTER), instrument(base, GAUGE)
    for amount in ((), (2,), (0.5,), (0,)):
        counter._counter_inc(*amount)
    gauge._gauge_set(10)
    gauge._gauge_inc(2.5)
    gauge._gauge_dec()
    assert counter._read() == 3.5
    assert gauge._read() == 11.5
    assert counter.rare == gauge.rare == []


@BOTH
@pytest.mark.parametrize(
    "arguments",
    [(-1,), (math.nan,), (math.inf,), ("1",), (True,), (1, {"a": "b"}), (1, 2, 3), (None,)],
)
def test_the_rest_goes_to_the_rare_method(base, arguments):
    counter = instrument(base, COUNTER)
    counter._counter_inc(*arguments)
    assert [name for name, _, _ in counter.rare] == ["_inc_rare"]
    assert str(counter.rare[0][1]) == str(arguments)
    assert counter._read() == 0


@BOTH
def test_an_object_that_is_not_open_records_nothing(base):
    class Own(base):
        def _inc_rare(self, *args):
            raise ValueError

    with pytest.raises(ValueError):
        Own()._counter_inc()


@BOTH
def test_a_histogram_counts_in_the_bucket_whose_bound_includes_the_value(base):
    histogram = instrument(base, HISTOGRAM, BOUNDS)
    for value in (-1, -0.9, 0.5, 0.6, 2, 2.1, math.inf, -math.inf):
        histogram._observe(value)
    total, counts = histogram._read()
    assert counts == (2, 2, 2, 2)
    assert total == pytest.approx(3.3)
    histogram._observe(math.nan)
    assert histogram._read()[1] == counts
    assert histogram.rare[0][0] == "_observe_rare"


def test_what_a_instrument_holds_moves_to_its_series():
    declared = metrics.Counter("instrument_moves"), metrics.Gauge("instrument_gauge")
    counter, gauge = instrument(native.Instrument, COUNTER, core=declared[0]), None
    gauge = instrument(native.Instrument, GAUGE, core=declared[1])
    histogram_metric = metrics.Histogram("instrument_histogram", buckets=[-1.0, 0.5, 2.0])
    histogram = instrument(native.Instrument, HISTOGRAM, BOUNDS, histogram_metric)
    counter._counter_inc(2.5)
    gauge._gauge_set(7)
    for value in (0.4, 0.6, 5.0):
        histogram._observe(value)
    assert counter._core is None
    with telemetry(backend="prom"):
        assert counter._core is declared[0]
        assert declared[0].value == 2.5
        assert declared[1].value == 7
        assert (histogram_metric.count, histogram_metric.value) == (3, 6.0)
        assert histogram._read() == (6.0, (0, 1, 1, 1))
        counter._counter_inc()
        histogram._observe(0.1)
        assert declared[0].value == counter._read() == 3.5
        assert histogram._read()[1] == (0, 2, 1, 1)
    counter._counter_inc()  # goes on in the series that it has
    assert counter._read() == 4.5
    with telemetry(backend="prom"):  # a new start begins at zero, as all metrics of the SDK do
        assert counter._read() == 0


def test_a_gauge_that_was_never_set_does_not_move():
    declared = metrics.Gauge("instrument_unset")
    gauge = instrument(native.Instrument, GAUGE, core=declared)
    with telemetry(backend="prom"):
        declared.set(4)
        assert gauge._read() == 4


def test_the_wrong_kind_of_core_is_ignored():
    counter = instrument(native.Instrument, COUNTER, core=metrics.Gauge("instrument_other"))
    with telemetry(backend="prom"):
        counter._counter_inc()
        assert counter._core is None
        assert counter._read() == 1


def test_labels_find_children_by_position_and_name():
    class Parent(native.Instrument):
        def _labels_rare(self, *values, **names):
            asked.append((values, names))
            return None

    asked = []
    parent, children = Parent(), {}
    parent._divide(("x", "y"), children)
    children[("a", "b")] = child = Parent()
    for _ in range(3):
        assert parent._find("a", "b") is child
        assert parent._find(y="b", x="a") is child
    assert asked == []
    children.clear()
    parent._discard()
    assert parent._find("a", "b") is None
    assert parent._find("a") is parent._find(z=1, x=2) is parent._find() is None
    assert len(asked) == 4


def test_damaged_arguments_raise():
    own = native.Instrument()
    for arguments in ((), (1,), (1, "x", None), ("x", b"", None)):
        with pytest.raises(TypeError):
            own._open(*arguments)
    with pytest.raises(TypeError):
        own._divide(["x"], {})
