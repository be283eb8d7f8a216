"""Collectors that refuse, hang, lie or come back, with the real package: memory stays limited,
every span is counted, flush and shutdown keep their deadlines and return the truth, and the
application is not affected."""

import contextlib
import socket
import threading
import time

import djp_telemetry
import pytest
from djp_telemetry import start_span
from fault_books import dropped, missing, received, waiting
from fault_server import FaultServer

pytest.importorskip("djp_telemetry._native")

RING = 256 << 10
SLACK = 2.0  # seconds that a busy machine may add to a deadline


@contextlib.contextmanager
def exporting(server_or_url, **options):
    """Telemetry to a collector inside `with`; remaining spans are discarded at the end."""
    url = server_or_url if isinstance(server_or_url, str) else server_or_url.url
    djp_telemetry.shutdown(0)
    settings = {
        "enabled": True,
        "backend": "otel",
        "exporter": "otlp",
        "endpoint": url,
        "protocol": "http/protobuf",
        "sample_ratio": 1.0,
        "ring_bytes": RING,
        "flush_interval": 0.05,
        "export_timeout": 1,
        "log_level": "none",
    }
    djp_telemetry.init_telemetry(**{**settings, **options})
    try:
        yield
    finally:
        djp_telemetry.shutdown(0)


def record(count, text="x" * 200):
    for number in range(count):
        with start_span("work", {"n": number, "text": text}):
            pass


def books_balance(status):
    books = dict(status["books"])
    return books.pop("started") == sum(books.values())


def steady_status():
    """A status with consistent counts. Its parts are not read at one moment, so a batch may be
    between two of them."""
    deadline = time.monotonic() + 5
    while True:
        status = djp_telemetry.telemetry_status()
        assert books_balance(status), status["books"]
        if missing(status) == 0 or time.monotonic() > deadline:
            return status


def assert_bounded(status):
    assert status["ring"]["used_bytes"] <= status["ring"]["capacity_bytes"] == RING
    assert status["queue"]["bytes"] <= 2 * RING, status["queue"]


def timed(function, *args):
    begin = time.monotonic()
    return function(*args), time.monotonic() - begin


class Flushes:
    """flush() and shutdown() with their results compared with the counts."""

    def __init__(self):
        self.told = 0  # losses that an earlier call has reported
        self.excused = 0  # spans that an earlier call stopped waiting for: their loss was reported

    def _judge(self, answer, seconds, limit, status):
        lost = dropped(status)
        if answer:
            assert waiting(status) == 0 and lost <= self.told + self.excused, status
        else:
            assert seconds >= limit or lost > self.told, status
        assert seconds < limit + SLACK
        assert missing(status) == 0, status
        self.excused, self.told = (
            status["spans"]["started"] - status["spans"]["exported"] - lost,
            lost,
        )
        return answer

    def flush(self, limit):
        answer, seconds = timed(djp_telemetry.flush, limit)
        return self._judge(answer, seconds, limit, steady_status())

    def shutdown(self, limit):
        answer, seconds = timed(djp_telemetry.shutdown, limit)
        status = djp_telemetry.telemetry_status()
        if status["worker"]["running"]:
            # On a starved machine the worker is not done by the deadline; it is left behind and its
            # counts are not final.
            assert not answer and limit <= seconds < limit + SLACK
            return answer
        left = status["queue"]["spans"], status["queue"]["batch_spans"], status["spans"]["live"]
        assert left == (0, 0, 0) and status["ring"]["used_bytes"] == 0
        assert books_balance(status) and status["books"]["waiting"] == 0, status["books"]
        return self._judge(answer, seconds, limit, status)


FAULTS = [
    "ok",
    "ok_then_close",
    "partial",
    "warning",
    "bad_protobuf",
    "web_page",
    "400",
    "401_echo",
    "404",
    "413",
    "302",
    "429",
    "503",
    "503_date",
    "503_bad_date",
    "hang",
    "close",
    "reset",
    "reset_in_answer",
    "cut_answer",
    "garbage",
    "drip",
    "endless_headers",
    "endless_interim",
    "huge",
    "bomb",
]


