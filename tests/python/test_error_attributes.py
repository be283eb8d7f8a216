"""The attribute `error` and the status agree, under the documented names."""

import pytest
from djp_telemetry import start_span
from support import attributes, take, telemetry

ERROR = 2


def recorded(**options):
    with telemetry(**options):
        with pytest.raises(KeyError), start_span("raises"):
            raise KeyError("missing")
        with start_span("says") as span:
            span.set_attribute("error", True)
        with start_span("given", {"error": True}):
            pass
        with start_span("denies") as span:
            span.set_attribute("error", False)
        with start_span("described") as span:
            span.set_status("error", "why")
        with start_span("own") as span:
            span.set_attribute("error.type", "timeout")
            span.set_attribute("error.message", "mine")
            span.set_status("error", "why")
        with start_span("fine") as span:
            span.set_attribute("error", True)
            span.set_status("ok")
        return take()


def test_failed_spans_carry_error_under_the_documented_names():
    shown = {}
    for span in recorded():
        found = {
            key: text
            for key, text in attributes(span.attributes).items()
            if key.startswith("error")
        }
        shown[span.name] = (span.status.code, found)
    assert shown == {
        "raises": (ERROR, {"error": True, "error.type": "KeyError", "error.message": "'missing'"}),
        "says": (ERROR, {"error": True}),
        "given": (ERROR, {"error": True}),
        "denies": (0, {"error": False}),
        "described": (ERROR, {"error": True, "error.message": "why"}),
        "own": (ERROR, {"error": True, "error.type": "timeout", "error.message": "mine"}),
        "fine": (1, {"error": True}),
    }


def test_stable_names_leave_it_to_the_status():
    for span in recorded(semconv="stable"):
        found = attributes(span.attributes)
        assert "error.message" not in found or span.name == "own"
        assert ("error" in found) == (span.name in ("says", "given", "denies", "fine"))
        assert (span.status.code == ERROR) == (span.name not in ("denies", "fine"))


def test_the_attribute_keeps_the_trace():
    assert {span.name for span in recorded(sample_ratio=1e-12)} == {
        "raises",
        "says",
        "given",
        "described",
        "own",
    }


def test_a_long_message_is_cut_at_a_character():
    with telemetry():
        with pytest.raises(ValueError), start_span("long"):
            raise ValueError("é" * 5000)
        assert attributes(take().one("long").attributes)["error.message"] == "é" * 512
