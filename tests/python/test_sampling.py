"""Trees of samplers through the public API: the shared vectors, the functions that make their text,
and HTTP requests."""

import asyncio
import json
import logging
import pathlib

import djp_telemetry
import pytest
from djp_telemetry import SpanKind, sampling, start_span
from djp_telemetry.asgi import TelemetryMiddleware
from djp_telemetry.sampling import (
    always_off,
    always_on,
    annotating,
    anything,
    at_least,
    attribute,
    drop,
    has_remote_parent,
    is_root,
    kind,
    name,
    parent_sampled,
    parent_threshold,
    probability,
    rate_limited,
    rule_based,
)
from support import attributes, take, telemetry

VECTORS = json.loads(
    (pathlib.Path(__file__).parent.parent / "vectors" / "samplers.json").read_text()
)


def cases(part):
    return [pytest.param(item, id=item["case"]) for item in VECTORS[part]]


def run(item):
    parent = None
    if "parent" in item:
        flags = "03" if item["parent"]["sampled"] else "02"
        carrier = {"traceparent": f"00-{item['trace_id']}-0100000000000000-{flags}"}
        if "state" in item["parent"]:
            carrier["tracestate"] = item["parent"]["state"]
        parent = djp_telemetry.extract(carrier)
    span = start_span(
        item.get("name", "root"), item.get("attributes"), parent=parent, kind=item.get("kind")
    )
    context, recording = span.context, span.is_recording()
    if item.get("error"):
        span.set_status("error")
    span.end()
    return bool(context.trace_flags & 1), recording, context.trace_state.to_header()


@pytest.mark.parametrize("item", cases("decisions"))
def test_roots_are_decided(item):
    with telemetry(sampler=item["sampler"], sample_ratio=None):
        for root in item["roots"]:
            # OTLP and start_span() know no span without a name.
            root = {**root, "name": root.get("name") or "root"}
            sampled, recording, state = run(root)
            spans = take()
            assert sampled == root["sampled"], root
            assert recording == root.get("recording", True), root
            assert state == root.get("state", state), root
            assert len(spans) == root.get("kept", root["sampled"]), root
            if "added" in root:
                found = attributes(spans[0].attributes)
                assert {key: found.get(key) for key in root["added"]} == root["added"]


@pytest.mark.parametrize("item", cases("texts"))
def test_the_text_of_samplers(item, recwarn, caplog):
    with telemetry(sampler=item["text"], sample_ratio=None):
        said = [str(w.message) for w in recwarn] + [
            r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING
        ]
        shown = djp_telemetry.telemetry_status()["settings"]["sampler"]
        if "at" not in item:
            assert (shown["value"], shown["source"]) == (item["canonical"], "option sampler")
            assert not said
        elif item["text"] == "":
            assert not said and shown["source"] == "default"
        else:
            assert len(said) == 1 and "option sampler" in said[0]
            assert shown == {"value": "traceidratio", "source": "default"}
            if "(" in item["text"]:
                assert f"character {item['at'] + 1} " in said[0] and item["expected"] in said[0]


def request(method, path):
    async def application(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def drive():
        path_only, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
        }
        scope.update(path=path_only, query_string=query.encode(), headers=[], root_path="")

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            pass

        await TelemetryMiddleware(application)(scope, receive, send)
        return scope["djp_telemetry.span"]

    return asyncio.run(drive())


@pytest.mark.parametrize("item", cases("requests"))
def test_what_requests_show(item):
    with telemetry(sampler=item["sampler"], sample_ratio=None):
        span = request(item["method"], item["path"])
        assert bool(span.context.trace_flags & 1) == item["sampled"]
        spans = take()
        assert len(spans) == item["sampled"]
        for exported in spans:
            assert item["path"] not in str(exported.attributes)


def test_the_functions_make_the_text():
    tree = parent_threshold(
        rule_based(
            [
                (name("GET /health*"), drop()),
                (name("a*", exact=True) & ~kind(SpanKind.SERVER), always_off()),
                (
                    attribute("user.tier", "gold") & kind("client"),
                    annotating({"team": 'p"y', "n": 1, "t": True}, always_on()),
                ),
                (is_root() & ~has_remote_parent(), at_least(2, probability(0.05))),
                (attribute("k") & attribute("b", True) & ~~parent_sampled(), rate_limited(10)),
                (anything(), probability(0.25)),
            ]
        )
    )
    assert str(tree) == (
        'parent_threshold(rule_based(name("GET /health*") => drop, '
        'name("a\\*") & !kind(server) => always_off, '
        'attribute("user.tier"="gold") & kind(client) => '
        'annotating({"team"="p\\"y", "n"=1, "t"=true}, always_on), '
        "root & !remote_parent => at_least(2, probability(0.05)), "
        'attribute("k"="*") & attribute("b"="true") & parent_sampled => rate_limited(10), '
        "any => probability(0.25)))"
    )
    with telemetry(sampler=tree, sample_ratio=None):
        status = djp_telemetry.telemetry_status()
        assert status["settings"]["sampler"]["value"] == str(tree) == status["sampling"]["sampler"]
        assert status["sampling"]["ratio"] is None


def test_samplers_are_values():
    assert probability(0.5) == probability(0.5) != probability(0.25)
    assert len({always_on(), always_on(), drop(), anything()}) == 3
    assert anything() != always_on() and repr(drop()) == "<Sampler drop>"
    with pytest.raises(AttributeError):
        drop()._text = "x"
    with pytest.raises(ValueError):
        _ = ~(name("a & b") & anything())
    assert str(~name("a & b")) == '!name("a & b")'
    assert sorted(sampling.__all__) == sampling.__all__


def test_a_ratio_that_is_said_replaces_the_tree():
    with telemetry(sampler="rule_based(any => always_off)", sample_ratio=None, sample_errors=False):
        start_span("no").end()
        assert djp_telemetry.set_sample_ratio(1)
        assert djp_telemetry.telemetry_status()["sampling"]["ratio"] == 1
        start_span("yes").end()
        assert djp_telemetry.set_sample_ratio(None)
        start_span("no").end()
        assert [span.name for span in take()] == ["yes"]
        assert (
            djp_telemetry.telemetry_status()["sampling"]["sampler"]
            == "rule_based(any => always_off)"
        )


def test_children_follow_their_root():
    with telemetry(
        sampler='rule_based(name("a") => always_on, name("c") => drop)', sample_ratio=None
    ):
        for root_name in "ab":
            with start_span(root_name):
                with start_span("c"):
                    pass
        assert [span.name for span in take()] == ["c", "a"]


def test_attributes_that_are_read_once_are_recorded(recwarn):
    class Items(dict):
        reads = 0

        def items(self):
            Items.reads += 1
            return super().items()

    with telemetry(sampler='rule_based(attribute("a"="1") => always_on)', sample_ratio=None):
        start_span("x", Items(a=1, b=[1, 2], c=object())).end()
        span = take().one("x")
        assert (
            attributes(span.attributes) == {"a": 1, "b": [1, 2]}
            and span.dropped_attributes_count == 1
        )
        assert Items.reads <= 1
