"""The environment of a process: programs that close descriptors they did not open, libraries that
fill the stacks of threads, streams without a reader, forks and signals."""

import contextlib
import http.server
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from support import clean_environment


@contextlib.contextmanager
def receiver():
    """An OTLP receiver: its address, and the names of the received spans."""
    names = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            request = ExportTraceServiceRequest.FromString(body)
            names.extend(
                s.name
                for r in request.resource_spans
                for scope in r.scope_spans
                for s in scope.spans
            )
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", names
    finally:
        server.shutdown()
        server.server_close()


def environment(**extra):
    path = os.pathsep.join(path for path in sys.path if path)
    fixed = {
        "TELEMETRY_ENABLED": "true",
        "TELEMETRY_BACKEND": "otel",
        "OTEL_TRACE_SAMPLE": "1",
        "PYTHONPATH": path,
    }
    return clean_environment(**fixed, **extra)


def run(source, timeout=60, command=(sys.executable, "-c"), **extra):
    return subprocess.run(
        [*command, source],
        env=environment(**extra),
        capture_output=True,
        text=True,
        timeout=timeout,
    )


CLOSES_ALL = """
import os, sys, tempfile, time
import djp_telemetry as telemetry

telemetry.init_telemetry(log_level="none", protocol="http/protobuf")
telemetry.start_span("before").end()
telemetry.flush(5)
if sys.argv[1] == "child":
    pid = os.fork()
    if pid:
        os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
os.closerange(3, 4096)
files = [tempfile.NamedTemporaryFile("wb+", buffering=0) for _ in range(16)]
for _ in range(2000):
    telemetry.start_span("after").end()
flushed = telemetry.flush(5)
telemetry.shutdown(2)
for file in files:
    assert os.readlink(f"/proc/self/fd/{file.fileno()}") == file.name
    assert os.fstat(file.fileno()).st_size == 0, "written to"
os._exit(0 if flushed else 3)
"""


@pytest.mark.parametrize("who", ["same", "child"])
@pytest.mark.parametrize("exporter", ["otlp", "file", "console", "memory"])
def test_a_program_that_closes_what_it_did_not_open_keeps_its_files(tmp_path, exporter, who):
    with receiver() as (url, names):
        command = (sys.executable, "-c", CLOSES_ALL)
        spans = tmp_path / "spans"
        done = run(
            who,
            command=command,
            OTEL_TRACES_EXPORTER=exporter,
            OTEL_EXPORTER_OTLP_ENDPOINT=url,
            DJP_TELEMETRY_FILE_PATH=str(spans),
        )
        assert done.returncode == 0, done.stderr
        written = {"file": lambda: spans.read_text(), "console": lambda: done.stdout}
        if exporter in written:
            assert written[exporter]().count('"name":"after"') == 2000
        elif exporter == "otlp":
            assert names.count("after") == 2000


REFUSED = """
import ctypes, struct
# A sandbox that answers EPERM to close_range and unshare, as containers with an old profile do.
steps = [(0x20, 0, 0, 0), (0x15, 1, 0, 436), (0x15, 0, 1, 272), (0x06, 0, 0, 0x00050001),
         (0x06, 0, 0, 0x7FFF0000)]
program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
class Filter(ctypes.Structure):
    _fields_ = [("size", ctypes.c_ushort), ("steps", ctypes.c_void_p)]
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(Filter(len(steps), ctypes.addressof(program)))) == 0
"""


@pytest.mark.skipif(
    os.uname().machine != "x86_64", reason="the numbers of the calls are those of x86-64"
)
@pytest.mark.parametrize("who", ["same", "child"])
@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_the_same_where_a_sandbox_refuses_descriptors_of_our_own(who, protocol):
    closes = CLOSES_ALL.replace("http/protobuf", protocol)
    with receiver() as (url, names):
        command = (sys.executable, "-c", REFUSED + closes)
        done = run(
            who, command=command, OTEL_TRACES_EXPORTER="otlp", OTEL_EXPORTER_OTLP_ENDPOINT=url
        )
        if protocol == "grpc":  # this receiver does not support it: only the files count
            assert done.returncode in (0, 3), done.stderr
        else:
            assert done.returncode == 0, done.stderr
            assert names.count("after") == 2000


