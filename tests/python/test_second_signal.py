"""A second signal of the core, next to traces, at local receivers: it has separate paths, methods,
headers and responses."""

import gzip
import json
import os
import pathlib
import subprocess

import pytest
from fault_server import FaultServer
from grpc_fault_server import METHOD, METHODS, GrpcFaultServer

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("DJP_BUILD", ROOT / "build"))
LOGS = METHODS[1]


def run(protocol: str, spans: str, events: str, seconds: int = 60) -> dict:
    path = BUILD / "c" / "tool_two_signals"
    if not path.exists():
        if "DJP_BUILD" in os.environ:
            pytest.fail(f"{path} was not built: run make tools-c")
        pytest.skip(f"{path} was not built: run make tools-c")
    clean = {
        name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")
    }
    done = subprocess.run(
        [path, protocol, spans, events, str(seconds)],
        env=clean,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_http_has_a_path_and_headers_for_each_signal():
    with FaultServer() as server:
        result = run("http", server.url, server.url.replace("/v1/traces", "/v1/logs"))
    assert result["flush"] == 0
    assert (result["spans"]["exported"], result["events"]["exported"]) == (30, 100)
    assert {request.path for request in server.requests} == {"/v1/traces", "/v1/logs"}
    logs = [request for request in server.requests if request.path == "/v1/logs"]
    assert all(request.headers["content-encoding"] == "gzip" for request in logs)
    assert (
        sum(gzip.decompress(request.body).count(b"something happened") for request in logs) == 100
    )
    assert all(request.headers["x-signal"] == "events" for request in logs)
    spans = [request for request in server.requests if request.path == "/v1/traces"]
    assert not any(
        "x-signal" in request.headers or "content-encoding" in request.headers for request in spans
    )


def test_grpc_has_a_method_for_each_signal():
    with GrpcFaultServer() as server:
        result = run("grpc", server.url, server.url)
    assert result["flush"] == 0
    assert {call.method for call in server.calls} == {METHOD, LOGS}
    assert (
        sum(call.body.count(b"something happened") for call in server.calls if call.method == LOGS)
        == 100
    )
    assert (result["spans"]["exported"], result["events"]["exported"]) == (30, 100)
    assert result["spans"]["transport"] == result["events"]["transport"] == "otlp_grpc"


@pytest.mark.parametrize("behaviour", ["503", "429_fast"])
def test_a_receiver_that_is_busy_gets_events_again(behaviour):
    with FaultServer() as spans, FaultServer(behaviour, "ok") as events:
        result = run("http", spans.url, events.url.replace("/v1/traces", "/v1/logs"))
    assert result["flush"] == 0
    assert result["events"] == {
        "exported": 100,
        "rejected": 0,
        "retries": 1,
        "transport": "otlp_http",
    }
    assert result["spans"]["retries"] == 0


def test_a_partial_success_is_read_by_the_decoder_of_the_signal():
    with FaultServer() as spans, FaultServer("partial") as events:
        result = run("http", spans.url, events.url)
    assert (result["events"]["exported"], result["events"]["rejected"]) == (95, 5)
    assert result["spans"] == {
        "exported": 30,
        "rejected": 0,
        "retries": 0,
        "transport": "otlp_http",
    }
    assert result["flush"] != 0
    with FaultServer() as spans, FaultServer("partial_logs_json") as events:
        result = run("json", spans.url, events.url)
    assert (result["events"]["exported"], result["events"]["rejected"]) == (93, 7)
    with FaultServer("partial_logs_json") as spans, FaultServer("partial_json") as events:
        result = run("json", spans.url, events.url)
    # the count has another signal's name
    assert result["events"]["rejected"] == result["spans"]["rejected"] == 0
    with GrpcFaultServer() as spans, GrpcFaultServer("partial") as events:
        result = run("grpc", spans.url, events.url)
    assert (result["events"]["exported"], result["events"]["rejected"]) == (91, 9)


def test_one_receiver_is_gone():
    with FaultServer() as spans:
        result = run("http", spans.url, "http://127.0.0.1:9/v1/logs", 5)
    assert result["spans"]["exported"] == 30
    assert result["events"]["exported"] == 0
    assert result["flush"] != 0
