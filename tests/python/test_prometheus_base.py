"""djp_telemetry.prometheus: names, labels and children of metrics."""

import gc
import weakref

import prometheus_client
import pytest
from djp_telemetry import prometheus
from prometheus_support import BOTH, outcome

CALLS = [
    lambda m: m.labels("a"),
    lambda m: m.labels("a", "b", "c"),
    lambda m: m.labels("a", y="b"),
    lambda m: m.labels(x="a"),
    lambda m: m.labels(x="a", z="b"),
    lambda m: m.labels("a", "b").labels("a", "b"),
    lambda m: m.labels(y=2, x=1)._labelvalues,
    lambda m: m.labels(1, None)._labelvalues,
    lambda m: m.remove("a"),
    lambda m: m.remove("never", "there"),
    lambda m: m.remove_by_labels({"q": 1}),
    lambda m: m.remove_by_labels("x"),
    lambda m: m.inc(),
    lambda m: m.labels("a", "b").inc(-1),
    lambda m: m.labels("a", "b").inc("1"),
    lambda m: m._name,
    lambda m: m._labelnames,
    lambda m: str(m),
    lambda m: repr(m),
]


@pytest.mark.parametrize("index", range(len(CALLS)))
def test_labels_behave_as_in_prometheus_client(index):
    results = []
    for package in (prometheus, prometheus_client):
        metric = package.Counter("c", "d", ["x", "y"], "n", "s", "u", registry=None)
        results.append(outcome(lambda metric=metric: CALLS[index](metric)))
    assert results[0] == results[1]


@pytest.mark.parametrize(
    "arguments",
    [
        {"name": ""},
        {"name": "a b"},
        {"name": "c", "labelnames": ["__x"]},
        {"name": "c", "labelnames": ["x", "le"]},
        {"name": "c_total", "unit": "seconds", "namespace": "n"},
        {"name": "c", "labelnames": "xy"},
    ],
)
@pytest.mark.parametrize("kind", ["Counter", "Histogram", "Info"])
def test_declarations_behave_as_in_prometheus_client(kind, arguments):
    results = [
        outcome(lambda p=p: getattr(p, kind)(documentation="d", registry=None, **arguments)._name)
        for p in (prometheus, prometheus_client)
    ]
    assert results[0] == results[1]


@BOTH
def test_children_are_found_again_until_they_are_removed(package):
    metric = package.Counter("c", "d", ["x"], registry=None)
    child = metric.labels("1")
    assert metric.labels(1) is child is metric.labels(x="1") is metric._metrics[("1",)]
    metric.remove("1")
    assert metric.labels("1") is not child
    metric.labels("2")
    metric.clear()
    assert not metric._metrics


def test_a_change_of_the_children_from_outside_reaches_labels():
    metric = prometheus.Gauge("g", "d", ["x"], registry=None)
    for change in (
        lambda: metric._metrics.pop(("1",)),
        lambda: metric._metrics.clear(),
        lambda: metric._metrics.__delitem__(("1",)),
    ):
        child = metric.labels("1")
        assert metric.labels("1") is child
        change()
        assert metric.labels("1") is not child


def test_label_sets_with_the_same_joined_text_are_apart():
    metric = prometheus.Counter("c", "d", ["x", "y"], registry=None)
    metric.labels("a,b", "c").inc(1)
    metric.labels("a", "b,c").inc(2)
    assert [child._value.get() for child in metric._metrics.values()] == [1, 2]


def test_a_subclass_keeps_its_methods_and_constructor():
    class Named(prometheus.Counter):
        def __init__(self, *args, extra="e", **kwargs):
            self.extra = extra
            super().__init__(*args, **kwargs)

        def inc(self, amount=1):
            super().inc(amount * 10)

    metric = Named("c", "d", ["x"], registry=None)
    metric.labels("1").inc()
    assert metric.labels("1")._value.get() == 10
    assert metric.labels("1").extra == "e"
    assert isinstance(metric, prometheus.metrics.MetricWrapperBase)


def test_a_metric_is_freed():
    metric = prometheus.Counter("c", "d", ["x"], registry=None)
    metric.labels("1").inc()
    known = weakref.ref(metric)
    del metric
    gc.collect()
    assert known() is None
