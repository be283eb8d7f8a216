"""Propagation when nothing is recorded: telemetry off, disabled, without spans, switched off, and
without the native core, where the parsing of headers is checked with the same vectors as the
core's."""

import copy
import json
import pathlib
import pickle
import subprocess
import sys

import djp_telemetry
import pytest
from djp_telemetry import _noop_context as light
from djp_telemetry import _w3c
from support import clean_environment, telemetry

VECTORS = pathlib.Path(__file__).parent.parent / "vectors"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
HEADERS = {"traceparent": PARENT, "tracestate": "a=1,b=2", "baggage": "tenant=acme"}


def cases(name):
    return json.loads((VECTORS / name).read_text())["cases"]


IMPLEMENTATIONS = [djp_telemetry, light]


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS, ids=["native", "no-op"])
@pytest.mark.parametrize("name", ["traceparent.json", "tracestate.json"])
def test_received_trace_context(implementation, name):
    for case in cases(name):
        for request in case["requests"]:
            found = implementation.extract([tuple(header) for header in request["headers"]])
            context = found.get_span_context()
            if request["continued"] is None:
                assert not context.is_valid, case["case"]
                continue
            assert f"{context.trace_id:032x}" == request["continued"], case["case"]
            assert context.trace_flags == request["flags"], case["case"]
            assert context.trace_state.to_header() == request["tracestate"], case["case"]
            assert context.is_remote
            if "parent" in request:
                assert f"{context.span_id:016x}" == request["parent"]


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS, ids=["native", "no-op"])
def test_received_baggage(implementation):
    for case in cases("baggage.json"):
        baggage = implementation.extract([("baggage", field) for field in case["fields"]]).baggage
        assert baggage.items() == {key: value for key, value, _ in case["entries"]}, case["case"]
        assert baggage.to_header() == case["text"], case["case"]
        built = implementation.Baggage()
        for key, value, properties in case["entries"]:
            built = built.set(key, value, properties)
        assert built.to_header() == case["text"], case["case"]
        assert implementation.Baggage(built.to_header()) == built


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS, ids=["native", "no-op"])
def test_what_is_sent(implementation):
    for case in cases("inject.json"):
        baggage = implementation.Baggage()
        for key, value, properties in case["baggage"]:
            baggage = baggage.set(key, value, properties)
        ids = int(case["trace_id"], 16), int(case["span_id"], 16)
        context = implementation.SpanContext(*ids, False, case["flags"], case["tracestate"])
        sent = implementation.inject([], context=implementation.Context(context, baggage))
        assert [list(pair) for pair in sent] == case["headers"], case["case"]


def test_bad_entries_change_nothing():
    for baggage in (djp_telemetry.Baggage("a=1"), light.Baggage("a=1")):
        for key, value, properties in [
            ("b d", "1", None),
            ("b", "x" * 8192, None),
            ("b", 1, None),
            ("b", "1", "p q"),
        ]:
            assert baggage.set(key, value, properties).to_header() == "a=1"


