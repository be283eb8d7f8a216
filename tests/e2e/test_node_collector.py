"""Spans of the Node package through a real Collector and a real Jaeger, over every protocol,
compared field by field."""

import json
import os
import pathlib
import subprocess
import time

import backends
import pytest
from test_collector import TRACE, attributes

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]

pytestmark = pytest.mark.e2e


def node():
    """The Node program; skips, or fails where skipping is not allowed, when it or what is built for
    it is missing."""
    program = os.environ.get("DJP_NODE") or backends.find("node")
    missing = [
        p
        for p in ("build/Release/djp_telemetry.node", "node_modules/express")
        if not (ROOT / p).exists()
    ]
    if missing:
        (pytest.fail if os.environ.get("DJP_E2E_REQUIRED") else pytest.skip)(
            f"{missing} is missing: make node-native"
        )
    return program


def record(collector, protocol, **env):
    port = collector.grpc if protocol == "grpc" else collector.http
    environment = {
        **os.environ,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        **env,
    }
    out = subprocess.run(
        [node(), str(HERE / "node/recorded.js")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert out.returncode == 0, out.stderr
    return json.loads(out.stdout)


def check_resource(resource, told):
    assert resource["service.name"] == "e2e" and resource["service.version"] == "4.5.6"
    assert resource["deployment.environment.name"] == "test" and resource["service.instance.id"]
    assert (
        resource["telemetry.sdk.name"] == "djp-telemetry"
        and resource["telemetry.sdk.language"] == "nodejs"
    )
    assert resource["telemetry.sdk.version"] == told["status"]["version"]
    assert (
        resource["process.runtime.name"] == "nodejs"
        and resource["process.runtime.version"] == told["version"]
    )
    assert resource["process.pid"] == told["pid"]


def check_root(root):
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
        "long": "é" * 5000, "astral": "😀",
    }  # fmt: skip
    assert type(got["zero"]) is int and type(got["real"]) is float
    assert [(e["name"], attributes(e["attributes"])) for e in root["events"]] == [
        ("began", {"n": 1})
    ]
    assert (
        int(root["startTimeUnixNano"])
        <= int(root["events"][0]["timeUnixNano"])
        <= int(root["endTimeUnixNano"])
    )
    assert root.get("status", {}) == {}


def check_children(found, told):
    root = found["root"]
    for name, key in (("child", "child"), ("failing", "failing"), ("renamed", "timed")):
        assert found[name]["parentSpanId"] == root["spanId"] and found[name]["traceId"] == TRACE
        assert found[name]["spanId"] == told["spans"][key]
    child, failing, timed = found["child"], found["failing"], found["renamed"]
    assert child["kind"] == 3 and child["status"] == {"code": 1}
    (link,) = child["links"]
    assert (link["traceId"], link["spanId"]) == (TRACE, root["spanId"]) and attributes(
        link["attributes"]
    ) == {"why": "x"}
    assert (
        failing["status"] == {"code": 2, "message": "RangeError: broken"} and failing["kind"] == 4
    )
    assert failing["events"][0]["name"] == "exception"
    event = attributes(failing["events"][0]["attributes"])
    assert event["exception.type"] == "RangeError" and event["exception.message"] == "broken"
    assert "recorded.js" in event["exception.stacktrace"]
    assert timed["kind"] == 5
    assert (timed["startTimeUnixNano"], timed["endTimeUnixNano"]) == (
        "1700000000000000000",
        "1700000002500000000",
    )


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf", "http/json"])
@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_every_field_arrives_as_it_was_recorded(collector, protocol, compression):
    before = time.time_ns()
    told = record(collector, protocol, OTEL_EXPORTER_OTLP_COMPRESSION=compression)
    after = time.time_ns()
    assert told["shutdown"] is True
    arrived = collector.wait_spans(4)
    assert len(arrived) == 4
    found = {span["name"]: span for _, _, span in arrived}
    assert set(found) == {"root", "child", "failing", "renamed"}
    for resource, scope, _ in arrived:
        check_resource(attributes(resource), told)
        assert (scope["name"], scope["version"]) == ("e2e.scope", "3.2.1")
    assert found["root"]["spanId"] == told["spans"]["root"]
    check_root(found["root"])
    check_children(found, told)
    for name in ("root", "child", "failing"):
        assert (
            before
            <= int(found[name]["startTimeUnixNano"])
            < int(found[name]["endTimeUnixNano"])
            <= after
        ), name


def test_jaeger_shows_the_same_trace(collector_and_jaeger):
    collector, jaeger = collector_and_jaeger
    record(collector, "grpc")
    trace = jaeger.trace(TRACE, 4)
    spans = {s["operationName"]: s for s in trace["spans"]}
    tags = {t["key"]: t["value"] for t in spans["root"]["tags"]}
    assert tags["text"] == "grüße €" and int(tags["big"]) == 2**62 and tags["true"] is True
    assert tags["span.kind"] == "server"
    assert spans["child"]["references"][0]["spanID"] == spans["root"]["spanID"]
    assert {t["key"]: t["value"] for t in spans["failing"]["tags"]}["error"] is True
    process = trace["processes"][spans["root"]["processID"]]
    assert process["serviceName"] == "e2e"
    assert {t["key"]: t["value"] for t in process["tags"]}["telemetry.sdk.language"] == "nodejs"


def test_straight_into_jaeger(jaeger):
    record(jaeger, "grpc")
    assert {s["operationName"] for s in jaeger.trace(TRACE, 4)["spans"]} == {
        "root",
        "child",
        "failing",
        "renamed",
    }


OUTAGE = """
const t = require(process.argv[1]);
const line = () => new Promise((resolve) => process.stdin.once('data', resolve));
(async () => {
  t.init({ enabled: true, sampleRatio: 1, serviceName: 'outage', flushInterval: 0.2 });
  for (let n = 0; n < 50; n++) t.startSpan('before', { n }).end();
  console.log('stop', await t.flush(10000)); await line();
  for (let n = 0; n < 500; n++) t.startSpan('during', { n }).end();
  console.log('start', await t.flush(500)); await line();
  console.log('end', await t.flush(20000));
  process.exit(0);
})();
"""


def test_spans_of_an_outage_arrive_after_the_restart(collector):
    env = {
        **os.environ,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.grpc}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
    }
    entry = str(ROOT / "bindings/node/lib/index.js")
    child = subprocess.Popen(
        [node(), "-e", OUTAGE, entry],
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout.readline().split() == ["stop", "true"]
        collector.stop()
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.readline().split() == ["start", "false"]
        collector.start()
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.readline().split() == ["end", "true"]
        assert child.wait(20) == 0
    finally:
        child.kill()
        child.wait()
    names = [s["name"] for _, _, s in collector.wait_spans(550)]
    assert names.count("before") == 50 and names.count("during") == 500
