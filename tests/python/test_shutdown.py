"""After the shutdown no port, descriptor or thread is left, however often telemetry starts and
ends. Also the shutdown while another thread forks, and during signals."""

import os
import socket
import subprocess
import sys
import threading
import time

import djp_telemetry
import pytest
from support import clean_environment, file_spans, run_program, telemetry

pytest.importorskip("djp_telemetry._native")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def can_be_had(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        probe.listen()
        return True


def is_answered(port):
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return False
    return True


class Collector:
    """Accepts connections and never responds; `asked` is set by the first request."""

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/v1/traces"
        self.asked = threading.Event()
        self.taken = []
        threading.Thread(target=self.take, daemon=True).start()
        return self

    def take(self):
        try:
            while True:
                connection, _ = self.listener.accept()
                self.taken.append(connection)
                if connection.recv(1):
                    self.asked.set()
        except OSError:
            return

    def __exit__(self, *error):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.taken:
            connection.close()


def open_descriptors():
    return {
        name: os.readlink(f"/proc/self/fd/{name}")
        for name in os.listdir("/proc/self/fd")
        if os.path.exists(f"/proc/self/fd/{name}")
    }


def threads():
    return len(os.listdir("/proc/self/task"))


def comes_true(condition):
    """A thread that was stopped may need a moment."""
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return condition()


@pytest.mark.parametrize("how", ["setting", "call"])
def test_the_port_of_the_exposition_is_free_after_shutdown(how):
    from djp_telemetry.metrics import start_metrics_server

    port = free_port()
    for _ in range(3):
        options = {"prometheus_port": port} if how == "setting" else {}
        with telemetry(backend="prom", **options):
            if how == "call":
                start_metrics_server(port)
            assert is_answered(port) and not can_be_had(port)
        assert not is_answered(port) and can_be_had(port)


CYCLES = {
    "memory": {"exporter": "memory"},
    "otlp": {"exporter": "otlp", "endpoint": "http://127.0.0.1:9/v1/traces", "log_level": "none"},
    "grpc": {
        "exporter": "otlp",
        "endpoint": "http://127.0.0.1:9",
        "protocol": "grpc",
        "log_level": "none",
    },
    "port": {"exporter": "none", "backend": "hybrid", "prometheus_port": free_port},
    "file": {"exporter": "file", "file_path": os.devnull},
    "overrides": {"exporter": "memory", "overrides_file": "/dev/null"},
}


@pytest.mark.parametrize("kind", list(CYCLES))
def test_no_descriptor_and_no_thread_is_left_after_many_cycles(kind):
    options = dict(CYCLES[kind])

    def cycle():
        given = {key: value() if callable(value) else value for key, value in options.items()}
        djp_telemetry.init_telemetry(
            **{"enabled": True, "backend": "otel", "sample_ratio": 1.0, **given}
        )
        assert djp_telemetry.telemetry_status()["enabled"]
        with djp_telemetry.start_span("s"):
            pass
        djp_telemetry.shutdown(0.05 if kind in ("otlp", "grpc") else 5)

    djp_telemetry.shutdown(1)
    before = threads()
    for _ in range(2):
        cycle()
    assert comes_true(lambda: threads() <= before)
    descriptors = open_descriptors()
    for _ in range(5):
        cycle()
    assert comes_true(lambda: threads() <= before)
    # An earlier test's may have been closed meanwhile.
    assert open_descriptors().items() <= descriptors.items()


def test_descriptors_of_telemetry_do_not_go_to_programs_that_are_started():
    with Collector() as collector:
        options = {
            "exporter": "otlp",
            "endpoint": collector.url,
            "protocol": "http/protobuf",
            "flush_interval": 0.05,
        }
        with telemetry(backend="hybrid", prometheus_port=free_port(), log_level="none", **options):
            djp_telemetry.start_span("s").end()
            assert collector.asked.wait(20)
            source = (
                "import os; paths = [f'/proc/self/fd/{n}' for n in os.listdir('/proc/self/fd')]; "
                "print(sorted(os.readlink(path) for path in paths if os.path.exists(path)))"
            )
            command = [sys.executable, "-c", source]
            told = subprocess.run(
                command, stdout=subprocess.PIPE, close_fds=False, text=True, timeout=60
            ).stdout
            # Python's own are not inherited either, so a socket in the child is one of the core.
            assert "socket:" not in told


FORK = """
import os, sys, threading, time
import djp_telemetry
djp_telemetry.init_telemetry(
    enabled=True, exporter="otlp", protocol="http/protobuf", endpoint=os.environ["URL"],
    flush_interval=30, log_level="none", shutdown_timeout=20, sample_ratio=1.0,
)
djp_telemetry.start_span("s").end()
answers = []
ending = threading.Thread(target=lambda: answers.append(djp_telemetry.shutdown(20)))
ending.start()
sys.stdin.readline()  # the collector was asked: the thread is inside of shutdown()
child = os.fork()
if child == 0:
    before = time.monotonic()
    answer = djp_telemetry.shutdown(15)
    again = djp_telemetry.shutdown(15)
    djp_telemetry.init_telemetry(enabled=True, exporter="memory", sample_ratio=1.0)
    djp_telemetry.start_span("child").end()
    found = [span["name"] for span in djp_telemetry.take_exported()]
    print(answer, again, time.monotonic() - before < 14, found, flush=True)
    os._exit(0)
print(os.waitpid(child, 0)[1], flush=True)
os._exit(0)
"""


def test_a_fork_while_another_thread_is_inside_of_shutdown(tmp_path):
    (tmp_path / "program.py").write_text(FORK)
    with Collector() as collector:
        paths = os.pathsep.join(path for path in sys.path if path)
        child = subprocess.Popen(
            [sys.executable, str(tmp_path / "program.py")],
            env=clean_environment(URL=collector.url, PYTHONPATH=paths),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert collector.asked.wait(30)
            told, _ = child.communicate("\n", timeout=60)
        finally:
            child.kill()
            child.wait()
    assert told.splitlines() == ["True True True ['child']", "0"]


def test_sigterm_after_begin_end_begin_sends_what_is_left(tmp_path):
    source = """
        import os, signal
        import djp_telemetry
        for round in range(3):
            djp_telemetry.init_telemetry(file_path=os.environ["SPANS"], flush_interval=30)
            djp_telemetry.start_span(f"round {round}").end()
            if round < 2:
                assert djp_telemetry.shutdown()
        os.kill(os.getpid(), signal.SIGTERM)
    """
    done = run_program(source, tmp_path, check=False)
    assert done.returncode == -15, done.stderr
    assert sorted(span["name"] for span in file_spans(tmp_path)) == [
        "round 0",
        "round 1",
        "round 2",
    ]


def test_signal_is_wrapped_once_however_often_telemetry_begins(tmp_path):
    source = """
        import os, signal
        import djp_telemetry
        plain = signal.signal
        for _ in range(20):
            djp_telemetry.init_telemetry(file_path=os.environ["SPANS"])
            assert djp_telemetry.shutdown()
        assert signal.signal.__wrapped__ is plain, "wrapped more than once"
        djp_telemetry.init_telemetry(file_path=os.environ["SPANS"], flush_interval=30)
        seen = []
        assert signal.signal(signal.SIGTERM, lambda *_: seen.append(1)) == signal.SIG_DFL
        os.kill(os.getpid(), signal.SIGTERM)
        assert seen == [1]
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        djp_telemetry.start_span("last").end()
        os.kill(os.getpid(), signal.SIGTERM)
    """
    done = run_program(source, tmp_path, check=False)
    assert done.returncode == -15, done.stderr
    assert [span["name"] for span in file_spans(tmp_path)] == ["last"]


def test_a_handler_of_the_application_stays_through_begin_and_end(tmp_path):
    source = """
        import os, signal
        import djp_telemetry
        def own(*_):
            print("own", flush=True)
        signal.signal(signal.SIGTERM, own)
        for _ in range(2):
            djp_telemetry.init_telemetry(file_path=os.environ["SPANS"])
            assert signal.getsignal(signal.SIGTERM) is own
            os.kill(os.getpid(), signal.SIGTERM)
            djp_telemetry.shutdown()
            assert signal.getsignal(signal.SIGTERM) is own
        os.kill(os.getpid(), signal.SIGTERM)
    """
    assert run_program(source, tmp_path).stdout.split() == ["own"] * 3
