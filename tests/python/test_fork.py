"""Exit and fork in real processes: every span is exported once, under a unique id, however a
process ends."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from support import clean_environment, file_spans, run_program

HEAD = """
import os, sys, time
import djp_telemetry
djp_telemetry.init_telemetry(file_path=os.environ["SPANS"])
def work(count, name):
    for number in range(count):
        with djp_telemetry.start_span(name, {"n": number}):
            pass
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(folder):
    return clean_environment(
        TELEMETRY_ENABLED="true",
        TELEMETRY_BACKEND="otel",
        OTEL_TRACE_SAMPLE="1.0",
        OTEL_TRACES_EXPORTER="file",
        SPANS=str(folder / "spans.jsonl"),
        PYTHONPATH=os.pathsep.join(path for path in sys.path if path),
    )


@contextlib.contextmanager
def server(command, folder):
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(
            command, env=environment(folder), cwd=folder, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def request_all(port, count):
    """The bodies of so many responses; waits until the server is up."""
    bodies, deadline = [], time.monotonic() + 60
    while len(bodies) < count and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                bodies.append(answer.read())
        except OSError:
            time.sleep(0.1)
    return bodies


def names(spans):
    found = {}
    for span in spans:
        found[span["name"]] = found.get(span["name"], 0) + 1
    return found


def assert_unique(spans):
    assert len({span["spanId"] for span in spans}) == len(spans)


@pytest.mark.parametrize(
    "ending, code",
    [
        ("", 0),
        ("sys.exit(0)", 0),
        ("sys.exit(3)", 3),
        ("raise ValueError('the end')", 1),
        (
            "import threading; threading.Thread("
            "target=lambda: (time.sleep(0.2), work(5, 'thread'))).start()",
            0,
        ),
    ],
)
def test_the_end_of_a_program(tmp_path, ending, code):
    done = run_program(HEAD + "work(100, 'main')\n" + ending, tmp_path, check=False)
    assert done.returncode == code, done.stderr
    spans = file_spans(tmp_path)
    assert names(spans)["main"] == 100 and names(spans).get("thread", 5) == 5
    assert_unique(spans)


def test_sigterm(tmp_path):
    script = tmp_path / "program.py"
    script.write_text(HEAD + "work(100, 'main')\nprint('ready', flush=True)\ntime.sleep(60)\n")
    process = subprocess.Popen(
        [sys.executable, str(script)], env=environment(tmp_path), stdout=subprocess.PIPE
    )
    try:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == -signal.SIGTERM
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert names(file_spans(tmp_path)) == {"main": 100}


UVICORN = """
import os
import djp_telemetry
djp_telemetry.init_telemetry(file_path=os.environ["SPANS"], flush_interval=30)
async def app(scope, receive, send):
    with djp_telemetry.start_span("request"):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})
"""


def test_sigterm_of_a_server_that_raises_it_again(tmp_path):
    """uvicorn restores Python's earlier handler and raises SIGTERM; without a lifespan no code
    flushes before."""
    pytest.importorskip("uvicorn")
    port = free_port()
    (tmp_path / "service.py").write_text(UVICORN)
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "--lifespan",
        "off",
        "--port",
        str(port),
        "service:app",
    ]
    with server(command, tmp_path) as process:
        assert len(request_all(port, 20)) == 20
        process.terminate()
        process.wait(20)
    assert names(file_spans(tmp_path)) == {"request": 20}


def test_a_forked_child_that_ends_normally(tmp_path):
    source = (
        HEAD
        + """
work(50, "before")
pid = os.fork()
if pid == 0:
    work(30, "child")
    sys.exit(0)
work(20, "parent")
assert os.waitpid(pid, 0)[1] == 0
"""
    )
    run_program(source, tmp_path)
    spans = file_spans(tmp_path)
    assert names(spans) == {"before": 50, "child": 30, "parent": 20}
    assert_unique(spans)
    assert len({str(span["pid"]) for span in spans}) == 2


def test_a_child_forked_inside_a_span(tmp_path):
    source = (
        HEAD
        + """
with djp_telemetry.start_span("open") as span:
    pid = os.fork()
    if pid == 0:
        work(3, "child")
        sys.exit(0)
    assert os.waitpid(pid, 0)[1] == 0
"""
    )
    run_program(source, tmp_path)
    spans = file_spans(tmp_path)
    assert names(spans) == {"open": 1, "child": 3}
    (opened,) = [span for span in spans if span["name"] == "open"]
    for child in (span for span in spans if span["name"] == "child"):
        assert child["parentSpanId"] == opened["spanId"] and child["traceId"] == opened["traceId"]