OFF = {
    "off": {"TELEMETRY_ENABLED": "false"},
    "disabled": {"TELEMETRY_ENABLED": "true", "OTEL_SDK_DISABLED": "true"},
    "prom": {"TELEMETRY_ENABLED": "true", "TELEMETRY_BACKEND": "prom"},
    "exporter none": {
        "TELEMETRY_ENABLED": "true",
        "TELEMETRY_BACKEND": "otel",
        "OTEL_TRACES_EXPORTER": "none",
    },
    "hybrid, exporter none": {
        "TELEMETRY_ENABLED": "true",
        "TELEMETRY_BACKEND": "hybrid",
        "OTEL_TRACES_EXPORTER": "none",
    },
    "no core": {"TELEMETRY_ENABLED": "true", "DJP_TELEMETRY_NATIVE": "off"},
    "never initialised": {"SKIP_INIT": "1"},
    "switched off": {
        "TELEMETRY_ENABLED": "true",
        "TELEMETRY_BACKEND": "otel",
        "OTEL_TRACES_EXPORTER": "file",
        "SWITCH": "1",
    },
    "after shutdown": {
        "TELEMETRY_ENABLED": "true",
        "TELEMETRY_BACKEND": "otel",
        "OTEL_TRACES_EXPORTER": "file",
        "END": "1",
    },
}
PROGRAM = """
import asyncio, json, logging, os, sys
import djp_telemetry as d
from djp_telemetry import baggage, log_correlation
if "SKIP_INIT" not in os.environ:
    d.init_telemetry(file_path=os.devnull)
if "SWITCH" in os.environ:
    assert d.set_enabled(False)
if "END" in os.environ:
    d.shutdown(5)
log_correlation.install_trace_correlation()
logging.basicConfig(stream=sys.stdout, format="%(trace_id)s %(span_id)s", force=True)
HEADERS = json.loads(os.environ["HEADERS"])
context = d.extract(HEADERS)
seen = []

@d.get_tracer("x").start_as_current_span("decorated", context=context)
def decorated(): return d.inject()

@d.traced
def plain(): return d.inject()

@d.traced
def generator(): yield d.inject()

with d.start_span("server", parent=context, kind="server") as span:
    seen.append(d.inject({}, context=d.Context(span, context.baggage)))
    assert not span.is_recording()
token = d.attach(context)
seen += [d.inject(), plain(), *generator()]
logging.getLogger("x").warning("line")
with d.start_span("inner"):
    seen.append(d.inject())
async def task(): return d.inject()
async def main(): return await asyncio.create_task(task())
seen.append(asyncio.run(main()))
d.detach(token)
with d.use_span(context.span):
    decorated_headers = decorated()
for headers in seen:
    assert headers == HEADERS, headers
assert decorated_headers["traceparent"] == HEADERS["traceparent"]
assert d.inject() == {} and d.get_current_trace_id() == ""
print("done")
"""


@pytest.mark.parametrize("name", OFF)
def test_what_came_goes_on(name):
    environment = clean_environment(
        PYTHONPATH=":".join(path for path in sys.path if path),
        HEADERS=json.dumps(HEADERS),
        **OFF[name],
    )
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert (
        "0af7651916cd43dd8448eb211c80319c b7ad6b7169203331" in done.stdout and "done" in done.stdout
    )


def pickled(thing):
    return pickle.loads(pickle.dumps(thing))


@pytest.mark.parametrize("through", [pickled, copy.copy, copy.deepcopy])
def test_contexts_are_copied_and_pickled(through):
    with telemetry(), djp_telemetry.start_span("parent") as span:
        context = djp_telemetry.Context(span, djp_telemetry.Baggage("tenant=acme"))
        identity = span.get_span_context()
        assert through(identity) == identity
        assert through(context.baggage) == context.baggage
        assert through(context).get_span_context() == identity
        assert through(context).baggage.get("tenant") == "acme"
        assert through(identity.trace_state) == identity.trace_state
        assert through(djp_telemetry.TraceFlags(1)).sampled
    received = djp_telemetry.extract(HEADERS)
    assert djp_telemetry.inject({}, context=through(received)) == HEADERS


@pytest.mark.parametrize("sender, receiver", [("", "off"), ("off", ""), ("off", "off")])
def test_a_pickle_is_understood_with_and_without_the_core(sender, receiver):
    program = """
import pickle, sys, djp_telemetry as d
if len(sys.argv) > 1:
    things = pickle.loads(bytes.fromhex(sys.argv[1]))
    assert all(type(thing).__module__ == "djp_telemetry" for thing in things)
    carrier = d.inject(context=things[1])
    print(things[0], carrier, things[2].get("tenant"), dict(things[0].trace_state))
else:
    context = d.extract({"traceparent": PARENT, "tracestate": "a=1", "baggage": "tenant=acme"})
    print(pickle.dumps((context.get_span_context(), context, context.baggage)).hex())
"""

    def run(native, *arguments):
        environment = clean_environment(
            PYTHONPATH=":".join(path for path in sys.path if path), DJP_TELEMETRY_NATIVE=native
        )
        done = subprocess.run(
            [sys.executable, "-c", f"PARENT = {PARENT!r}{program}", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    shown = run(receiver, run(sender))
    assert (
        PARENT in shown
        and "tenant=acme" in shown
        and "is_remote=True" in shown
        and "{'a': '1'}" in shown
    )


def test_the_words_of_the_light_parser():
    assert _w3c.parse_traceparent(PARENT + "\n") is None
    assert _w3c.parse_tracestate(["a=1", "A=1"]) == ""
