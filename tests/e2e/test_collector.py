"""Spans through a real Collector and a real Jaeger, over every protocol, read back from their own
outputs and compared field by field."""

import base64
import json
import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent
TRACE = "0af7651916cd43dd8448eb211c80319c"

pytestmark = pytest.mark.e2e


def record(collector, protocol, **env):
    port = collector.grpc if protocol == "grpc" else collector.http
    environment = {
        **os.environ,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        **env,
    }
    out = subprocess.run(
        [sys.executable, str(HERE / "recorded.py")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert out.returncode == 0, out.stderr
    return json.loads(out.stdout)


def plain(value):
    """An OTLP JSON AnyValue as a Python value."""
    ((kind, v),) = value.items() if value else (("empty", None),)
    if kind == "intValue":
        return int(v)
    if kind == "bytesValue":
        return base64.b64decode(v)
    if kind == "arrayValue":
        return [plain(x) for x in v.get("values", [])]
    if kind == "kvlistValue":
        return {x["key"]: plain(x["value"]) for x in v.get("values", [])}
    return v


def attributes(pairs):
    assert len({p["key"] for p in pairs}) == len(pairs), "a key occurs twice"
    return {p["key"]: plain(p["value"]) for p in pairs}


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf", "http/json"])
@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_every_field_arrives_as_it_was_recorded(collector, protocol, compression):
    told = record(collector, protocol, OTEL_EXPORTER_OTLP_COMPRESSION=compression)
    assert told["shutdown"] is True
    found = {
        s["name"]: (attributes(resource), scope, s)
        for resource, scope, s in collector.wait_spans(3)
    }
    assert set(found) == {"root", "child", "failing"}
    resource, scope, root = found["root"]
    assert resource["service.name"] == "e2e" and resource["telemetry.sdk.name"] == "djp-telemetry"
    assert (
        resource["telemetry.sdk.language"] == "python"
        and resource["deployment.environment.name"] == "test"
    )
    assert (scope["name"], scope["version"]) == ("e2e.scope", "3.2.1")
    assert (
        root["traceId"] == TRACE
        and root["parentSpanId"] == "b7ad6b7169203331"
        and root["kind"] == 2
    )
    assert "vendor=value" in root["traceState"] and "other=1" in root["traceState"]
    assert root["flags"] & 0x301 == 0x301
    got = attributes(root["attributes"])
    assert got.pop("sampling.reason") == "error"  # a span of the local trace failed
    assert got == {
        "text": "grüße €", "true": True, "false": False, "zero": 0, "big": 2**62,
        "negative": -5, "real": 0.1,
        "bytes": b"\x00\xff", "list": [1, "two", 3.5, True], "map": {"a": 1, "b": ["x"]},
        "empty": "", "twice": "last",
    }  # fmt: skip
    assert [(e["name"], attributes(e["attributes"])) for e in root["events"]] == [
        ("began", {"n": 1})
    ]
    assert int(root["endTimeUnixNano"]) > int(root["startTimeUnixNano"]) > 1.7e18
    _, _, child = found["child"]
    assert child["parentSpanId"] == root["spanId"] == told["spans"]["root"] and child["kind"] == 3
    assert child["status"] == {"code": 1} and child["links"][0]["spanId"] == root["spanId"]
    _, _, failing = found["failing"]
    assert (
        failing["status"] == {"code": 2, "message": "ValueError: broken"} and failing["kind"] == 4
    )
    event = attributes(failing["events"][0]["attributes"])
    assert event["exception.type"] == "ValueError" and event["exception.message"] == "broken"
    assert "raise ValueError" in event["exception.stacktrace"]


def test_jaeger_shows_the_same_trace(collector_and_jaeger):
    collector, jaeger = collector_and_jaeger
    record(collector, "grpc")
    trace = jaeger.trace(TRACE, 3)
    spans = {s["operationName"]: s for s in trace["spans"]}
    tags = {t["key"]: t["value"] for t in spans["root"]["tags"]}
    assert (
        tags["text"] == "grüße €"
        and int(tags["big"]) == 2**62
        and tags["true"] is True
        and tags["span.kind"] == "server"
    )
    assert spans["child"]["references"][0]["spanID"] == spans["root"]["spanID"]
    assert {t["key"]: t["value"] for t in spans["failing"]["tags"]}["error"] is True
    assert trace["processes"][spans["root"]["processID"]]["serviceName"] == "e2e"


def test_straight_into_jaeger(jaeger):
    record(jaeger, "grpc")
    assert {s["operationName"] for s in jaeger.trace(TRACE, 3)["spans"]} == {
        "root",
        "child",
        "failing",
    }


def test_spans_of_an_outage_arrive_after_the_restart(collector):
    code = """
import sys, djp_telemetry as djp
djp.init_telemetry(enabled=True, sample_ratio=1.0, service_name="outage", flush_interval=0.2)
for n in range(50):
    with djp.start_span("before", {"n": n}): pass
assert djp.flush(timeout=10)
print("stop", flush=True); sys.stdin.readline()
for n in range(500):
    with djp.start_span("during", {"n": n}): pass
print("start", djp.flush(timeout=0.5), flush=True); sys.stdin.readline()
print("end", djp.flush(timeout=20), flush=True)
djp.shutdown(timeout=5)
"""
    env = {
        **os.environ,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.grpc}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
    }
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout.readline().split() == ["stop"]
        collector.stop()
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.readline().split() == ["start", "False"]
        collector.start()
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.readline().split() == ["end", "True"]
        assert child.wait(20) == 0
    finally:
        child.kill()
        child.wait()
    names = [s["name"] for _, _, s in collector.wait_spans(550)]
    assert names.count("before") == 50 and names.count("during") == 500


def test_thousands_of_exports_in_a_row_with_short_lived_connections(tmp_path):
    import backends

    receiver = {
        "keepalive": {
            "server_parameters": {"max_connection_age": "1s", "max_connection_age_grace": "1s"}
        }
    }
    collector = backends.Collector(tmp_path, receiver=receiver)
    try:
        code = """
import djp_telemetry as djp
djp.init_telemetry(enabled=True, sample_ratio=1.0, service_name="many")
import time
end = time.monotonic() + 5
count = 0
while time.monotonic() < end:
    with djp.start_span("s", {"n": count}): pass
    count += 1
    assert djp.flush(timeout=10), djp.telemetry_status()
print(count)
"""
        env = {
            **os.environ,
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.grpc}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        }
        out = subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60
        )
        assert out.returncode == 0, out.stderr
        count = int(out.stdout)
        assert count > 500
        # which writes what it has: a span that came twice must not stand for one that is not in the
        # file yet
        collector.stop()
        numbers = [attributes(s["attributes"])["n"] for _, _, s in collector.spans()]
        # OTLP is at-least-once: a connection that ends between request and answer makes a batch
        # arrive twice, rarely. Nothing may be missing.
        assert set(numbers) == set(range(count)) and len(numbers) - count <= 10
    finally:
        collector.stop()
