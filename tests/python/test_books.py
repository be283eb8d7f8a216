"""The counts of spans in all end states: a started span is live, not sampled, exported, dropped
under a named reason, or waiting. After shutdown() none is waiting."""

import json
import os
import subprocess
import sys

import pytest
from h2_fault_server import H2FaultServer
from support import clean_environment

pytest.importorskip("djp_telemetry._native")

PROGRAM = """
import json, os, sys
import djp_telemetry as d

options = json.loads(os.environ["OPTIONS"])
d.init_telemetry(enabled=True, backend="hybrid", log_level="none", shutdown_timeout=1.0, **options)
exec(os.environ["BODY"])
d.shutdown(1.0)
status = d.telemetry_status()
with open(os.environ["RESULT"], "w") as file:
    json.dump({"books": status["books"], "dropped": status["dropped"]}, file)
"""
SPANS = """
for n in range(300):
    with d.start_span("outer", {"n": n}):
        with d.start_span("inner"):
            pass
"""
NEVER_ENDED = SPANS + "kept = [d.start_span('open') for _ in range(7)]"
SWITCHED = (
    """
span = d.start_span("begun while on")
d.set_enabled(False)
for n in range(50):
    with d.start_span("off"):
        pass
d.set_enabled(True)
span.end()
"""
    + SPANS
)
LARGE = (
    SPANS
    + """
with d.start_span("large") as span:
    for n in range(3000):
        span.set_attribute(f"key {n % 100}", "x" * 100000)
"""
)
LATE = (
    """
root = d.start_span("root")
child = d.start_span("late", parent=root)
root.end()
grandchild = d.start_span("later", parent=child)
grandchild.set_status("error", "why")
grandchild.end()
child.end()
"""
    + SPANS
)
FLUSHED = SPANS + "d.flush(0.5)\n" + SPANS
FORKED = (
    SPANS
    + """
if os.fork() == 0:
    exec(os.environ["CHILD"])
    d.shutdown(1.0)
    os._exit(0 if sum(v for k, v in d.telemetry_status()["books"].items() if k != "started")
             == d.telemetry_status()["books"]["started"] else 9)
assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
"""
    + SPANS
)
ANSWER = ["headers", "message", "ok"]
MEMORY = {"exporter": "memory", "sample_ratio": 1.0}
CASES = {
    "delivered": (MEMORY, SPANS),
    "not sampled": ({"exporter": "memory", "sample_ratio": 1e-9}, SPANS),
    "ratio 0": ({"exporter": "memory", "sample_ratio": 0.0}, SPANS),
    "never ended": (MEMORY, NEVER_ENDED),
    "switched off and on": (MEMORY, SWITCHED),
    "late": ({"exporter": "memory", "sample_ratio": 1e-9}, LATE),
    "too large": (MEMORY, LARGE),
    "a small memory": ({**MEMORY, "ring_bytes": 65536}, SPANS),
    "forked": (MEMORY, FORKED),
    "limited": ({**MEMORY, "span_rate_limit": 10}, SPANS),
    "refused": ({"endpoint": "http://127.0.0.1:9", "sample_ratio": 1.0}, FLUSHED),
    "no host": (
        {
            "endpoint": "http://nowhere.invalid:4318",
            "protocol": "http/protobuf",
            "sample_ratio": 1.0,
        },
        SPANS,
    ),
    "no such key": (
        {
            "endpoint": "https://127.0.0.1:9",
            "client_key": "missing.pem",
            "client_certificate": "missing.pem",
        },
        FLUSHED,
    ),
    "a file that cannot be": (
        {"exporter": "file", "file_path": "/proc/none/spans", "sample_ratio": 1.0},
        FLUSHED,
    ),
    "a full device": ({"exporter": "file", "file_path": "/dev/full", "sample_ratio": 1.0}, FLUSHED),
    "a closed console": ({"exporter": "console", "sample_ratio": 1.0}, "os.close(1)\n" + FLUSHED),
}


def books_after(options, body, folder):
    result = folder / "result.json"
    environment = clean_environment(
        OPTIONS=json.dumps(options),
        BODY=body,
        CHILD=SPANS,
        RESULT=str(result),
        PYTHONPATH=os.pathsep.join(path for path in sys.path if path),
    )
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(result.read_text())


def assert_closed(found):
    books = dict(found["books"])
    started = books.pop("started")
    assert started == sum(books.values()), found
    assert started > 0 and books["waiting"] == 0, found


@pytest.mark.parametrize("name", CASES)
def test_the_books_are_closed(name, tmp_path):
    found = books_after(*CASES[name], tmp_path)
    assert_closed(found)
    if name == "delivered":
        assert found["books"]["exported"] == 600
    if name == "never ended":
        assert found["books"]["live"] == 7


@pytest.mark.parametrize(
    "order",
    [
        ["goaway", "close"],
        ["goaway_before", "close"],
        ["reset"],
        ["error"],
        ["headers", ("trailers", 3)],
    ],
)
def test_the_books_are_closed_behind_a_proxy_that_ends_connections(order, tmp_path):
    with H2FaultServer(ANSWER, order, ANSWER, order, ANSWER) as server:
        options = {"endpoint": server.url, "protocol": "grpc", "sample_ratio": 1.0}
        assert_closed(books_after(options, FLUSHED, tmp_path))
