"""Spans as dicts, for tests of applications: equal to the official decoder and the console
exporter."""

import datetime
import json

import djp_telemetry
import pytest
from djp_telemetry import get_tracer, start_span, take_exported
from support import run_program, telemetry

PROGRAM = """
import json, os, sys, time
import djp_telemetry as d
d.init_telemetry(exporter=os.environ["WHERE"], resource_attributes={"team": "x"})
tracer = d.get_tracer("shop", "1.2", attributes={"kind": "test"})
start = 1_700_000_000_123_456_789
linked = d.SpanContext(int("a" * 32, 16), int("b" * 16, 16), True, 1, "k=v")
with tracer.start_as_current_span("root", kind="server", start_time=start) as root:
    root.set_attributes({"text": "\\u00e9", "int": -7, "wide": 2**62, "real": 2.5, "yes": True})
    root.set_attributes({"list": [1, "a", None], "map": {"a": {"b": []}}})
    root.add_event("event", {"n": 1}, timestamp=start)
    root.add_link(linked, {"l": "x"})
    child = d.start_span("child", kind="client")
    child.set_status("error", "why")
    child.end()
    root.set_status("ok")
    root.end(start + 1_234_567)
if os.environ["WHERE"] == "memory":
    for span in d.take_exported():
        print(json.dumps(span))
d.shutdown(5)
"""
VOLATILE = ("trace_id", "span_id", "parent_id", "start", "end", "duration_ms", "time")


def steady(value):
    """Without the parts that differ from run to run."""
    if isinstance(value, list):
        return [steady(item) for item in value]
    if not isinstance(value, dict):
        return value
    dropped = {"process.pid", "service.instance.id"}
    return {
        key: "" if key in VOLATILE else steady(item)
        for key, item in value.items()
        if key not in dropped
    }


def test_the_same_as_the_console_says(tmp_path):
    lines = {}
    for where in ("memory", "console"):
        done = run_program(
            PROGRAM,
            tmp_path,
            WHERE=where,
            OTEL_TRACES_EXPORTER="",
            DJP_TELEMETRY_CONSOLE_FORMAT="json",
        )
        lines[where] = [json.loads(line) for line in done.stdout.splitlines()]
        lines[where].sort(key=lambda span: span["name"])
    child, root = lines["memory"]
    assert steady(lines["memory"]) == steady(lines["console"])
    assert [set(span) for span in lines["memory"]] == [set(span) for span in lines["console"]]
    assert root["start"] == "2023-11-14T22:13:20.123456Z" and root["duration_ms"] == 1.234
    assert child["parent_id"] == root["span_id"] and root["parent_id"] is None
    assert (
        child["status"] == {"code": "ERROR", "message": "why"}
        and root["links"][0]["trace_state"] == "k=v"
    )


def test_values_of_every_kind_come_back():
    given = {
        "bytes": b"\0\xff",
        "least": -(2**63),
        "most": 2**63 - 1,
        "none": [None, {}],
        "float": -0.5,
        "empty": "",
        "day": datetime.date(2026, 1, 31),
    }
    with telemetry():
        with start_span("values", given):
            pass
        (span,) = take_exported()
    span["attributes"].pop("sampling.reason", None)
    assert span["attributes"] == {**given, "day": "2026-01-31"}
    assert span["resource"]["service.name"] == "test"


def test_taking_empties_and_other_exporters_give_nothing():
    with telemetry():
        for n in range(3000):
            get_tracer(f"scope {n % 3}").start_span("many").end()
        spans = take_exported()
        assert len(spans) == 3000 and {span["scope"]["name"] for span in spans} == {
            f"scope {n}" for n in range(3)
        }
        assert take_exported() == []
    with telemetry(exporter="none"):
        start_span("x").end()
        assert take_exported() == []
    assert take_exported() == []


@pytest.mark.parametrize("timeout", [0, -1, None, "soon", float("nan")])
def test_a_wrong_time_out_raises_nothing(timeout):
    with telemetry():
        start_span("x").end()
        assert isinstance(take_exported(timeout), list)
    assert djp_telemetry.take_exported() == []
