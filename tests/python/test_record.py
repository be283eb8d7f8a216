"""The recording methods of a span: events, links, status, names and times of every form, and that
none raises for a value."""

import dataclasses
import gc
import os
import time

import djp_telemetry
import pytest
from djp_telemetry import Context, SpanContext, Status, StatusCode, start_span
from growth import gives_back, new, references
from starve import starve, starves_well
from support import attributes, take, telemetry

pytest.importorskip("djp_telemetry._native")


@pytest.fixture(autouse=True)
def memory():
    with telemetry():
        yield


class OtherStatus:
    class status_code:  # noqa: N801 (the shape of OpenTelemetry's Status)
        name = "ERROR"

    description = "theirs"


class OtherCode:
    name = "OK"


@pytest.mark.parametrize(
    "given, expected",
    [
        ((StatusCode.ERROR, "why"), (2, "why")),
        ((StatusCode.OK,), (1, "")),
        ((2, "why"), (2, "why")),
        (("error", "why"), (2, "why")),
        (("ok",), (1, "")),
        (("OK", "kept only with error"), (1, "")),
        ((Status(StatusCode.ERROR, "inside"),), (2, "inside")),
        ((OtherStatus(),), (2, "theirs")),
        ((OtherCode(),), (1, "")),
        (("nonsense",), (0, "")),
        ((17,), (0, "")),
        ((None,), (0, "")),
        ((object(),), (0, "")),
    ],
)
def test_status(given, expected):
    with start_span("status") as span:
        span.set_status(*given)
    status = take().one("status").status
    assert (status.code, status.message) == expected


def test_opentelemetry_status_objects():
    trace = pytest.importorskip("opentelemetry.trace")
    with start_span("status") as span:
        span.set_status(trace.Status(trace.StatusCode.ERROR, "theirs"))
    status = take().one("status").status
    assert (status.code, status.message) == (2, "theirs")


def test_ok_is_final():
    with pytest.raises(ValueError), start_span("status") as span:
        span.set_status("ok")
        raise ValueError
    assert take().one("status").status.code == 1


def test_events():
    with start_span("events") as span:
        span.add_event("plain")
        span.add_event("full", {"a": [1, 2], "bad": object()}, 1_700_000_000_000_000_000)
        span.add_event(name="named", attributes={"b": "c"}, timestamp=1_700_000_000.5)
        span.add_event(None)
    recorded = take().one("events")
    plain, full, named = recorded.events[:3]
    assert plain.name == "plain" and abs(plain.time_unix_nano - time.time_ns()) < 60e9
    assert full.time_unix_nano == 1_700_000_000_000_000_000 and attributes(full.attributes) == {
        "a": [1, 2]
    }
    assert named.time_unix_nano == 1_700_000_000_500_000_000 and attributes(named.attributes) == {
        "b": "c"
    }
    assert recorded.dropped_attributes_count == 2


def test_links():
    with start_span("target") as target:
        pass
    foreign = SpanContext(0x1234, 0x5678, is_remote=True, trace_flags=1, trace_state="a=b")
    with start_span("linking", links=[target, (foreign, {"why": "retry"})]) as span:
        span.add_link(foreign, {"n": 1})
        span.add_link(target.get_span_context())
        span.add_link(object())
        span.add_link(SpanContext(0, 0))
        span.add_link(SpanContext(0, 0), {"why": "alone"})
        span.add_link(SpanContext(0, 0, trace_state="a=b"))
    recorded = take().one("linking")
    first, second, third, fourth, said, stated = recorded.links
    assert attributes(said.attributes) == {"why": "alone"} and stated.trace_state == "a=b"
    assert first.span_id == fourth.span_id == target.get_span_context().span_id.to_bytes(8, "big")
    assert second.trace_id == (0x1234).to_bytes(16, "big") and second.trace_state == "a=b"
    assert attributes(second.attributes) == {"why": "retry"} and attributes(third.attributes) == {
        "n": 1
    }
    assert (recorded.dropped_attributes_count, recorded.dropped_links_count) == (0, 2)


