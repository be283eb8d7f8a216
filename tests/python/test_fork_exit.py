"""Forked children that exit through os._exit, as pools do, and blocking calls of the core under
gevent."""

import sys

import pytest
from support import file_spans, run_program

START = """
import os, sys, time
import djp_telemetry
def start():
    djp_telemetry.init_telemetry(exporter="file", file_path=os.environ["SPANS"], flush_interval=30)
"""

FORKED = (
    START
    + """
start()
for n in range(3):
    pid = os.fork()
    if pid == 0:
        with djp_telemetry.start_span("job", {"n": n}):
            pass
        os._exit(n)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == n
"""
)


def numbers(folder):
    return sorted(
        int(span["attributes"][0]["value"]["intValue"])
        for span in file_spans(folder)
        if span["name"] == "job"
    )


def test_a_child_that_leaves_at_once(tmp_path):
    run_program(FORKED, tmp_path)
    assert numbers(tmp_path) == [0, 1, 2]


def test_a_child_without_spans_leaves_as_it_always_did(tmp_path):
    program = (
        START
        + """
start()
begun = time.monotonic()
for n in range(20):
    pid = os.fork()
    if pid == 0:
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
assert time.monotonic() - begun < 10
import threading
pid = os.fork()
if pid == 0:
    threading.Thread(target=os._exit, args=(8,)).start()
    time.sleep(30)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 8
"""
    )
    run_program(program, tmp_path)


BILLIARD = (
    START
    + """
import billiard
from billiard import Pool, Process

def job(n):
    start()
    with djp_telemetry.start_span("job", {"n": n}):
        return n

if LATE != "late":
    start()
if __name__ == "__main__":
    if LATE == "late":
        start()
    processes = [Process(target=job, args=(n,)) for n in range(2)]
    [process.start() for process in processes]
    [process.join() for process in processes]
    pool = Pool(1, maxtasksperchild=1)
    pool.map(job, range(2, 4), chunksize=1)
    pool.close()
    pool.join()
"""
)


@pytest.mark.parametrize("when", ["early", "late"])
def test_billiard(tmp_path, when):
    pytest.importorskip("billiard")
    run_program(f"LATE = {when!r}\n" + BILLIARD, tmp_path)
    assert numbers(tmp_path) == [0, 1, 2, 3]


def test_a_pool_that_is_loaded_after_the_start(tmp_path):
    program = (
        START
        + """
def job(n):
    with djp_telemetry.start_span("job", {"n": n}):
        return n

start()
if __name__ == "__main__":
    import multiprocessing
    with multiprocessing.get_context("fork").Pool(2, maxtasksperchild=1) as pool:
        pool.map(job, range(4), chunksize=1)
        pool.close()
        pool.join()
"""
    )
    run_program(program, tmp_path)
    assert numbers(tmp_path) == [0, 1, 2, 3]


GEVENT = """
from gevent import monkey
monkey.patch_all()
import gevent, socket, sys
import djp_telemetry
silent = socket.socket()
silent.bind(("127.0.0.1", 0))
silent.listen()
url = f"http://127.0.0.1:{silent.getsockname()[1]}"
djp_telemetry.init_telemetry(
    exporter="otlp", endpoint=url, protocol="http/protobuf", flush_interval=30
)
with djp_telemetry.start_span("s"):
    pass
ticks = 0
def tick():
    global ticks
    while True:
        gevent.sleep(0.02)
        ticks += 1
gevent.spawn(tick)
flusher = gevent.spawn(djp_telemetry.flush, 1)
flusher.join()
assert flusher.value is False
assert ticks > 5, ticks
ticks = 0
ending = gevent.spawn(djp_telemetry.shutdown, 1)
ending.join()
assert ticks > 5 and ending.value is False, ticks
print("done")
"""


def test_a_flush_under_gevent_stops_no_greenlet(tmp_path):
    pytest.importorskip("gevent")
    assert "done" in run_program(GEVENT, tmp_path).stdout


def test_modules_that_the_core_imports_by_name_are_found_by_freezers():
    """A freezer reads imports in the byte code; the modules that C imports by name must be there,
    too."""
    import pathlib
    import re

    from djp_telemetry import _loader

    source = pathlib.Path(__file__).parents[2] / "bindings/python/src"
    named = set()
    for path in source.glob("*.c"):
        named |= set(
            re.findall(r'PyImport_ImportModule\("djp_telemetry\.(\w+)"\)', path.read_text())
        )
    assert len(named) >= 5
    named.discard("_runtime")  # the package itself imports it
    assert named <= set(_loader._named_by_the_core.__code__.co_varnames), named
    assert sys.version_info >= (3, 9)
