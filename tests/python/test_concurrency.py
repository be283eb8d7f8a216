"""Several concurrent exports: a slow receiver does not limit a service to one batch at a time."""

from __future__ import annotations

import collections
import contextlib
import http.server
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import djp_telemetry
import pytest
from djp_telemetry import start_span
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from support import clean_environment

pytest.importorskip("djp_telemetry._native")

PAUSE = 0.2
BATCH = 512
DEADLINE = 120


class ThinkingReceiver:
    """Responds to each request after a delay, any number at once; stores the bodies and the largest
    number of concurrent requests."""

    def __init__(self, pause=PAUSE, answers=(), server=http.server.ThreadingHTTPServer):
        self.pause, self.answers = pause, list(answers)
        self.bodies, self.connections, self.inside, self.most = [], 0, 0, 0
        self.begun, self.ended = [], []
        self.lock = threading.Lock()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                receiver.connections += 1

            def do_POST(self):
                receiver.take(self, self.rfile.read(int(self.headers["Content-Length"])))

            def log_message(self, *_):
                pass

        self.server = server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/traces"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, handler, body):
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
            self.begun.append(time.monotonic())
            status = self.answers.pop(0) if self.answers else 200
        time.sleep(self.pause)
        with self.lock:
            self.inside -= 1
            self.ended.append(time.monotonic())
            if status == 200:
                self.bodies.append(body)
        handler.send_response(status)
        if status != 200:
            handler.send_header("Retry-After", "1")
        handler.send_header("Content-Type", "application/x-protobuf")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


@contextlib.contextmanager
def exporting(url, protocol, **options):
    djp_telemetry.shutdown(0)
    settings = {
        "enabled": True,
        "backend": "otel",
        "exporter": "otlp",
        "endpoint": url,
        "protocol": protocol,
        "sample_ratio": 1.0,
        "ring_bytes": 16 << 20,
        "compression": "none",
        "log_level": "none",
    }
    djp_telemetry.init_telemetry(**{**settings, **options})
    try:
        yield
    finally:
        djp_telemetry.shutdown(0)


def record(count):
    for number in range(count):
        with start_span("work", {"n": number}):
            pass


def numbers(bodies):
    """How often each recorded number arrived."""
    found = collections.Counter()
    for body in bodies:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    found.update(
                        item.value.int_value for item in span.attributes if item.key == "n"
                    )
    return found


def books():
    books = dict(djp_telemetry.telemetry_status()["books"])
    assert books.pop("started") == sum(books.values())
    return books


def seconds_to_send(url, protocol, count, concurrency):
    with exporting(url, protocol, export_concurrency=concurrency):
        began = time.monotonic()
        record(count)
        assert djp_telemetry.flush(DEADLINE)
        took = time.monotonic() - began
        assert books()["exported"] == count
        return took


def once_each(count):
    return {number: 1 for number in range(count)}


def test_http_four_at_once_need_less_than_half_the_time():
    count, took, most = 20_000, {}, {}
    for concurrency in (1, 4):
        with ThinkingReceiver() as receiver:
            took[concurrency] = seconds_to_send(receiver.url, "http/protobuf", count, concurrency)
            most[concurrency] = receiver.most
            assert numbers(receiver.bodies) == once_each(count)
            assert receiver.connections <= concurrency
    assert most == {1: 1, 4: 4}
    assert took[4] < took[1] / 2, took


def test_grpc_four_at_once_need_less_than_half_the_time():
    pytest.importorskip("grpc")
    from grpc_fault_server import GrpcFaultServer

    count, took, peers = 20_000, {}, {}
    for concurrency in (1, 4):
        with GrpcFaultServer("ok", pause=PAUSE, workers=8) as receiver:
            took[concurrency] = seconds_to_send(receiver.url, "grpc", count, concurrency)
            peers[concurrency] = len({call.peer for call in receiver.calls})
            assert numbers(call.body for call in receiver.calls) == once_each(count)
    assert took[4] < took[1] / 2, took
    assert peers[1] == 1 and peers[4] <= 4, peers


ANSWER = ["headers", "message", "ok"]


