"""Metrics pushed to a real Collector over every protocol by both languages, compared with what the
Collector writes."""

import json
import os
import pathlib
import subprocess
import sys

import backends
import pytest

HERE = pathlib.Path(__file__).parent
PACKAGE = HERE.parents[1] / "bindings/node/lib"
pytestmark = pytest.mark.e2e

PYTHON = """
import djp_telemetry as d
from djp_telemetry.metrics import Counter, Gauge, Histogram
d.init_telemetry()
Counter("calls", "Calls.", ["a"]).labels("é").inc(2.5)
Gauge("level", "Level.").set(-1)
took = Histogram("took", "Time.", buckets=[0.5, 1])
took.observe(0.75)
took.observe(8)
Histogram("spread", "Spread.", exponential=True).observe(1)
assert d.shutdown(30)
"""
NODE = f"""
const t = require({json.dumps(str(PACKAGE / "index.js"))});
const {{ Counter, Gauge, Histogram }} = require({json.dumps(str(PACKAGE / "metrics.js"))});
t.init();
new Counter({{ name: 'calls', help: 'Calls.', labelNames: ['a'] }}).inc({{ a: 'é' }}, 2.5);
new Gauge({{ name: 'level', help: 'Level.', aggregator: 'max' }}).set(-1);
const took = new Histogram({{ name: 'took', help: 'Time.', buckets: [0.5, 1] }});
took.observe(0.75);
took.observe(8);
new Histogram({{ name: 'spread', help: 'Spread.', exponential: true }}).observe(1);
t.shutdown(30000).then((good) => process.exit(good ? 0 : 1));
"""


def push(collector, command, protocol):
    port = collector.grpc if protocol == "grpc" else collector.http
    environment = {
        **os.environ,
        "TELEMETRY_ENABLED": "true",
        "TELEMETRY_BACKEND": "hybrid",
        "OTEL_SERVICE_NAME": "e2e",
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf", "http/json"])
@pytest.mark.parametrize("language", ["python", "node"])
def test_every_number_arrives(collector, protocol, language):
    node = os.environ.get("NODE", "node")
    push(
        collector,
        [sys.executable, "-c", PYTHON] if language == "python" else [node, "-e", NODE],
        protocol,
    )

    def arrived():
        found = {m["name"]: (r, m) for r, m in collector.metrics_with_resources("pushed")}
        return found if {"calls", "level", "took", "spread"} <= set(found) else None

    found = backends.wait_for(arrived, message="the metrics did not arrive")
    resource, calls = found["calls"]
    named = {pair["key"]: pair["value"].get("stringValue") for pair in resource}
    assert named["service.name"] == "e2e" and named["service.instance.id"]
    assert named["telemetry.sdk.language"] == {"python": "python", "node": "nodejs"}[language]
    assert calls["sum"]["isMonotonic"] and calls["sum"]["aggregationTemporality"] == 2
    (point,) = calls["sum"]["dataPoints"]
    assert point["asDouble"] == 2.5
    assert point["attributes"] == [{"key": "a", "value": {"stringValue": "é"}}]
    assert int(point["timeUnixNano"]) >= int(point["startTimeUnixNano"]) > 1.7e18
    assert found["level"][1]["gauge"]["dataPoints"][0]["asDouble"] == -1
    (point,) = found["took"][1]["histogram"]["dataPoints"]
    assert (int(point["count"]), point["sum"]) == (2, 8.75)
    assert [int(n) for n in point["bucketCounts"]] == [0, 1, 1]
    assert point["explicitBounds"] == [0.5, 1]
    (point,) = found["spread"][1]["exponentialHistogram"]["dataPoints"]
    assert (int(point["count"]), point["scale"]) == (1, 20)
    assert [int(n) for n in point["positive"]["bucketCounts"]] == [1]
