"""Families are those of prometheus_client."""

import pytest
from prometheus_support import outcome, pair

FAMILIES = [
    ("GaugeMetricFamily", {"value": 1}),
    ("GaugeMetricFamily", {"value": 1, "labels": []}),
    ("UntypedMetricFamily", {"value": 1, "unit": "seconds"}),
    ("CounterMetricFamily", {"value": 1, "created": 3}),
    ("SummaryMetricFamily", {"count_value": 1}),
    ("SummaryMetricFamily", {"count_value": 1, "sum_value": 2}),
    ("HistogramMetricFamily", {"buckets": [("1", 1), ("+Inf", 2)], "sum_value": 3}),
    ("HistogramMetricFamily", {"buckets": [("-1", 1), ("+Inf", 2)], "sum_value": 3}),
    ("HistogramMetricFamily", {"sum_value": 3}),
    ("GaugeHistogramMetricFamily", {"buckets": [("1", 1), ("+Inf", 2)], "gsum_value": 3}),
    ("InfoMetricFamily", {"value": {"a": "b"}}),
    ("StateSetMetricFamily", {"value": {"b": True, "a": False}}),
    ("StateSetMetricFamily", {"value": {}, "labels": []}),
]


@pytest.mark.parametrize(("name", "arguments"), FAMILIES)
def test_families(name, arguments):
    results = [
        outcome(lambda m=m: getattr(m, name)("n_total", "d", **arguments))
        for m in pair("metrics_core")
    ]
    assert results[0] == results[1]
