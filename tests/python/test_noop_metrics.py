"""The metric types without the native core: the surface of the native ones, nothing recorded."""

import asyncio
import inspect

import pytest
from djp_telemetry import _noop_metrics, metrics

pytest.importorskip("djp_telemetry._native")
TYPES = ("Counter", "Gauge", "Histogram")


def parameters(function):
    return [
        (item.name, item.kind, item.default)
        for item in inspect.signature(function).parameters.values()
        if item.name != "self"
    ]


@pytest.mark.parametrize("name", TYPES)
def test_the_surface_is_that_of_the_native_type(name):
    native, own = getattr(metrics, name), getattr(_noop_metrics, name)
    public = {item for item in dir(native) if not item.startswith("_")}
    assert public == {item for item in dir(own) if not item.startswith("_")}
    for item in public:
        if inspect.isroutine(getattr(native, item)):
            assert parameters(getattr(own, item)) == parameters(getattr(native, item)), item
    assert [item[0] for item in parameters(own)] == [item[0] for item in parameters(native)]
    with pytest.raises(TypeError):
        own()


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize(
    ("given", "names"),
    [((), ()), (None, ()), ("one", ("one",)), (["a", "b"], ("a", "b")), ({"a": 1}, ("a",))],
)
def test_the_declaration_is_kept(name, given, names):
    metric = getattr(_noop_metrics, name)("n", "d", given)
    assert (metric.name, metric.labelnames) == ("n", names)
    assert metric.labels("x") is metric and metric.labels(a="x", b="y") is metric
    assert getattr(_noop_metrics, name)("n").labelnames == ()


def test_nothing_is_recorded():
    counter, gauge = _noop_metrics.Counter("c"), _noop_metrics.Gauge("g")
    histogram = _noop_metrics.Histogram("h", buckets=[1])
    for metric in (counter, gauge, histogram):
        assert metric.remove("x") is None and metric.clear() is None
    assert counter.inc() is None and counter.inc(2, exemplar={}) is None
    for record in (gauge.inc, gauge.dec, gauge.set_to_current_time):
        assert record() is None
    assert gauge.set(1) is None and gauge.set_function(len) is None
    assert histogram.observe(1) is None and histogram.observe(1, {}) is None
    assert [counter.value, gauge.value, histogram.value] == [0.0] * 3 and histogram.count == 0
    assert [type(m.value) for m in (counter, gauge, histogram)] == [float] * 3


@pytest.mark.parametrize(
    "guard",
    [
        _noop_metrics.Counter("c").count_exceptions(KeyError),
        _noop_metrics.Counter("c").count_exceptions(),
        _noop_metrics.Gauge("g").track_inprogress(),
        _noop_metrics.Gauge("g").time(),
        _noop_metrics.Histogram("h").time(),
    ],
)
def test_guards_change_nothing(guard):
    with guard as entered:
        assert entered is guard and entered.labels("x", b="y") is None
    assert guard.fresh() is guard and guard.__exit__(None, None, None) is None
    with pytest.raises(KeyError), guard:
        raise KeyError

    @guard
    def function(x):
        """doc"""
        return x

    @guard
    async def coroutine():
        return 8

    assert function(7) == 7 and function.__doc__ == "doc" and asyncio.run(coroutine()) == 8
