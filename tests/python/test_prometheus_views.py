"""The numbers of a metric as objects."""

import pytest
from djp_telemetry import prometheus
from djp_telemetry.prometheus.core import Exemplar


def test_a_metric_without_label_values_has_none():
    parent = prometheus.Counter("c", "d", ["x"], registry=None)
    assert not hasattr(parent, "_value")
    assert parent.labels("1")._value.get() == 0


def test_they_change_the_metric():
    gauge = prometheus.Gauge("g", "d", registry=None)
    gauge._value.set(3)
    gauge._value.inc(2)
    assert gauge._value.get() == gauge._value._value == 5
    counter = prometheus.Counter("c", "d", registry=None)
    mark = Exemplar({"a": "b"}, 1)
    counter._value.set_exemplar(mark)
    assert counter._value.get_exemplar() is mark
    with pytest.raises(ValueError):
        counter._value.inc(-1)