@pytest.mark.parametrize(
    "ending",
    [
        [*ANSWER, "goaway", "close"],
        ["goaway", "wait", *ANSWER, "close"],
        ["goaway_before", "close"],
        ["reset"],
        [*ANSWER, "wait", "close"],
    ],
    ids=[
        "with the answer",
        "before the answer",
        "not looked at",
        "stream refused",
        "without a word",
    ],
)
def test_a_connection_that_ends_takes_no_other_request_with_it(ending):
    """Every third call ends its connection, while three others are on theirs."""
    from h2_fault_server import H2FaultServer

    script = [["wait", *ANSWER], ["wait", "wait", *ANSWER], ending] * 14
    with H2FaultServer(ANSWER, *script, ["wait", *ANSWER]) as receiver:
        with exporting(
            receiver.url, "grpc", export_concurrency=4, max_batch_spans=100, flush_interval=0.05
        ):
            record(100)
            assert djp_telemetry.flush(DEADLINE)
            record(3_900)
            assert djp_telemetry.flush(DEADLINE)
            assert books()["exported"] == 4_000
        # After the five bytes of a gRPC message's prefix; a slow machine makes more requests of the
        # same spans.
        assert sum(numbers(body[5:] for body in receiver.accepted).values()) == 4_000
        assert len(receiver.accepted) >= 40


def test_a_trickle_keeps_one_connection():
    with ThinkingReceiver(pause=0.01) as receiver:
        with exporting(receiver.url, "http/protobuf", flush_interval=0.2):
            for number in range(5):
                with start_span("work", {"n": number}):
                    pass
                time.sleep(0.3)
            assert djp_telemetry.flush(DEADLINE)
        assert numbers(receiver.bodies) == once_each(5)
        assert (receiver.connections, receiver.most) == (1, 1)


def test_a_receiver_that_asks_for_patience_is_asked_by_one_request():
    with ThinkingReceiver(answers=[503] * 4) as receiver:
        with exporting(receiver.url, "http/protobuf"):
            record(8 * BATCH)
            assert djp_telemetry.flush(DEADLINE)
            assert books()["exported"] == 8 * BATCH
        assert numbers(receiver.bodies) == once_each(8 * BATCH)
        # The first four failed. The fifth came when their pause was over, and the others after its
        # response.
        first_answer = receiver.ended[4]
        assert receiver.begun[4] - receiver.begun[0] >= 1
        assert all(begun >= first_answer for begun in receiver.begun[5:])


def test_a_receiver_that_serves_one_connection_loses_nothing():
    """It serves its first connection for ever and accepts others without reading them."""
    with ThinkingReceiver(pause=0, server=http.server.HTTPServer) as receiver:
        with exporting(receiver.url, "http/protobuf", export_timeout=1):
            record(40 * BATCH)
            assert djp_telemetry.flush(DEADLINE)
            assert books()["exported"] == 40 * BATCH
            assert djp_telemetry.telemetry_status()["export"]["retries"] > 0
        assert set(numbers(receiver.bodies)) == set(range(40 * BATCH))


PROGRAM = """
import os, signal, sys, time
import djp_telemetry
from djp_telemetry import start_span

def record(first, count):
    for number in range(first, first + count):
        with start_span("work", {"n": number}):
            pass

djp_telemetry.init_telemetry(service_name="ends", backend="otel")
record(0, 4096)
print("recorded", flush=True)
if sys.argv[1] == "fork":
    time.sleep(0.1)
    child = os.fork()
    if child == 0:
        record(10000, 1000)
        sys.exit(0)
    _, status = os.waitpid(child, 0)
    assert status == 0, status
if sys.argv[1] == "sigterm":
    time.sleep(60)
"""


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
@pytest.mark.parametrize("end", ["exit", "sigterm", "fork"])
def test_the_end_sends_what_waits(end, protocol, tmp_path):
    if protocol == "grpc":
        pytest.importorskip("grpc")
        from grpc_fault_server import GrpcFaultServer

        receiver = GrpcFaultServer("ok", pause=PAUSE, workers=8)
    else:
        receiver = ThinkingReceiver()
    (tmp_path / "program.py").write_text(textwrap.dedent(PROGRAM))
    settings = {
        "TELEMETRY_ENABLED": "true",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_TRACE_SAMPLE": "1.0",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": receiver.url,
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
        "DJP_TELEMETRY_SHUTDOWN_TIMEOUT": "60",
        "DJP_TELEMETRY_FLUSH_INTERVAL": "0.05",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    with receiver:
        program = subprocess.Popen(
            [sys.executable, str(tmp_path / "program.py"), end],
            env=clean_environment(**settings),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert program.stdout.readline() == "recorded\n"
            if end == "sigterm":
                program.send_signal(signal.SIGTERM)
            program.wait(DEADLINE)
        finally:
            program.kill()
            program.wait()
            program.stdout.close()
        assert program.returncode == (-signal.SIGTERM if end == "sigterm" else 0)
        bodies = receiver.bodies if protocol != "grpc" else [call.body for call in receiver.calls]
        child = {number: 1 for number in range(10_000, 11_000)} if end == "fork" else {}
        assert numbers(bodies) == {**once_each(4096), **child}