def test_opentelemetry_links():
    trace = pytest.importorskip("opentelemetry.trace")
    context = trace.SpanContext(0xABC, 0xDEF, is_remote=True, trace_flags=trace.TraceFlags(1))
    with start_span(
        "linking", links=[trace.Link(context, {"a": 1})], parent=trace.NonRecordingSpan(context)
    ):
        pass
    recorded = take().one("linking")
    assert recorded.trace_id == (0xABC).to_bytes(16, "big") and recorded.parent_span_id == (
        0xDEF
    ).to_bytes(8, "big")
    assert attributes(recorded.links[0].attributes) == {"a": 1}


def test_record_exception():
    with start_span("caught") as span:
        try:
            raise KeyError("k")
        except KeyError as error:
            span.record_exception(
                error, {"exception.message": "mine", "more": 1}, 1_700_000_000_000_000_000, True
            )
        span.record_exception(ValueError("never raised"))
        span.record_exception("no exception")
    recorded = take().one("caught")
    first, second = recorded.events
    assert (
        attributes(first.attributes)["exception.message"] == "mine"
        and attributes(first.attributes)["more"] == 1
    )
    assert first.time_unix_nano == 1_700_000_000_000_000_000
    assert attributes(second.attributes)["exception.type"] == "ValueError"
    assert recorded.status.code == 0 and recorded.dropped_attributes_count == 1


def test_names():
    with start_span("first") as span:
        span.update_name("grüße")
    with start_span(None):
        pass
    with start_span("a\udc00b"):
        pass
    assert [span.name for span in take()] == ["grüße", "unnamed", "a\ufffdb"]


def test_setters_after_the_end_change_nothing():
    with start_span("ended", {"a": 1}) as span:
        pass
    span.set_attribute("a", 2)
    span.set_status("error")
    span.add_event("late")
    span.update_name("other")
    recorded = take().one("ended")
    assert (
        attributes(recorded.attributes)["a"] == 1
        and not recorded.events
        and recorded.status.code == 0
    )


def ended(span):
    span.end()
    return take().one("s")


@pytest.fixture
def span():
    return start_span("s")


# ---- attributes --------------------------------------------------------------------------------


def test_attributes_by_place_and_by_name(span):
    span.set_attribute("a", 1)
    span.set_attribute(key="b", value=2)
    span.set_attribute("c", value=3)
    span.set_attribute("none", None)
    span.set_attribute(key="none", value=None)
    span.set_attributes({"d": 4})
    span.set_attributes(attributes={"e": 5})
    span.set_attributes(None)
    found = ended(span)
    kept = attributes(found.attributes)
    kept.pop("sampling.reason")
    assert kept == {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5} and found.dropped_attributes_count == 0


@pytest.mark.parametrize("key", [7, None, b"bytes", "", object()])
def test_keys_of_another_type_are_counted(span, key):
    span.set_attribute(key, 1)
    span.set_attribute(key=key, value=1)
    assert ended(span).dropped_attributes_count == 2


# ---- events ------------------------------------------------------------------------------------


def test_names_of_events(span):
    for name in ("é", b"bytes", "", "a\ud800"):
        span.add_event(name)
    for wrong in (None, 7, object()):
        span.add_event(wrong, {"k": 1})
    found = ended(span)
    names = [event.name for event in found.events]
    assert names[:2] == ["é", "bytes"] and names[3] == "a\ufffd"
    assert found.dropped_attributes_count == 3


def test_attributes_of_events(span):
    span.add_event("e", {"a": [1, {"b": "é" * 5000}], "none": None})
    span.add_event("f", attributes=None)
    span.add_event("g", 7)
    span.add_event("h", {"bad": object(), "worse": {1: 2}, 7: 8, "good": 1})
    found = ended(span)
    assert [attributes(event.attributes) for event in found.events] == [
        {"a": [1, {"b": "é" * 5000}]},
        {},
        {},
        {"good": 1},
    ]
    assert found.dropped_attributes_count == 4


# ---- links -------------------------------------------------------------------------------------

REMOTE = SpanContext(0xABC, 0xDEF, True, 1, "a=1")


class Link:
    """A link of another library."""

    def __init__(self, context, attributes=None):
        self.context = context
        if attributes is not None:
            self.attributes = attributes


class Bare:
    def __init__(self, context):
        self.context = context


class Raising:
    @property
    def context(self):
        raise RuntimeError

    get_span_context = attributes = context


