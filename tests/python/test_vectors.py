"""The shared vectors of all languages through the Python package: settings, baggage, injection of a
span context, paths as labels, the format of an exposition. (Extraction of trace context is in
test_w3c_harness.py.)"""

import json
import os
import pathlib

import djp_telemetry
import pytest
from djp_telemetry import _loader, metrics

native = _loader.native
FOLDER = pathlib.Path(__file__).parent.parent / "vectors"


def load(name):
    found = json.loads((FOLDER / name).read_text())
    return found["cases"] if isinstance(found, dict) else found


def named(cases):
    return pytest.mark.parametrize(
        "item", cases, ids=[str(item.get("case", at)) for at, item in enumerate(cases)]
    )


# ---- settings ----------------------------------------------------------------------------------


def check(item, found, warnings):
    report = json.loads(found["report"])
    for part, wanted in (("value", item["expect"]), ("source", item.get("sources", {}))):
        for name, value in wanted.items():
            assert report[name][part] == value and type(report[name][part]) in (
                type(value),
                int,
                float,
            ), name
    assert len(warnings) == item["warnings"], warnings
    assert all(len(text) > 20 and text.endswith(".") for text in warnings), warnings
    for name in item.get("warning_names", []):
        assert any(name in text for text in warnings), (name, warnings)
    for secret in item.get("hidden", []):
        assert not any(
            secret in text
            for text in [*warnings, found["report"], found["summary"], found["status"]]
        )
    if "summary" in item.get("fields", {}):
        assert found["summary"] == item["fields"]["summary"]


@named(load("config.json"))
def test_settings(item):
    warnings = []
    camel = item.get("spelling") == "camel"
    service = item.get("default_service_name")
    found = native.sdk_resolve(item["options"], item["env"], service, warnings.append, camel)
    check(item, found, warnings)
    assert native.sdk_status() is None


def test_an_environment_that_cannot_be_listed_is_read_all_the_same():
    class Closed(dict):
        def keys(self):
            raise RuntimeError("no list")

    closed = Closed(OTEL_SERVICE_NAME="read", DJP_TELEMETRY_NONSENSE="1")
    found = native.sdk_resolve({"enabled": "true"}, closed, None, pytest.fail)
    assert found["service_name"] == "read"


def test_names_of_the_environment_that_are_no_text():
    warnings = []
    native.sdk_resolve(
        {"enabled": "true"},
        {1: "x", b"OTEL_X": 2, "DJP_TELEMETRY_\udcff": "1"},
        None,
        warnings.append,
    )
    assert len(warnings) == 1 and "DJP_TELEMETRY_" in warnings[0]


# ---- context -----------------------------------------------------------------------------------


@named(load("baggage.json"))
def test_baggage(item):
    carrier = [("baggage", field) for field in item["fields"]]
    baggage = djp_telemetry.extract(carrier).baggage
    assert list(baggage.items().items()) == [(key, value) for key, value, _ in item["entries"]]
    assert baggage.to_header() == item["text"]
    built = djp_telemetry.Baggage()
    for key, value, properties in item["entries"]:
        built = built.set(key, value, properties or None)
    again = djp_telemetry.extract({"baggage": built.to_header()}).baggage
    assert again.to_header() == built.to_header() and again.items() == baggage.items()


@named(load("inject.json"))
def test_what_is_sent(item):
    received = [("traceparent", f"00-{item['trace_id']}-{item['span_id']}-{item['flags']:02x}")]
    if item["tracestate"]:
        received.append(("tracestate", item["tracestate"]))
    baggage = djp_telemetry.Baggage()
    for key, value, properties in item["baggage"]:
        baggage = baggage.set(key, value, properties or None)
    span = djp_telemetry.extract(received).span
    sent = []
    context = djp_telemetry.Context(span, baggage)
    djp_telemetry.inject(sent, lambda carrier, key, value: carrier.append([key, value]), context)
    assert sent == item["headers"]


# ---- metrics -----------------------------------------------------------------------------------


@named(load("negotiation.json"))
def test_the_format_of_a_scrape(item):
    assert metrics.expose(item["accept"])[1] == item["type"]


def test_every_file_of_vectors_has_a_reader_here():
    """A new file must not be read by only one language."""
    source = "".join(path.read_text() for path in pathlib.Path(__file__).parent.glob("test_*.py"))
    elsewhere = {"tracestate_set.json"}  # only of the core
    missing = [
        name
        for name in sorted(os.listdir(FOLDER))
        if name not in elsewhere and f'"{name}"' not in source
    ]
    assert not missing
