"""Baggage entries as span attributes: which spans get them, and from which context."""

import json
import pathlib

import asgi_driver as driver
import pytest
from djp_telemetry import Context, baggage, extract, get_tracer, start_span
from djp_telemetry.asgi import TelemetryMiddleware
from support import attributes, take, telemetry

pytest.importorskip("djp_telemetry._native")

VECTORS = pathlib.Path(__file__).resolve().parents[1] / "vectors" / "baggage_attributes.json"
CASES = json.loads(VECTORS.read_text())["cases"]


def own(span):
    """The attributes without those of the instrumentation."""
    found = attributes(span.attributes)
    return {key: found[key] for key in found if not key.startswith(("http.", "sampling."))}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_vectors(case):
    async def app(scope, receive, send):
        start_span("inside").end()
        await driver.answering()(scope, receive, send)

    with telemetry(backend="hybrid", baggage_attributes=case["setting"]):
        token = baggage.attach(extract({"baggage": case["baggage"]}))
        with get_tracer("t").start_as_current_span("root"):
            start_span("child").end()
        baggage.detach(token)
        start_span("named", parent=extract({"baggage": case["baggage"]})).end()
        driver.request(TelemetryMiddleware(app), headers=[("baggage", case["baggage"].encode())])
        spans = take()
        for name in ("root", "child", "named", "http.server", "inside"):
            assert own(spans.one(name)) == case["attributes"], name


def test_the_given_context_comes_before_the_current_one():
    with telemetry(baggage_attributes="*"):
        token = baggage.attach(baggage.set_baggage("k", "current"))
        start_span("given", parent=baggage.set_baggage("k", "given", Context())).end()
        start_span("without", parent=Context()).end()
        baggage.detach(token)
        start_span("later").end()
        spans = take()
        assert own(spans.one("given")) == {"k": "given"}
        assert own(spans.one("without")) == {"k": "current"}
        assert own(spans.one("later")) == {}


def test_a_request_has_the_baggage_of_its_headers_alone():
    with telemetry(backend="hybrid", baggage_attributes="*"):
        token = baggage.attach(baggage.set_baggage("k", "of the server"))
        driver.request(TelemetryMiddleware(driver.answering()))
        baggage.detach(token)
        assert own(take().one("http.server")) == {}


def test_what_the_program_sets_replaces_it():
    with telemetry(baggage_attributes="k", attribute_value_length_limit=3):
        token = baggage.attach(baggage.set_baggage("k", "from baggage"))
        start_span("as it came").end()
        start_span("set", {"k": 1}).end()
        baggage.detach(token)
        spans = take()
        assert own(spans.one("as it came")) == {"k": "fro"}
        assert own(spans.one("set")) == {"k": 1}