def test_a_metrics_port_outlives_a_program_that_closes_everything():
    source = """
import os, socket, tempfile, urllib.request
import djp_telemetry as telemetry
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
telemetry.init_telemetry(backend="prom", prometheus_port=port)
def scrape():
    return urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20).read()
assert b"process_open_fds" in scrape()
os.closerange(3, 4096)
files = [tempfile.TemporaryFile("wb+", buffering=0) for _ in range(16)]
assert b"process_open_fds" in scrape()
pid = os.fork()
if pid == 0:
    os.closerange(3, 4096)
    mine = [tempfile.TemporaryFile("wb+", buffering=0) for _ in range(16)]
    telemetry.shutdown(1)
    os._exit(any(os.fstat(file.fileno()).st_size for file in mine))
assert os.waitpid(pid, 0)[1] == 0
assert b"process_open_fds" in scrape()
telemetry.shutdown(2)
assert not any(os.fstat(file.fileno()).st_size for file in files)
os._exit(0)
"""
    done = run(source)
    assert done.returncode == 0, done.stderr


def test_connections_are_no_descriptors_of_the_process():
    """Neither a child nor a program that it executes inherits them."""
    source = """
import os
import djp_telemetry as telemetry
def listed():
    names = [os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]
    return sorted(os.readlink(name) for name in names if os.path.islink(name))
before = listed()
telemetry.init_telemetry(protocol="http/protobuf")
telemetry.start_span("one").end()
assert telemetry.flush(10)
def real(names):
    return [name for name in names if "/proc/" not in name]

assert real(listed()) == real(before)
"""
    with receiver() as (url, names):
        done = run(source, OTEL_TRACES_EXPORTER="otlp", OTEL_EXPORTER_OTLP_ENDPOINT=url)
        assert (done.returncode, names) == (0, ["one"]), done.stderr


