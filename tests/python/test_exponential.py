"""Exponential buckets of histograms: by option and by setting, in protobuf and OpenMetrics 2.0,
over forked processes, and beside the explicit ones."""

from __future__ import annotations

import math
import os
import random

import metric_family
import pytest
from support import telemetry

pytest.importorskip("djp_telemetry._native")

from djp_telemetry import metrics
from djp_telemetry.metrics import Histogram

PROTOBUF = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
)


def histogram_of(name):
    body, content_type = metrics.expose(PROTOBUF)
    assert content_type.startswith("application/vnd.google.protobuf; proto=io.prometheus.client.")
    (family,) = [f for f in metric_family.decode(body) if f.name == name]
    (metric,) = family.metric
    return metric.histogram


def index_of(value, schema):
    """Of the bucket in Prometheus, which ends at base^index."""
    return math.ceil(round(math.log2(value) * 2.0**schema, 9))


def check(histogram, values):
    positive = metric_family.buckets(histogram.positive_span, histogram.positive_delta)
    negative = metric_family.buckets(histogram.negative_span, histogram.negative_delta)
    expected_positive: dict = {}
    expected_negative: dict = {}
    for value in values:
        if value != 0:
            side = expected_positive if value > 0 else expected_negative
            index = index_of(abs(value), histogram.schema)
            side[index] = side.get(index, 0) + 1
    assert {k: v for k, v in positive.items() if v} == expected_positive
    assert {k: v for k, v in negative.items() if v} == expected_negative
    assert histogram.zero_count == values.count(0) and histogram.zero_threshold == 1e-128
    assert histogram.sample_count == len(values)
    assert math.isclose(histogram.sample_sum, math.fsum(values), rel_tol=1e-9)
    assert len(positive) + len(negative) <= 160


@pytest.fixture
def on():
    with telemetry(backend="prom"):
        yield


def test_both_kinds_of_buckets_from_one_observation(on):
    histogram = Histogram("both_seconds", "b", buckets=(0.1, 1), exponential=True)
    values = [0.0, 0.05, 0.05, 0.7, 3.0, -2.0, 40.0]
    for value in values:
        histogram.observe(value)
    with histogram.time():
        pass
    found = histogram_of("both_seconds")
    assert found.sample_count == 8
    assert [b.cumulative_count for b in found.bucket][-1] == 8
    assert histogram.count == 8


def test_the_buckets_hold_the_values(on):
    histogram = Histogram("values_seconds", "b", exponential=True)
    values = [random.Random(1).lognormvariate(0, 2) for _ in range(500)] + [0.0, -0.5, -4.0]
    for value in values:
        histogram.observe(value)
    check(histogram_of("values_seconds"), values)


def test_forked_processes_of_other_scales_are_one(on):
    histogram = Histogram("forked_seconds", "b", exponential=True)
    values = []
    for child in range(4):
        mine = [1.5 * 10 ** (child * (k % 3 - 1)) for k in range(50)]
        values += mine
        process = os.fork()
        if process == 0:
            for value in mine:
                histogram.observe(value)
            os._exit(0)
        assert os.waitpid(process, 0)[1] == 0
    check(histogram_of("forked_seconds"), values)


@pytest.mark.parametrize(
    ("setting", "option", "native"),
    [
        ("base2_exponential_bucket_histogram", None, True),
        ("base2_exponential_bucket_histogram", False, False),
        ("explicit_bucket_histogram", None, False),
        ("explicit_bucket_histogram", True, True),
    ],
)
def test_the_declaration_decides_before_the_setting(setting, option, native):
    with telemetry(backend="prom", histogram_aggregation=setting):
        Histogram("decided", "b", exponential=option).observe(2)
        found = histogram_of("decided")
        assert found.HasField("schema") == native
        assert len(found.bucket) == 17
        text = metrics.expose("application/openmetrics-text;version=2.0.0")[0].decode()
        assert (",schema:" in text) == native
        assert "decided_count 1" in metrics.generate_metrics_text()
