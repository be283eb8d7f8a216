"""The console exporter and the program share a pipe: every line of both is complete, whatever the
reader's speed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest
from support import clean_environment

PROGRAM = """
import json, sys
from djp_telemetry import init_telemetry, start_span
init_telemetry(flush_interval=0.01, shutdown_timeout=300)
for n in range(600):
    size = 30000 if n % 60 == 0 else 3000
    with start_span("work", {"n": n, "big": "y" * (9000 if n % 50 == 0 else 10)}):
        print(json.dumps({"mine": n, "text": "x" * size}), flush=sys.argv[1] == "flush")
"""
NODE_PROGRAM = """
const d = require(process.argv[2]);
d.init({ flushInterval: 0.01, shutdownTimeout: 300 });
let n = 0;
(function next() {
  for (let i = 0; i < 20; i++, n++) {
    const span = d.startSpan("work", { n, big: "y".repeat(n % 50 ? 10 : 9000) });
    console.log(JSON.stringify({ mine: n, text: "x".repeat(n % 60 ? 3000 : 30000) }));
    span.end();
  }
  if (n < 600) setTimeout(next, 1);
})();
"""
SETTINGS = {
    "TELEMETRY_ENABLED": "true",
    "TELEMETRY_BACKEND": "hybrid",
    "OTEL_TRACE_SAMPLE": "1",
    "OTEL_TRACES_EXPORTER": "console",
}


def lines(command, pause, **settings):
    """The output, read in small pieces with a pause after each."""
    process = subprocess.Popen(
        command, env={**clean_environment(), **SETTINGS, **settings}, stdout=subprocess.PIPE
    )
    assert process.stdout
    text = b""
    while piece := os.read(process.stdout.fileno(), 1 << 13 if pause else 1 << 16):
        text += piece
        time.sleep(pause)
    process.stdout.close()
    assert process.wait(300) == 0
    return text.decode().splitlines()


def judge(found):
    parsed = [json.loads(line) for line in found]
    assert sorted(line["mine"] for line in parsed if "mine" in line) == list(range(600))
    assert sorted(line["attributes"]["n"] for line in parsed if "trace_id" in line) == list(
        range(600)
    )


@pytest.mark.parametrize("pause", [0, 0.0005], ids=["fast reader", "slow reader"])
@pytest.mark.parametrize("buffering", ["buffered", "flush", "unbuffered"])
def test_lines_of_python_stay_whole(buffering, pause):
    settings = {"PYTHONUNBUFFERED": "1"} if buffering == "unbuffered" else {"PYTHONUNBUFFERED": ""}
    judge(lines([sys.executable, "-c", PROGRAM, buffering], pause, **settings))


@pytest.mark.skipif(not os.environ.get("DJP_NODE"), reason="DJP_NODE names no node")
@pytest.mark.parametrize("pause", [0, 0.0005], ids=["fast reader", "slow reader"])
def test_lines_of_node_stay_whole(pause, tmp_path):
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    (tmp_path / "program.js").write_text(NODE_PROGRAM)
    judge(lines([os.environ["DJP_NODE"], str(tmp_path / "program.js"), root], pause))


@pytest.mark.parametrize("size", [100, 30_000, 200_000])
def test_a_line_and_its_end_are_one_write(size):
    """The pipe keeps the bounds of writes. Parts of a long one have 4,096 bytes."""
    program = (
        "import djp_telemetry, sys; djp_telemetry.init_telemetry(); print('x' * int(sys.argv[1]))"
    )
    reader, writer = os.pipe2(os.O_DIRECT)
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(size)],
        env={**clean_environment(), **SETTINGS, "PYTHONUNBUFFERED": ""},
        stdout=writer,
    )
    os.close(writer)
    parts = list(iter(lambda: os.read(reader, 4096), b""))
    os.close(reader)
    assert process.wait(60) == 0
    assert b"".join(parts) == b"x" * size + b"\n"
    assert {len(part) for part in parts[:-1]} <= {4096}
    assert len(parts[-1]) == size % 4096 + 1


def test_a_console_that_nobody_asked_for_is_told(tmp_path):
    program = (
        "import djp_telemetry as d; d.init_telemetry(); d.start_span('x').end(); d.shutdown(5)"
    )
    settings = {name: value for name, value in SETTINGS.items() if name != "OTEL_TRACES_EXPORTER"}

    def errors(**more):
        environment = {**clean_environment(), **settings, **more}
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert '"x"' in done.stdout
        return done.stderr

    assert errors(ENVIRONMENT="production").count("No endpoint is set") == 1
    assert "No endpoint is set" not in errors(
        ENVIRONMENT="production", OTEL_TRACES_EXPORTER="console"
    )
    assert "No endpoint is set" not in errors(ENVIRONMENT="dev")
