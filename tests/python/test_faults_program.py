"""Faults of a receiver in a real program: its memory, its requests, its interpreter and its
exit."""

import json
import os
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request

import pytest
from fault_books import dropped, missing, received
from fault_server import FaultServer
from support import clean_environment

pytest.importorskip("djp_telemetry._native")

SLACK = 2.0  # seconds that a busy machine may add to a deadline


HEAD = """
import json, os, sys, threading, time
import djp_telemetry
from djp_telemetry import start_span
def begin(url, **options):
    djp_telemetry.init_telemetry(**{**dict(
        enabled=True, backend="otel", exporter="otlp", endpoint=url, protocol="http/protobuf",
        sample_ratio=1.0, flush_interval=0.05, log_level="none"), **options})
"""


def run(source, folder, *arguments, timeout=100):
    """The last output of a program with these arguments, as JSON."""
    program = folder / "program.py"
    program.write_text(HEAD + textwrap.dedent(source))
    environment = clean_environment(PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
    command = [sys.executable, str(program), *(str(argument) for argument in arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


MEMORY = """
begin(sys.argv[1], ring_bytes=1 << 20)
def rss():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
def work(count):
    for number in range(count):
        with start_span("work", {"text": "x" * 500, "n": number}) as span, start_span("child"):
            span.add_event("e", {"text": "y" * 100})
work(20000)
before, worst = rss(), 0
for _ in range(10):
    work(20000)
    worst = max(worst, rss())
djp_telemetry.shutdown(0.2)
print(json.dumps([worst - before, djp_telemetry.telemetry_status()]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["hang", "503", "drip", "ok"])
def test_memory_is_bounded(tmp_path, fault):
    """Some 150 MB are recorded; the process keeps a few."""
    with FaultServer(fault) as server:
        growth, status = run(MEMORY, tmp_path, server.url)
    assert growth < 8 << 20, f"{growth / 1e6:.1f} MB more"
    assert missing(status) == 0
    assert status["spans"]["started"] == 440_000
    assert dropped(status) > 400_000 or fault == "ok", status


LATENCY = """
import asyncio, statistics
from djp_telemetry.asgi import TelemetryMiddleware
async def application(scope, receive, send):
    with start_span("inside", {"user": "u1"}) as span:
        span.set_attribute("n", 1)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})
async def receive():
    return {"type": "http.request", "body": b"", "more_body": False}
async def send(message):
    pass
def scope():
    return {"type": "http", "method": "GET", "path": "/orders/1", "headers": [],
            "query_string": b"", "root_path": "",
            "scheme": "http", "http_version": "1.1", "asgi": {"version": "3.0"}}
async def requests(app, count):
    times, clock = [], time.perf_counter_ns
    for _ in range(count):
        begin = clock()
        await app(scope(), receive, send)
        times.append(clock() - begin)
    return sorted(times)
app = TelemetryMiddleware(application)
found = {url: [] for url in sys.argv[1:]}
for turn in range(5):
    for url in sys.argv[1:]:
        begin(url, backend="hybrid", ring_bytes=1 << 20)
        times = asyncio.run(requests(app, 8000))
        found[url].append((times[4000], times[7200]))
        djp_telemetry.shutdown(0.1)
print(json.dumps([[min(column) for column in zip(*found[url])] for url in sys.argv[1:]]))
"""


@pytest.mark.parametrize("fault", ["hang", "503", "garbage"])
def test_requests_are_not_slower(tmp_path, fault):
    """The best of five turns each, so that other load on the machine does not count."""
    with FaultServer("ok") as healthy, FaultServer(fault) as faulty:
        (median, most), (faulty_median, faulty_most) = run(
            LATENCY, tmp_path, healthy.url, faulty.url
        )
    assert faulty_median < 2 * median, (faulty_median, median)
    assert faulty_most < 3 * most, (faulty_most, most)


PACE = """
counted, stop = 0, False
def count():
    global counted
    while not stop:
        counted += 1
def pace(function):
    begin, first = time.monotonic(), counted
    function()
    return (counted - first) / (time.monotonic() - begin)
begin(sys.argv[1], export_timeout=30)
threading.Thread(target=count, daemon=True).start()
for _ in range(200):
    start_span("s").end()
alone = max(pace(lambda: time.sleep(0.5)) for _ in range(2))
flush = max(pace(lambda: djp_telemetry.flush(0.5)) for _ in range(2))
shutdown = pace(lambda: djp_telemetry.shutdown(0.5))
stop = True
print(json.dumps([alone, flush, shutdown]))
"""


def test_the_interpreter_goes_on_while_flush_and_shutdown_wait(tmp_path):
    with FaultServer("hang") as server:
        alone, flush, shutdown = run(PACE, tmp_path, server.url)
    assert flush > alone / 4 and shutdown > alone / 4, (alone, flush, shutdown)


STUCK = """
import ctypes
begin(sys.argv[1], backend="hybrid", flush_interval=0.2, prometheus_port=int(sys.argv[2]))
start_span("first").end()
djp_telemetry.flush(10)
ticks = 0
def tick():
    global ticks
    while True:
        ticks += 1
        time.sleep(0.01)
threading.Thread(target=tick, daemon=True).start()
time.sleep(0.05)
for number in range(100):
    start_span("before").end()
begin, first = time.monotonic(), ticks
print("stuck", flush=True)
ctypes.PyDLL(None).usleep(2_000_000)
end, last = time.monotonic(), ticks
print(json.dumps([begin, end, last - first]), flush=True)
djp_telemetry.shutdown(5)
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_export_and_scrape_go_on_while_the_interpreter_is_stuck(tmp_path):
    """A C function keeps the interpreter lock for two seconds; spans that ended before arrive
    meanwhile."""
    program, port = tmp_path / "program.py", free_port()
    program.write_text(HEAD + STUCK)
    environment = clean_environment(PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
    with FaultServer("ok") as server:
        command = [sys.executable, str(program), server.url, str(port)]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
        try:
            assert process.stdout.readline() == b"stuck\n"
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                assert b"djp_telemetry_spans_total" in answer.read()
            scraped, arrived = time.monotonic(), None
            while arrived is None and process.poll() is None:
                spans = received(request.body for request in list(server.requests))
                arrived = time.monotonic() if len(spans) == 101 else None
                time.sleep(0.01)
            begin, end, ticks = json.loads(process.stdout.readline())
            assert process.wait(20) == 0
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
    assert ticks <= 2, "the interpreter was not stuck"
    assert scraped < end - 0.2 and arrived is not None and arrived < end - 0.2, (
        begin,
        end,
        scraped,
        arrived,
    )


DEADLINE = """
begin(sys.argv[1])
for number in range(100):
    start_span("s").end()
djp_telemetry.flush(0.1)
times = []
for limit in (0, 0.2, 1):
    start_span("s").end()
    before = time.monotonic()
    done = djp_telemetry.flush(limit)
    times.append([done, limit, time.monotonic() - before])
threads, answers = [], []
start_span("s").end()
for _ in range(4):
    threads.append(threading.Thread(target=lambda: answers.append(djp_telemetry.shutdown(1))))
before = time.monotonic()
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
times.append([None, 1, time.monotonic() - before])
print(json.dumps([times, answers.count(False)]))
"""


@pytest.mark.parametrize("fault", ["hang", "drip", "endless_interim"])
def test_deadlines_are_kept(tmp_path, fault):
    with FaultServer(fault) as server:
        times, refused = run(DEADLINE, tmp_path, server.url)
    for answer, limit, seconds in times[:-1]:
        assert not answer and seconds < limit + 1
    assert times[-1][2] < 2.5
    assert refused >= 1, "the shutdown that did the work said that everything arrived"


def test_the_end_of_a_process_is_not_delayed(tmp_path):
    """By default a process waits for a second at most, whatever delays its collector."""
    with FaultServer("hang") as server:
        begin = time.monotonic()
        run(
            "begin(sys.argv[1], export_timeout=60)\nstart_span('s').end()\nprint('1')",
            tmp_path,
            server.url,
        )
        assert time.monotonic() - begin < 6