def links_of(given, **arguments):
    span = start_span("s", links=[given])
    if not isinstance(given, (Link, Bare, tuple)):
        span.add_link(given, **arguments)
    found = ended(span)
    return found, [
        (
            int.from_bytes(link.trace_id, "big"),
            int.from_bytes(link.span_id, "big"),
            link.trace_state,
        )
        for link in found.links
    ]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (lambda: REMOTE, {}),
        (lambda: (REMOTE, {"k": 1}), {"k": 1}),
        (lambda: (REMOTE, None), {}),
        (lambda: Link(REMOTE, {"k": 1}), {"k": 1}),
        (lambda: Link(REMOTE), {}),
        (lambda: Bare(REMOTE), {}),
        (lambda: Context(REMOTE), {}),
        (lambda: djp_telemetry.extract({"traceparent": f"00-{0xABC:032x}-{0xDEF:016x}-01"}), None),
    ],
)
def test_links_of_every_form(given, kept):
    found, links = links_of(given())
    state = "" if kept is None else "a=1"
    assert set(links) == {(0xABC, 0xDEF, state)} and found.dropped_links_count == 0
    assert all(attributes(link.attributes) == (kept or {}) for link in found.links)


@pytest.mark.parametrize(
    "given",
    [
        7,
        None,
        object(),
        "text",
        (1, 2, 3),
        (),
        (7, {"k": 1}),
        Bare(None),
        Raising(),
        {},
        SpanContext(0, 0),
    ],
)
def test_links_to_nothing_are_counted(given):
    span = start_span("s", links=[given])
    span.add_link(given, {"bad": object()}) if given is None else span.add_link(given)
    found = ended(span)
    assert not found.links and found.dropped_links_count == 2


def test_a_link_to_a_local_span():
    with start_span("target") as target:
        pass
    take()
    for given in (target, target.context, Context(target), (target, {"k": 1}), Link(target, {})):
        found, links = links_of(given)
        assert {link[:2] for link in links} == {(target.context.trace_id, target.context.span_id)}


def test_attributes_of_links(span):
    span.add_link(REMOTE, {"a": [1, "é" * 5000], "bad": object(), 7: 8})
    span.add_link(context=REMOTE, attributes={"b": 1})
    span.add_link(REMOTE, None)
    span.add_link((REMOTE, {"c": 1}))
    span.add_link((REMOTE, {"c": 1}), {"d": 2})  # no pair beside attributes
    found = ended(span)
    assert [attributes(link.attributes) for link in found.links] == [
        {"a": [1, "é" * 5000]},
        {"b": 1},
        {},
        {"c": 1},
    ]
    assert (found.dropped_attributes_count, found.dropped_links_count) == (2, 1)


# ---- status ------------------------------------------------------------------------------------


class Named:
    def __init__(self, name):
        self.name = name


class Whole:
    def __init__(self, code, description="theirs"):
        self.status_code, self.description = code, description


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("error", "d"), (2, "d")),
        (("ERROR",), (2, "")),
        (("erro",), None),
        (("errors",), None),
        (("ok", "d"), (1, "")),
        (("oK",), (1, "")),
        (("unset", "d"), (0, "")),
        (("UnSet",), (0, "")),
        (("unse",), None),
        ((b"error",), None),
        ((0,), (0, "")),
        ((1,), (1, "")),
        ((2, "d"), (2, "d")),
        ((3,), None),
        ((-1,), None),
        ((2**70,), None),
        ((-(2**70),), None),
        ((True,), (1, "")),
        ((Named("ERROR"), "d"), (2, "d")),
        ((Named("none"),), None),
        ((Named(7),), None),
        ((Whole(StatusCode.ERROR),), (2, "theirs")),
        ((Whole(2), "mine"), (2, "mine")),
        ((Whole("error"), None), (2, "theirs")),
        ((Whole(2, 7),), (2, "")),
        ((Whole(7),), None),
        ((Whole(None),), None),
        (("error", b"bytes"), (2, "bytes")),
        (("error", 7), (2, "")),
        (("error", "é\ud800"), (2, "é\ufffd")),
        ((Raising(),), None),
        ((None,), None),
    ],
)
def test_status_of_every_form(span, given, expected):
    span.set_status(*given)
    found = ended(span)
    status = found.status.code, found.status.message
    assert status == (expected or (0, ""))
    assert found.dropped_attributes_count == (expected is None)


def test_status_by_name(span):
    span.set_status(status="error", description="d")
    assert ended(span).status.message == "d"


# ---- names and ends ----------------------------------------------------------------------------


