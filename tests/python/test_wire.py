"""Random batches of the span encoders, decoded with the official OTLP classes.

A C tool writes the same spans as protobuf, as OTLP JSON and as console lines; the three forms must
hold the same data.
"""

import base64
import json
import math
import os
import struct
import subprocess
from datetime import datetime, timezone
from pathlib import Path

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

BATCHES = 150
ROOT = Path(__file__).resolve().parents[2]
TOOL = Path(os.environ.get("DJP_BUILD", ROOT / "build")) / "c" / "tool_dump_spans"
KINDS = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"]
STATUSES = ["UNSET", "OK", "ERROR"]


@pytest.fixture(scope="module")
def dump(tmp_path_factory):
    if not TOOL.exists():
        # Inside `make test` the tool is a prerequisite, so there its absence is a failure.
        (pytest.fail if "DJP_BUILD" in os.environ else pytest.skip)(
            f"{TOOL} was not built: run make tools-c"
        )
    folder = tmp_path_factory.mktemp("wire")
    subprocess.run([str(TOOL), str(folder), str(BATCHES), "1"], check=True, timeout=120)
    return folder


@pytest.fixture(scope="module")
def requests(dump):
    data, at, out = (dump / "spans.bin").read_bytes(), 0, []
    while at < len(data):
        (size,) = struct.unpack_from("<I", data, at)
        out.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    assert len(out) == BATCHES
    return out


def hex_to_base64(value):
    """The JSON mapping of OTLP writes ids as hex where protobuf's own writes base64."""
    if isinstance(value, list):
        for item in value:
            hex_to_base64(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in ("traceId", "spanId", "parentSpanId"):
                value[key] = base64.b64encode(bytes.fromhex(item)).decode()
            else:
                hex_to_base64(item)
    return value


def comparable(message):
    """Serialised form: NaN is equal to itself there."""
    return message.SerializeToString(deterministic=True)


def test_official_classes_read_every_byte(requests):
    spans = 0
    for data in requests:
        request = ExportTraceServiceRequest.FromString(data)
        # Serialising again gives the same bytes: fields in order, nothing unknown, nothing
        # superfluous.
        assert comparable(request) == data
        for resource_spans in request.resource_spans:
            assert {a.key for a in resource_spans.resource.attributes} == {
                "service.name",
                "process.pid",
            }
            for scope_spans in resource_spans.scope_spans:
                spans += len(scope_spans.spans)
                for span in scope_spans.spans:
                    assert len(span.trace_id) == 16
                    assert len(span.span_id) == 8
                    assert span.flags & 0x100
                    keys = [a.key for a in span.attributes]
                    assert len(keys) == len(set(keys))
    assert spans > 5 * BATCHES


def test_json_says_the_same(requests, dump):
    lines = (dump / "spans.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == BATCHES
    for data, line in zip(requests, lines):
        expected = ExportTraceServiceRequest.FromString(data)
        parsed = json_format.ParseDict(hex_to_base64(json.loads(line)), ExportTraceServiceRequest())
        assert comparable(parsed) == comparable(expected)


def test_json_uses_the_otlp_mapping(dump):
    """Forms of which json_format accepts several: numbers for enums, strings for 64-bit
    numbers, camel case."""
    line = (dump / "spans.jsonl").read_text(encoding="utf-8").splitlines()[0]
    for scope_spans in json.loads(line)["resourceSpans"][0]["scopeSpans"]:
        for span in scope_spans["spans"]:
            assert isinstance(span.get("kind", 0), int)
            assert isinstance(span.get("startTimeUnixNano", ""), str)
            assert isinstance(span["flags"], int)
            assert not any("_" in key for key in span)
            for attribute in span.get("attributes", []):
                assert isinstance(attribute["value"].get("intValue", ""), str)


def plain(value):
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [plain(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {item.key: plain(item.value) for item in value.kvlist_value.values}
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    if kind == "double_value" and math.isnan(value.double_value):
        return "NaN"
    if kind == "double_value" and math.isinf(value.double_value):
        return "Infinity" if value.double_value > 0 else "-Infinity"
    return getattr(value, kind)


def plain_attributes(attributes):
    return {attribute.key: plain(attribute.value) for attribute in attributes}


def iso(unix_ns):
    seconds, rest = divmod(unix_ns, 10**9)
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest // 1000:06d}Z"


def test_console_says_the_same(requests, dump):
    lines = [
        json.loads(line)
        for line in (dump / "console.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    by_id = {line["span_id"]: line for line in lines}
    seen = 0
    for data in requests:
        for scope_spans in ExportTraceServiceRequest.FromString(data).resource_spans[0].scope_spans:
            for span in scope_spans.spans:
                line = by_id[span.span_id.hex()]
                seen += 1
                assert line["name"] == span.name
                assert line["trace_id"] == span.trace_id.hex()
                assert line["parent_id"] == (span.parent_span_id.hex() or None)
                assert line.get("trace_state", "") == span.trace_state
                assert line["kind"] == KINDS[span.kind]
                assert line["start"] == iso(span.start_time_unix_nano)
                assert line["end"] == iso(span.end_time_unix_nano)
                assert line["duration_ms"] == pytest.approx(
                    max(0, span.end_time_unix_nano - span.start_time_unix_nano) // 1000 / 1000
                )
                assert line["status"]["code"] == STATUSES[span.status.code]
                assert line["status"].get("message", "") == span.status.message
                assert line["attributes"] == plain_attributes(span.attributes)
                assert [(e["name"], e["time"], e["attributes"]) for e in line["events"]] == [
                    (e.name, iso(e.time_unix_nano), plain_attributes(e.attributes))
                    for e in span.events
                ]
                assert [
                    (link["trace_id"], link["span_id"], link["attributes"])
                    for link in line["links"]
                ] == [
                    (link.trace_id.hex(), link.span_id.hex(), plain_attributes(link.attributes))
                    for link in span.links
                ]
                assert line["scope"]["name"] == scope_spans.scope.name
                assert line["resource"] == {"service.name": "wire-test", "process.pid": 4711}
    assert seen == len(lines)