@contextlib.contextmanager
def unreachable(kind):
    """The URL of a port where no process listens, or where none accepts."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        if kind == "full":
            listener.listen(0)
            for _ in range(3):  # they fill the backlog; further ones get no response at all
                client = stack.enter_context(socket.socket())
                client.setblocking(False)
                client.connect_ex(("127.0.0.1", port))
        yield f"http://127.0.0.1:{port}"


def record_far_too_much():
    for _ in range(20):
        record(250)
        assert_bounded(djp_telemetry.telemetry_status())


@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json", "grpc"])
@pytest.mark.parametrize("fault", FAULTS)
def test_every_span_is_accounted_for(fault, protocol):
    """A gRPC client receives these faults as bytes that are not HTTP/2."""
    with FaultServer(fault) as server, exporting(server, protocol=protocol, export_timeout=0.4):
        calls = Flushes()
        record_far_too_much()
        calls.flush(0.3)
        record(10)
        calls.flush(0)
        record(500)
        calls.shutdown(0.3)


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
@pytest.mark.parametrize("kind", ["refusing", "full"])
def test_nobody_answers(kind, protocol):
    with unreachable(kind) as url, exporting(url, protocol=protocol, export_timeout=0.4):
        calls = Flushes()
        record_far_too_much()
        assert not calls.flush(0.3)
        record(10)
        assert not calls.shutdown(0.3)


GRPC_FAULTS = [
    ["ok"],
    ["partial"],
    ["warning"],
    ["bad_message"],
    ["hang"],
    [(14, "away")],
    [(8, "busy")],
    [(8, "busy", 0.1)],
    [(4, "late")],
    [(3, "bad")],
    [(16, "who are you")],
    [(14, "away"), "ok", (8, "busy", 0.1), "partial", "hang", "ok"],
]


@pytest.mark.parametrize("script", GRPC_FAULTS, ids=str)
def test_every_span_is_accounted_for_over_grpc(script):
    grpc_fault_server = pytest.importorskip("grpc_fault_server")
    with grpc_fault_server.GrpcFaultServer(*script) as server:
        with exporting(server, protocol="grpc", export_timeout=0.4):
            calls = Flushes()
            record_far_too_much()
            calls.flush(0.3)
            record(500)
            calls.shutdown(0.3)


def test_a_healthy_collector_gets_everything_once():
    with FaultServer("ok") as server, exporting(server, ring_bytes=8 << 20):
        record(5000, "x")
        assert djp_telemetry.flush(20)
        assert djp_telemetry.shutdown(5)
        spans = received(request.body for request in server.requests)
    assert len(spans) == len({span.span_id for span in spans}) == 5000
    status = djp_telemetry.telemetry_status()
    assert status["spans"]["exported"] == 5000 and dropped(status) == 0


def test_spans_that_the_program_keeps_are_counted_once():
    with FaultServer("ok") as server, exporting(server, sample_ratio=0.5):
        kept = [start_span("kept") for _ in range(100)]
        for span in kept[:60]:
            span.end()
        with start_span("root"):
            start_span("undecided").end()
            assert djp_telemetry.flush(10)
            status = djp_telemetry.telemetry_status()
            assert status["spans"]["live"] == 42 and missing(status) == 0, status
        del kept[90:]
        djp_telemetry.shutdown(5)
        status = djp_telemetry.telemetry_status()
        assert status["dropped"]["never_ended"] == 10 and missing(status) == 0, status


def test_passing_faults_lose_nothing():
    """Retryable failures are retried until they succeed, at the pace of the receiver."""
    script = ["503", "429_fast", "reset", "close", "cut_answer", "503_bad_date", "garbage", "ok"]
    with FaultServer(*script) as server, exporting(server, export_timeout=60):
        record(300, "x")
        deadline = time.monotonic() + 60
        while (
            djp_telemetry.telemetry_status()["spans"]["exported"] < 300
            and time.monotonic() < deadline
        ):
            djp_telemetry.flush(1)
        assert djp_telemetry.flush(10)
        status = djp_telemetry.telemetry_status()
    assert status["spans"]["exported"] == 300 and dropped(status) == 0, status
    assert len(server.requests) >= len(script)


def test_retry_after_is_obeyed():
    with FaultServer("429_fast", "ok") as server, exporting(server, export_timeout=20):
        begin = time.monotonic()
        record(10)
        while djp_telemetry.telemetry_status()["spans"]["exported"] < 10:
            time.sleep(0.02)
            assert time.monotonic() < begin + 30
        assert time.monotonic() - begin >= 0.95 and len(server.requests) == 2


def test_a_collector_that_accepts_a_part():
    with FaultServer("partial") as server, exporting(server, flush_interval=30):
        record(100, "x")
        assert not djp_telemetry.flush(10)
        status = djp_telemetry.telemetry_status()
        assert (
            len(server.requests),
            status["spans"]["exported"],
            status["dropped"]["rejected"],
        ) == (1, 95, 5)
        assert (
            "half of them" in status["export"]["last_error"]
            or "half of them" in status["last_error"]
        ), status
        assert djp_telemetry.flush(1), "a loss is told once"


def test_a_collector_that_comes_late():
    with FaultServer("ok") as server:
        port = server.port
    with exporting(f"http://127.0.0.1:{port}", export_timeout=60):
        record(50, "x")
        assert not djp_telemetry.flush(0.3)
        with FaultServer("ok", port=port) as server:
            assert djp_telemetry.flush(30)
            record(50, "x")
            assert djp_telemetry.shutdown(10)
            assert len(received(request.body for request in server.requests)) == 100


def test_faults_that_come_and_go():
    """Threads record while the collector changes its behaviour; the counts stay consistent."""
    script = [
        "ok",
        "503",
        "hang",
        "ok",
        "reset",
        "partial",
        "garbage",
        "ok",
        "429_fast",
        "400",
        "ok",
        "close",
    ] * 3
    stop = threading.Event()

    def work():
        while not stop.is_set():
            record(20)
            stop.wait(0.005)

    with FaultServer(*script, "ok") as server, exporting(server, export_timeout=0.3):
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(25):
            assert_bounded(djp_telemetry.telemetry_status())
            djp_telemetry.flush(0.1)
        stop.set()
        for thread in threads:
            thread.join()
        calls = Flushes()
        djp_telemetry.flush(5)
        calls.told = dropped(djp_telemetry.telemetry_status())
        calls.shutdown(2)
    assert djp_telemetry.telemetry_status()["spans"]["exported"] > 0
