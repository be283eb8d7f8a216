"""Which recordings become exemplars: the filter by setting, for counters and histograms."""

from __future__ import annotations

import pytest
from support import telemetry

pytest.importorskip("djp_telemetry._native")

import djp_telemetry
from djp_telemetry import metrics
from djp_telemetry.metrics import Counter, Histogram

OPENMETRICS = "application/openmetrics-text;version=1.0.0"


@pytest.mark.parametrize(
    ("name", "ratio", "found"),
    [
        ("trace_based", 1, True),
        ("trace_based", 0, False),
        ("always_on", 1, True),
        ("always_on", 0, True),
        ("always_off", 1, False),
    ],
)
def test_the_filter_decides(name, ratio, found):
    with telemetry(backend="hybrid", exemplar_filter=name, sample_ratio=ratio):
        counter, histogram = Counter("seen", "s"), Histogram("seen_seconds", "s")
        with djp_telemetry.start_span("work"):
            counter.inc()
            histogram.observe(0.2)
        counter.inc()
        text = metrics.expose(OPENMETRICS)[0].decode()
        lines = [line for line in text.split("\n") if line.startswith("seen") and " # {" in line]
        assert (len(lines) == 2) == found and (found or not lines)
