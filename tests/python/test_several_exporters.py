"""Several exporters at once: each gets every span, and one that is down holds up no other."""

import json

import djp_telemetry
import pytest
from djp_telemetry import start_span, take_exported, telemetry_status
from fault_server import FaultServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from support import run_program, telemetry

pytest.importorskip("djp_telemetry._native")

PROGRAM = """
import djp_telemetry as d
d.init_telemetry()
for i in range(20):
    d.start_span(f"span {i}").end()
assert d.flush(30)
status = d.telemetry_status()
assert status["settings"]["exporter"]["value"] == "otlp,console", status["settings"]["exporter"]
assert status["books"]["exported"] == status["signals"]["traces.console"]["books"]["exported"] == 20
d.shutdown(5)
"""
NAMES = {f"span {i}" for i in range(20)}


def names_of(bodies):
    return [
        span.name
        for body in bodies
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


@pytest.mark.parametrize("exporters", ["otlp,console", " console , otlp_proto_http "])
def test_a_receiver_and_the_console(tmp_path, exporters):
    with FaultServer("ok") as server:
        done = run_program(
            PROGRAM,
            tmp_path,
            OTEL_TRACES_EXPORTER=exporters,
            OTEL_EXPORTER_OTLP_ENDPOINT=server.url,
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
            DJP_TELEMETRY_CONSOLE_FORMAT="json",
        )
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        sent = names_of(request.body for request in server.requests)
    assert {line["name"] for line in lines} == NAMES and len(lines) == 20
    assert set(sent) == NAMES and len(sent) == 20


def test_a_receiver_that_is_down_holds_up_no_other(tmp_path):
    path = tmp_path / "spans.jsonl"
    with (
        FaultServer("hang") as server,
        telemetry(
            exporter="otlp,file,memory",
            endpoint=server.url,
            protocol="http/protobuf",
            file_path=str(path),
            flush_interval=0.05,
        ),
    ):
        start_span("everywhere").end()
        assert not djp_telemetry.flush(1)  # waits for all of them
        assert [span["name"] for span in take_exported()] == ["everywhere"]
        assert '"everywhere"' in path.read_text()
        signals = telemetry_status()["signals"]
        assert signals["traces"]["books"]["exported"] == 0
        assert signals["traces.file"]["books"]["exported"] == 1
        assert signals["traces.memory"]["transport"] == "memory"


def test_an_address_that_cannot_be_used_leaves_the_others(tmp_path):
    done = run_program(
        """
        import djp_telemetry as d
        d.init_telemetry(exporter="otlp,memory", endpoint="http://h:4317", certificate="/none")
        d.start_span("kept").end()
        d.flush(1)
        print(len(d.take_exported()))
        d.shutdown(0.1)
        """,
        tmp_path,
        OTEL_TRACES_EXPORTER="",
    )
    assert done.stdout.split() == ["1"]