def test_a_pipe_that_the_program_closes_ends_for_its_reader():
    """The export thread keeps no copy of the program's descriptors."""
    source = """
import os
import djp_telemetry as telemetry
reader, writer = os.pipe()
telemetry.init_telemetry(protocol="http/protobuf")
telemetry.start_span("one").end()
assert telemetry.flush(10)
os.close(writer)
assert os.read(reader, 1) == b""
os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
os.dup2(2, 1)
input()
"""
    with receiver() as (url, _):
        process = subprocess.Popen(
            [sys.executable, "-c", source],
            env=environment(OTEL_TRACES_EXPORTER="otlp", OTEL_EXPORTER_OTLP_ENDPOINT=url),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        alarm = threading.Timer(60, process.kill)
        alarm.start()
        try:
            assert process.stdout.read() == b""  # ends while the program runs
            assert process.poll() is None
        finally:
            alarm.cancel()
            process.communicate(b"\n", timeout=30)


@pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler")
@pytest.mark.parametrize("kib", [150, 245, 300, 3000])
def test_libraries_with_much_thread_local_storage_leave_the_export_thread_its_stack(tmp_path, kib):
    (tmp_path / "t.c").write_text(
        f'__thread char big[{kib} * 1024] __attribute__((tls_model("initial-exec")));\n'
        "int touch(void) { big[0] = 1; return big[sizeof big - 1]; }\n"
    )
    library = tmp_path / "t.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, tmp_path / "t.c"], check=True)
    source = """
import djp_telemetry as telemetry
telemetry.init_telemetry(protocol="http/protobuf")
for _ in range(100):
    telemetry.start_span("one").end()
assert telemetry.flush(10)
"""
    with receiver() as (url, names):
        done = run(
            source,
            LD_PRELOAD=str(library),
            OTEL_TRACES_EXPORTER="otlp",
            OTEL_EXPORTER_OTLP_ENDPOINT=url,
        )
        assert (done.returncode, len(names)) == (0, 100), done.stderr


FORKS = """
import os, signal, sys, threading, time
import djp_telemetry as telemetry

stop = False
def start_and_end():
    while not stop:
        telemetry.init_telemetry(protocol="http/protobuf", prometheus_port=0)
        telemetry.start_span("parent").end()
        telemetry.flush(0.05)
        telemetry.shutdown(0.05)
def read():
    while not stop:
        telemetry.telemetry_status()
        telemetry.flush(0.01)
threads = [threading.Thread(target=target) for target in (start_and_end, read, read)]
for thread in threads:
    thread.start()
bad = []
deadline = time.monotonic() + 8
for number in range(150):
    if time.monotonic() > deadline and number >= 20:
        break
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        telemetry.init_telemetry(protocol="http/protobuf")
        telemetry.start_span("child").end()
        telemetry.flush(5)
        telemetry.shutdown(5)
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    if status:
        bad.append(status)
stop = True
for thread in threads:
    thread.join()
print(number, bad)
sys.exit(1 if bad else 0)
"""


def test_a_fork_may_meet_a_start_a_flush_and_an_end():
    with receiver() as (url, names):
        done = run(FORKS, timeout=120, OTEL_TRACES_EXPORTER="otlp", OTEL_EXPORTER_OTLP_ENDPOINT=url)
        assert done.returncode == 0, done.stdout + done.stderr
        assert names.count("child") >= 20


def test_a_fork_inside_of_a_start_that_runs_code_of_the_application():
    source = """
import os, signal, threading, time
import djp_telemetry as telemetry
inside = threading.Event()
class Slow:
    def __str__(self):
        inside.set()
        time.sleep(0.5)
        return "service"
thread = threading.Thread(target=lambda: telemetry.init_telemetry(service_name=Slow()))
thread.start()
inside.wait()
pid = os.fork()
if pid == 0:
    signal.alarm(20)
    telemetry.init_telemetry()
    telemetry.start_span("x").end()
    os._exit(0 if telemetry.flush(5) else 3)
status = os.waitpid(pid, 0)[1]
thread.join()
os._exit(os.waitstatus_to_exitcode(status) & 255)
"""
    done = run(source, OTEL_TRACES_EXPORTER="memory")
    assert done.returncode == 0, done.stderr


ENDS = """
import os, signal, sys, time
import djp_telemetry as telemetry
telemetry.init_telemetry(file_path=os.environ["SPANS"], flush_interval=60)
telemetry.start_span("last").end()
number = signal.Signals[sys.argv[1]]
{before}
os.kill(os.getpid(), number)
time.sleep(10)
"""


@pytest.mark.parametrize(
    "before",
    [
        "",
        "signal.signal(number, lambda *_: None); signal.signal(number, signal.SIG_DFL)",
        "signal.signal(number, lambda *_: "
        "(signal.signal(number, signal.SIG_DFL), signal.raise_signal(number)))",
        "import asyncio; loop = asyncio.new_event_loop(); loop.add_signal_handler(number, print);"
        " loop.remove_signal_handler(number)",
    ],
)
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGUSR2"])
def test_signals_that_nobody_handles_any_more_send_what_waits(tmp_path, name, before):
    spans = tmp_path / "spans"
    command = (sys.executable, "-c", ENDS.format(before=before))
    done = run(name, command=command, OTEL_TRACES_EXPORTER="file", SPANS=str(spans))
    assert done.returncode == -signal.Signals[name], done.stderr
    assert '"name":"last"' in spans.read_text()


def test_a_signal_tells_what_it_lost():
    source = """
import os, signal, time
import djp_telemetry as telemetry
telemetry.init_telemetry(flush_interval=60, shutdown_timeout=0.3, protocol="http/protobuf")
for _ in range(7):
    telemetry.start_span("lost").end()
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(10)
"""
    done = run(
        source, OTEL_TRACES_EXPORTER="otlp", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9"
    )
    assert done.returncode == -signal.SIGTERM
    assert "7 spans were still waiting" in done.stderr


NO_LIFESPAN = """
import djp_telemetry, os
from djp_telemetry.asgi import TelemetryMiddleware
djp_telemetry.init_telemetry(file_path=os.environ["SPANS"], flush_interval=60)
async def plain(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"1"})
app = TelemetryMiddleware(plain)
"""


@pytest.mark.parametrize("extra", [[], ["--workers", "2"], ["--reload"]])
def test_a_server_without_lifespan_sends_what_waits(tmp_path, extra):
    pytest.importorskip("uvicorn")
    (tmp_path / "service.py").write_text(NO_LIFESPAN)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    spans = tmp_path / "spans"
    settings = environment(OTEL_TRACES_EXPORTER="file", SPANS=str(spans))
    command = [sys.executable, "-m", "uvicorn", "service:app", "--port", str(port), *extra]
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen(command, env=settings, cwd=tmp_path, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).read()
                break
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.terminate()
        process.wait(30)
    finally:
        process.kill()
    assert spans.read_text().count("http.server") == 1
