"""The pretty format of the console exporter: trees at a terminal, lines of JSON everywhere else,
and no value that controls the terminal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pytest
from support import clean_environment

PROGRAM = r"""
import djp_telemetry as d
d.init_telemetry(flush_interval=30)
with d.start_span("GET /orders/{order_id}", {"http.method": "GET"}, kind="server"):
    with d.start_span("load"):
        with d.start_span("query", {"sql": "select\n1", "evil": "\x1b[31m\u009b2J\x7f"}):
            pass
    try:
        with d.start_span("pay \x1b[2J\u009b1m"):
            raise ValueError("boom")
    except ValueError:
        pass
with d.start_span("other"):
    pass
d.shutdown(10)
"""
SETTINGS = {
    "TELEMETRY_ENABLED": "true",
    "TELEMETRY_BACKEND": "otel",
    "OTEL_TRACE_SAMPLE": "1",
    "OTEL_TRACES_EXPORTER": "console",
}


def at_terminal(**settings):
    """The output of the program at a terminal."""
    ours, theirs = pty.openpty()
    environment = {**clean_environment(), **SETTINGS, **settings}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], env=environment, stdout=theirs, stderr=subprocess.PIPE
    )
    os.close(theirs)
    text = b""
    try:
        while piece := os.read(ours, 4096):
            text += piece
    except OSError:  # EIO: the last writer is gone
        pass
    os.close(ours)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return text.decode().replace("\r\n", "\n")


def piped(**settings):
    environment = {**clean_environment(), **SETTINGS, **settings}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=60
    )
    return done.stdout


def is_json(text):
    return sorted(json.loads(line)["name"][:3] for line in text.splitlines()) == [
        "GET",
        "loa",
        "oth",
        "pay",
        "que",
    ]


@pytest.mark.parametrize(
    "show", [at_terminal, piped], ids=["auto at a terminal", "asked for on a pipe"]
)
def test_trees_for_people(show):
    text = show() if show is at_terminal else show(DJP_TELEMETRY_CONSOLE_FORMAT="pretty")
    lines = text.splitlines()
    assert [line.split("  ")[0][:5] for line in lines if line.startswith("trace ")] == ["trace"] * 2
    names = [(len(line) - len(line.lstrip()), line.split()[0]) for line in lines if " ms" in line]
    assert names == [(2, "GET"), (4, "load"), (6, "query"), (4, "pay"), (2, "other")]
    (pay,) = [line for line in lines if line.lstrip().startswith("pay")]
    assert "ERROR: ValueError: boom" in pay
    assert (
        "SERVER" in text
        and '"sql":"select\\n1"' in text
        and '"exception.type":"ValueError"' in text
    )


def test_no_value_steers_the_terminal():
    text = at_terminal()
    assert not [c for c in text if c != "\n" and (ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0)], text


def test_lines_for_programs():
    assert is_json(piped())
    assert is_json(at_terminal(DJP_TELEMETRY_CONSOLE_FORMAT="json"))


def test_a_wrong_word_is_named():
    environment = {**clean_environment(), **SETTINGS, "DJP_TELEMETRY_CONSOLE_FORMAT": "tree"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=60
    )
    assert "DJP_TELEMETRY_CONSOLE_FORMAT" in done.stderr and is_json(done.stdout)