def test_many_forks_have_their_own_ids(tmp_path):
    source = (
        HEAD
        + """
children = []
for number in range(8):
    pid = os.fork()
    if pid == 0:
        work(50, "child")
        sys.exit(0)
    children.append(pid)
    work(5, "parent")
assert all(os.waitpid(pid, 0)[1] == 0 for pid in children)
"""
    )
    run_program(source, tmp_path)
    spans = file_spans(tmp_path)
    assert names(spans) == {"child": 400, "parent": 40}
    assert_unique(spans)


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(tmp_path, method, early):
    """multiprocessing may be imported before or after telemetry begins."""
    source = (
        ("import multiprocessing\n" if early else "")
        + HEAD
        + f"""
if __name__ == "__main__":
    import multiprocessing
    work(10, "parent")
    context = multiprocessing.get_context("{method}")
    processes = [context.Process(target=work, args=(25, "child")) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
"""
    )
    run_program(source, tmp_path)
    spans = file_spans(tmp_path)
    assert names(spans) == {"parent": 10, "child": 75}
    assert_unique(spans)


def test_a_pool_of_processes(tmp_path):
    source = (
        HEAD
        + """
def task(number):
    work(2, "task")
    return number
if __name__ == "__main__":
    import concurrent.futures, multiprocessing
    fork = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=fork) as pool:
        assert sorted(pool.map(task, range(20))) == list(range(20))
"""
    )
    run_program(source, tmp_path)
    spans = file_spans(tmp_path)
    assert names(spans) == {"task": 40}
    assert_unique(spans)


def test_a_fork_while_other_threads_record(tmp_path):
    source = (
        HEAD
        + """
import threading
stop = False
def busy():
    while not stop:
        work(10, "busy")
threads = [threading.Thread(target=busy) for _ in range(3)]
for thread in threads:
    thread.start()
for _ in range(10):
    pid = os.fork()
    if pid == 0:
        work(5, "child")
        djp_telemetry.shutdown(5)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
stop = True
for thread in threads:
    thread.join()
"""
    )
    run_program(source, tmp_path)
    spans = file_spans(tmp_path)
    assert names(spans)["child"] == 50
    assert_unique(spans)


def test_subprocesses_are_not_disturbed(tmp_path):
    source = (
        HEAD
        + "work(5, 'main')\nimport subprocess\n"
        + "assert subprocess.check_output(['echo', 'x']) == b'x\\n'\n"
    )
    run_program(source, tmp_path)
    assert names(file_spans(tmp_path)) == {"main": 5}


def test_a_dead_collector_does_not_delay_the_exit(tmp_path):
    begin = time.monotonic()
    source = """
import djp_telemetry
djp_telemetry.init_telemetry(log_level="none")
for _ in range(100):
    djp_telemetry.start_span("s").end()
"""
    run_program(
        source,
        tmp_path,
        OTEL_TRACES_EXPORTER="otlp",
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
        timeout=20,
    )
    bare = time.monotonic()
    run_program("pass", tmp_path)
    assert (bare - begin) - (time.monotonic() - bare) < 1.7


def test_gunicorn_with_preload(tmp_path):
    pytest.importorskip("gunicorn")
    port = free_port()
    (tmp_path / "service.py").write_text(
        """
import os
import djp_telemetry
djp_telemetry.init_telemetry(file_path=os.environ["SPANS"])
with djp_telemetry.start_span("preload"):
    pass
def app(environ, start_response):
    with djp_telemetry.start_span("request"):
        start_response("200 OK", [])
        return [str(os.getpid()).encode()]
"""
    )
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "--preload",
        "-w",
        "3",
        "-b",
        f"127.0.0.1:{port}",
        "service:app",
    ]
    with server(command, tmp_path) as process:
        assert len(request_all(port, 200)) == 200
        process.terminate()
        assert process.wait(20) == 0, (tmp_path / "log").read_text()
    spans = file_spans(tmp_path)
    assert names(spans) == {"preload": 1, "request": 200}
    assert_unique(spans)
