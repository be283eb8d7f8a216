"""The core's own transport against a real Collector: thousands of requests in a row, restarts,
ageing."""

import json
import os

import pytest

pytest.importorskip("opentelemetry.proto")
import backends  # noqa: E402
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (  # noqa: E402
    ExportTraceServiceRequest,
)
from send_otlp import Sender  # noqa: E402

pytestmark = pytest.mark.e2e


def write_request(path, spans, as_json=False):
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    attribute = resource.resource.attributes.add()
    attribute.key, attribute.value.string_value = "service.name", "transport"
    scope = resource.scope_spans.add()
    for number in range(spans):
        span = scope.spans.add()
        span.trace_id, span.span_id, span.name = os.urandom(16), os.urandom(8), f"span {number}"
        span.start_time_unix_nano = 1_700_000_000_000_000_000
        span.end_time_unix_nano = span.start_time_unix_nano + number
    if as_json:
        one = json.dumps(
            {
                "traceId": "5b8efff798038103d269b633813fc60c",
                "spanId": "eee19b7ec3c1b174",
                "name": "json",
                "startTimeUnixNano": "1",
                "endTimeUnixNano": "2",
            }
        )
        path.write_text(
            '{"resourceSpans":[{"resource":{},"scopeSpans":[{"scope":{},"spans":['
            + ",".join([one] * spans)
            + "]}]}]}"
        )
    else:
        path.write_bytes(request.SerializeToString())
    return path


def address(collector, protocol):
    return (
        f"http://127.0.0.1:{collector.grpc}"
        if protocol == "grpc"
        else f"http://127.0.0.1:{collector.http}/v1/traces"
    )


@pytest.mark.parametrize("protocol", ["http", "json", "grpc"])
@pytest.mark.parametrize("compress", [0, 1])
def test_every_span_of_thousands_of_requests_arrives(collector, tmp_path, protocol, compress):
    body = write_request(tmp_path / "body", 20, protocol == "json")
    with Sender(address(collector, protocol), protocol, body=body, compress=compress) as sender:
        summary = sender.many(2000)
        print(protocol, "gzip" if compress else "plain", summary["us"], "us a call")
    assert summary["sent"] == 2000, summary
    assert len(collector.wait_spans(40_000, 60)) == 40_000


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_a_restarted_collector_is_found_again(collector, tmp_path, protocol):
    body = write_request(tmp_path / "body", 1)
    with Sender(address(collector, protocol), protocol, body=body) as sender:
        for round_number in range(1, 4):
            assert sender.many(100)["sent"] == 100
            collector.stop()
            assert sender.send()["outcome"] == "retry"
            collector.start()
            assert sender.many(100)["sent"] == 100
            collector.wait_spans(1)
            assert round_number


def test_connections_that_the_collector_ages_out_lose_nothing(tmp_path):
    limits = {"max_connection_age": "100ms", "max_connection_age_grace": "100ms"}
    collector = backends.Collector(tmp_path, receiver={"keepalive": {"server_parameters": limits}})
    try:
        body = write_request(tmp_path / "body", 1)
        with Sender(address(collector, "grpc"), "grpc", body=body) as sender:
            summary = sender.many(5000)
        assert summary["sent"] == 5000, summary
        assert len(collector.wait_spans(5000, 60)) >= 5000
    finally:
        collector.stop()


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_what_the_collector_cannot_read_is_refused(collector, tmp_path, protocol):
    body = tmp_path / "body"
    body.write_bytes(b"\xff" * 100)
    good = write_request(tmp_path / "good", 1)
    with Sender(address(collector, protocol), protocol, body=body) as sender:
        result = sender.send()
        assert result["outcome"] == "rejected" and result["message"], result
    with Sender(address(collector, protocol), protocol, body=good) as sender:
        assert sender.send()["outcome"] == "sent"
    assert len(collector.wait_spans(1)) == 1


def test_the_ports_of_the_two_protocols_confused(collector, tmp_path):
    body = write_request(tmp_path / "body", 1)
    with Sender(
        f"http://127.0.0.1:{collector.http}", "grpc", body=body, timeout_ns=2_000_000_000
    ) as sender:
        result = sender.send()
        assert result["outcome"] in ("retry", "rejected") and result["message"], result
        print(result["message"])
    with Sender(
        f"http://127.0.0.1:{collector.grpc}/v1/traces", "http", body=body, timeout_ns=2_000_000_000
    ) as sender:
        result = sender.send()
        assert result["outcome"] in ("retry", "rejected") and result["message"], result
        print(result["message"])
