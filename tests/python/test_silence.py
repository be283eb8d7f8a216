"""A configuration that exports nothing opens no connection and no socket, whatever happens: errors,
slow traces, rules, sampled callers, forks, flushes, shutdown. The receiver counts connections; with
any other ratio the same program connects."""

import json
import socket
import subprocess
import sys
import textwrap
import threading

import pytest
from support import clean_environment

PROGRAM = """
    import asyncio, json, os, sys, threading
    import djp_telemetry as d
    from djp_telemetry.asgi import TelemetryMiddleware
    from djp_telemetry.metrics import Counter, generate_metrics_text

    async def application(scope, receive, send):
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def request():
        async def send(message):
            pass
        scope = {"type": "http", "method": "GET", "path": "/", "scheme": "http",
                 "http_version": "1.1", "query_string": b"",
                 "headers": [(b"traceparent", SAMPLED.encode())]}
        await TelemetryMiddleware(application)(scope, None, send)

    SAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    LIMIT = float(os.environ["LIMIT"])  # seconds of a flush
    NO_IDS = os.environ.get("OTEL_TRACES_EXPORTER") == "none"
    jobs = Counter("jobs", "Jobs")

    def work(name):
        jobs.inc()
        for parent in (None, d.extract({"traceparent": SAMPLED, "tracestate": "ot=th:0"})):
            root = d.start_span(name, {"tier": "gold"}, parent=parent, start_time=1_000_000_000)
            with d.use_span(root):
                assert NO_IDS or len(d.get_current_trace_id()) == 32
                try:
                    with d.start_span("failing"):
                        raise ValueError(name)
                except ValueError:
                    pass
                late = d.start_span("late")
            root.end(61_000_000_000)
            late.end()
        asyncio.run(request())

    def everything(name):
        work(name)
        thread = threading.Thread(target=work, args=("thread",))
        thread.start()
        thread.join()
        d.flush(LIMIT)
        for switch in (d.set_enabled, d.set_sample_ratio):
            switch(False)
            switch(True)
        work("switched")
        d.flush(LIMIT)

    d.init_telemetry()
    everything("parent")
    child = os.fork()
    if child == 0:
        everything("child")
        sys.exit(0)
    assert os.waitpid(child, 0)[1] == 0
    everything("after the fork")
    assert b"jobs_total 9" in generate_metrics_text().encode()  # those of the child, too
    paths = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
    sockets = sum(os.readlink(path).startswith("socket:") for path in paths if os.path.islink(path))
    exported = d.telemetry_status()["spans"]["exported"]
    print(json.dumps({"exported": exported, "sockets": sockets, "shutdown": d.shutdown(LIMIT)}))
    d.init_telemetry()
    work("again")
"""

NOTHING = {
    "a ratio of 0": {"OTEL_TRACE_SAMPLE": "0.0"},
    "a ratio of 0 by the sampler": {
        "OTEL_TRACES_SAMPLER": "traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0",
    },
    "a ratio of 0 and a target": {
        "OTEL_TRACE_SAMPLE": "0",
        "DJP_TELEMETRY_TARGET_SPANS_PER_SECOND": "1000",
    },
    "a canary of 0": {"OTEL_TRACE_SAMPLE": "1.0", "DJP_TELEMETRY_CANARY_RATIO": "0"},
    "always_off": {"OTEL_TRACES_SAMPLER": "always_off"},
    "no exporter": {"OTEL_TRACES_EXPORTER": "none", "OTEL_TRACE_SAMPLE": "1.0"},
    "no exporter and a sampling server": {
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_TRACES_SAMPLER": "jaeger_remote",
    },
}
SOMETHING = {"any other ratio": {"OTEL_TRACE_SAMPLE": "0.000000001"}}


class Listener:
    """Accepts every connection, counts it and its bytes, and ends it."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.connections = self.bytes = 0
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        while True:
            connection, _ = self.socket.accept()
            with connection:
                connection.settimeout(5)
                data = connection.recv(65536)
                if data == b"stop":
                    return
                self.connections += 1
                self.bytes += len(data)

    def stop(self):
        """Earlier connections have been counted when this returns."""
        with socket.create_connection(("127.0.0.1", self.port)) as last:
            last.sendall(b"stop")
        self.thread.join()
        self.socket.close()


def run(folder, protocol, **settings):
    listener = Listener()
    (folder / "program.py").write_text(textwrap.dedent(PROGRAM))
    base = {
        "TELEMETRY_ENABLED": "true",
        "TELEMETRY_BACKEND": "hybrid",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{listener.port}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1000",
        "OTEL_BSP_SCHEDULE_DELAY": "20",
        "DJP_TELEMETRY_TAIL_SAMPLING_RULES": "attribute tier=gold; name failing; "
        "route /* > 1ms; slowest 50%; rare 1s",
        "DJP_TELEMETRY_LOG_LEVEL": "none",
        "PYTHONPATH": ":".join(path for path in sys.path if path),
        "LIMIT": "60",
    }
    base["DJP_TELEMETRY_REMOTE_SAMPLING_ENDPOINT"] = base["OTEL_EXPORTER_OTLP_ENDPOINT"]
    try:
        done = subprocess.run(
            [sys.executable, str(folder / "program.py")],
            env=clean_environment(**{**base, **settings}),
            capture_output=True,
            text=True,
            timeout=300,
        )
    finally:
        listener.stop()
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), listener


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
@pytest.mark.parametrize("how", NOTHING)
def test_not_one_byte_leaves_the_process(tmp_path, how, protocol):
    told, listener = run(tmp_path, protocol, **NOTHING[how])
    assert (listener.connections, listener.bytes) == (0, 0)
    assert told == {"exported": 0, "sockets": 0, "shutdown": True}


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
@pytest.mark.parametrize("how", SOMETHING)
def test_the_same_program_does_connect(tmp_path, how, protocol):
    # no request is answered, so each flush takes its whole time
    _, listener = run(tmp_path, protocol, LIMIT="1", **SOMETHING[how])
    assert listener.connections >= 2 and listener.bytes > 0, "parent and child"