@pytest.mark.parametrize("given", [7, None, object()])
def test_a_new_name_of_another_type_changes_nothing(span, given):
    span.update_name(given)
    assert ended(span).name == "s"


def test_a_new_name(span):
    span.update_name(b"bytes")
    span.update_name(name="é\ud800")
    span.end()
    assert [one.name for one in take()] == ["é\ufffd"]


@pytest.mark.parametrize("given", [1_700_000_001_000_000_000, 1_700_000_001.0])
def test_the_time_of_an_end(given):
    for end in (lambda span: span.end(given), lambda span: span.end(end_time=given)):
        span = start_span("s", start_time=1_700_000_000)
        end(span)
        assert not span.is_recording()
        span.end(5)
        assert take().one("s").end_time_unix_nano == 1_700_000_001_000_000_000


def test_what_records_nothing_accepts_everything():
    ended_span = start_span("s")
    ended_span.end()
    for one in (djp_telemetry.INVALID_SPAN, Context(REMOTE).span, ended_span):
        for result in (
            one.set_attribute("k", 1),
            one.set_attribute(key="k", value=object()),
            one.set_attributes({"k": 1}),
            one.add_event("e", {"k": object()}, 7),
            one.add_link(REMOTE, {"k": 1}),
            one.record_exception(ValueError()),
            one.record_exception("text"),
            one.set_status("error"),
            one.set_status(object()),
            one.update_name("n"),
            one.update_name(7),
            one.end(),
        ):
            assert result is None
        assert one.is_recording() is False
    assert len(take()) == 1 and start_span("t").is_recording() is True


@dataclasses.dataclass(repr=False)
class Ending:
    """A value that ends telemetry while it is read: as a mapping, or as text."""

    span: object

    def __repr__(self):
        self.span.end()
        djp_telemetry.shutdown(1)
        gc.collect()
        return "ended"

    def keys(self):
        return [repr(self)]

    def __getitem__(self, key):
        return key


def test_values_that_end_the_span_and_telemetry():
    for record in (
        lambda span, odd: span.set_attribute("k", odd),
        lambda span, odd: span.set_attributes({"a": 1, "k": odd, "b": 2}),
        lambda span, odd: span.set_attributes(odd),
        lambda span, odd: span.add_event("e", {"k": odd}),
        lambda span, odd: span.add_link(REMOTE, {"k": odd}),
        lambda span, odd: span.record_exception(ValueError(), {"k": odd}),
    ):
        with telemetry():
            span = start_span("s")
            record(span, Ending(span))
            assert not span.is_recording()


# ---- memory ------------------------------------------------------------------------------------

ODD = object()


def recorded():
    span = start_span("s")
    long = new("é" * 5000 + "\ud800")
    span.add_event(long, {"k": long, "bad": ODD})
    span.add_event(ODD)
    for link in (
        (REMOTE, {"k": long}),
        Link(REMOTE, {"k": long}),
        Link(SpanContext(1, 2, False, 0, new("a=" + "x" * 200))),
        Bare(REMOTE),
        Raising(),
        ODD,
        Context(REMOTE),
        span,
    ):
        span.add_link(link)
        span.add_link(link, {"k": long})
    for status in (Whole(2, long), Whole(ODD, long), Named(long), Raising(), ODD, 2**70):
        span.set_status(status)
    span.set_status("error", long)
    span.update_name(long)
    span.update_name(ODD)
    span.record_exception(ODD)
    span.set_attribute(key=long, value=long)
    span.end()


def test_recordings_are_given_back():
    with telemetry(exporter="file", file_path=os.devnull):
        recorded()
        kinds = ODD, REMOTE, None, SpanContext, Link
        assert references(recorded, *kinds, rounds=40) == [0] * 5
        assert gives_back(recorded, 20)


def test_recordings_without_memory(span):
    long = "é" * 5000
    for call in (
        lambda: span.add_event(long, {"k": long}),
        lambda: span.add_link(REMOTE, {"k": long}),
        lambda: span.add_link(Link(REMOTE, {"k": long})),
        lambda: span.set_status("error", long),
        lambda: span.set_status(Whole(2, long)),
        lambda: span.update_name(long),
        lambda: span.set_attribute(key="k", value=long),
        span.is_recording,
    ):
        assert starves_well(call)
    assert starve(lambda: span.end(1 << 60))
