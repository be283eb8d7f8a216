"""Overrides of a running SDK: by the program, and by a file in separate processes, forked children
included."""

import json
import math
import os
import subprocess
import sys
import textwrap
import time

import djp_telemetry as d
import pytest
from djp_telemetry import _runtime
from support import clean_environment, file_spans, take, telemetry

LIMIT = 60


def sampling():
    return d.telemetry_status()["sampling"]


def test_off_and_on_again():
    with telemetry(flush_interval=100):
        with d.start_span("open") as span:
            assert d.set_enabled(False)
            with d.start_span("none") as none:
                assert not none.is_recording()
                assert not none.context.is_valid
            assert span.is_recording()
        assert sampling() == {
            "recording": False,
            "recording_set_by": "program",
            "ratio": 1,
            "ratio_set_by": "configuration",
            "canary": 1,
            "canary_set_by": "configuration",
            "sampler": None,
            "remote": None,
        }
        assert d.set_enabled(True)
        with d.start_span("seen"):
            pass
        assert [span.name for span in take()] == ["seen"]
        assert d.telemetry_status()["dropped"]["switched_off"] == 1


def test_ratio():
    with telemetry(sample_ratio=0.5):
        before = d.start_span("before")
        assert d.set_sample_ratio(0)
        failed = d.start_span("failed")
        assert failed.context.is_valid and not failed.context.trace_flags.sampled
        for span in (before, failed):
            span.set_status("error")
            span.end()
        assert (sampling()["ratio"], sampling()["ratio_set_by"]) == (0, "program")
        assert d.set_sample_ratio(1)
        with d.start_span("seen"):
            pass
        assert d.set_sample_ratio(None)
        assert (sampling()["ratio"], sampling()["ratio_set_by"]) == (0.5, "configuration")
        assert [span.name for span in take()] == ["seen"]


def outside_and_inside(parent_flags):
    """Failing traces below remote parents of the lowest and the highest randomness: the propagated
    headers and the exported spans."""
    flags = []
    for digit in "0f":
        parent = d.extract({"traceparent": f"00-{'1' * 18}{digit * 14}-{'2' * 16}-{parent_flags}"})
        with d.start_span(digit, parent=parent) as span:
            with d.start_span(digit) as child:
                assert child.is_recording() == span.is_recording() == (digit == "f")
                child.set_status("error")
            flags.append(span.context.trace_flags.sampled)
    return flags, [span.name for span in take()]


def test_a_canary_leaves_the_others_alone():
    with telemetry(canary_ratio=0.5, sample_ratio=0.001):
        assert outside_and_inside("01") == ([True, True], ["f", "f"])
        assert outside_and_inside("00") == ([False, False], ["f", "f"])
        assert (sampling()["canary"], sampling()["canary_set_by"]) == (0.5, "configuration")
        assert d.set_canary_ratio(0)
        assert (sampling()["canary"], sampling()["canary_set_by"]) == (0, "program")
        for _ in range(100):
            with d.start_span("outside") as span:
                assert span.context.is_valid and not span.is_recording()
        assert take() == []
        assert not d.set_canary_ratio(1.5)
        assert d.set_canary_ratio(None)
        assert sampling()["canary"] == 0.5


def test_a_canary_counts_for_the_others():
    with telemetry(canary_ratio=0.25, sample_ratio=1):
        for _ in range(2000):
            with d.start_span("root"):
                pass
        spans = take()
        assert 350 < len(spans) < 650
        assert {span.trace_state for span in spans} == {"ot=th:c"}


@pytest.mark.parametrize(
    "ratio", [1.1, -0.1, math.nan, math.inf, "half", object(), 10**400, [], b""]
)
def test_no_ratio(ratio):
    with telemetry(sample_ratio=0.5):
        assert not d.set_sample_ratio(ratio)
        assert (sampling()["ratio"], sampling()["ratio_set_by"]) == (0.5, "configuration")


@pytest.mark.parametrize("ratio", [1.1, "half", 10**400])
def test_no_ratio_is_told(ratio, caplog, monkeypatch):
    monkeypatch.setattr(_runtime._runtime, "reported", set())
    with telemetry(sample_ratio=0.5):
        assert not d.set_sample_ratio(ratio) and not d.set_canary_ratio(ratio)
    text = "The {} was not changed: it must be a number from 0 to 1, or None for the configured one"
    assert [line for line in caplog.messages if "was not changed" in line] == [
        text.format(name) for name in ("ratio", "canary ratio")
    ]


def test_while_off():
    d.shutdown(1)
    assert not d.set_enabled(True)
    assert not d.set_sample_ratio(1.0)


def test_a_configured_zero_stays():
    with telemetry(sample_ratio=0):
        assert not d.set_sample_ratio(1.0)
        assert sampling()["ratio"] == 0


PROGRAM = """
    import json, os, sys
    import djp_telemetry as d

    d.init_telemetry()
    if sys.argv[1] == "forked":
        if os.fork():
            os.wait()
            os._exit(0)
    for name in sys.stdin:
        with d.start_span(name.strip()):
            pass
        print(json.dumps(d.telemetry_status()["sampling"]), flush=True)
"""


@pytest.mark.parametrize("place", ["alone", "forked"])
def test_a_file_switches_a_running_process(tmp_path, place):
    switch, spans = tmp_path / "switch", tmp_path / "spans.jsonl"
    switch.write_text("off\n")
    (tmp_path / "program.py").write_text(textwrap.dedent(PROGRAM))
    environment = clean_environment(
        TELEMETRY_ENABLED="true",
        TELEMETRY_BACKEND="otel",
        OTEL_TRACE_SAMPLE="1.0",
        OTEL_TRACES_EXPORTER="file",
        DJP_TELEMETRY_FILE_PATH=str(spans),
        DJP_TELEMETRY_FLUSH_INTERVAL="0.05",
        DJP_TELEMETRY_OVERRIDES_FILE=str(switch),
        PYTHONPATH=os.pathsep.join(path for path in sys.path if path),
    )
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "program.py"), place],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    deadline = time.monotonic() + LIMIT

    def until(name, right):
        while time.monotonic() < deadline:
            process.stdin.write(f"{name}\n")
            if right(json.loads(process.stdout.readline())):
                return
            time.sleep(0.02)
        raise AssertionError(f"no {name} within {LIMIT} s")

    def names():
        return {span["name"] for span in file_spans(tmp_path)} if spans.exists() else set()

    try:
        until(
            "off", lambda now: not now["recording"] and now["recording_set_by"] == "overrides_file"
        )
        switch.write_text("on\nratio=1\n")
        until("on", lambda now: now["recording"] and now["ratio_set_by"] == "overrides_file")
        until("on", lambda now: "on" in names())
        switch.write_text("ratio=bad\n")
        time.sleep(1.5)
        until("still", lambda now: now["ratio_set_by"] == "overrides_file")
        switch.write_text("off\n")
        until("ending", lambda now: not now["recording"])
        until("off", lambda now: not now["recording"])
        switch.unlink()
        until("on", lambda now: now["recording_set_by"] == "configuration")
        process.stdin.close()
        assert process.wait(LIMIT) == 0
        assert process.stderr.read().count("Line 1 of the overrides file") == 1
        assert "off" not in names()
    finally:
        process.kill()
        process.wait()
