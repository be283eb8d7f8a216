"""One outgoing request of any library: which requests carry context, which headers are added, and
how functions of a library are replaced and restored."""

import re

import pytest
from djp_telemetry import attach, baggage, detach, start_span
from djp_telemetry._outgoing_call import Options, OutgoingCall, origin_of, replace
from support import take, telemetry

URL = "http://example.com/x"


def nothing(name):
    return None


@pytest.mark.parametrize(
    "text, origin",
    [
        ("http://example.com/a?b#c", "http://example.com"),
        ("HTTP://Example.COM", "http://example.com"),
        ("http://example.com:80/", "http://example.com"),
        ("http://example.com:443/", "http://example.com:443"),
        ("https://example.com:443/", "https://example.com"),
        ("https://user:password@example.com:8443/", "https://example.com:8443"),
        ("http://[::1]:3000/", "http://[::1]:3000"),
        ("ws://example.com:80/", "ws://example.com:80"),
        ("/path", ""),
        ("example.com", ""),
        ("http://", ""),
        ("", ""),
    ],
)
def test_the_origin_of_a_url(text, origin):
    assert origin_of(text) == origin


@pytest.mark.parametrize(
    "origins, allowed, refused",
    [
        (None, ["http://a", ""], []),
        ("http://a/path", ["http://a"], ["http://ab", "https://a", "http://a:81"]),
        (["http://a", "https://b:443"], ["http://a", "https://b"], ["http://b"]),
        (re.compile("^http://a"), ["http://a", "http://ab"], ["https://a", "x http://a"]),
        ([re.compile("a$"), "http://b", 7], ["http://a", "http://b"], ["http://c"]),
        (lambda origin: origin == "http://a", ["http://a"], ["http://b"]),
        (lambda origin: 1, [], ["http://a"]),
        (("http://a",), ["http://a"], ["http://b"]),
        ([], [], ["http://a"]),
        (7, [], ["http://a"]),
        (["http://a:port"], [], ["http://a"]),
    ],
)
def test_the_origins_that_are_allowed(origins, allowed, refused):
    allows = Options(origins, False).allows
    assert all(allows(origin) for origin in allowed)
    assert not any(allows(origin) for origin in refused)


def test_headers_of_the_context():
    with telemetry():
        token = attach(baggage.set_baggage("tenant", "acme"))
        with start_span("caller") as span:
            call = OutgoingCall(Options(None, False), "GET", URL, nothing)
            with_baggage = OutgoingCall(Options(None, False), "GET", URL, {"baggage": "x=y"}.get)
        detach(token)
        outside = OutgoingCall(Options(None, False), "GET", URL, nothing)
    context = span.get_span_context()
    parent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
    state = {"tracestate": "ot=th:0"}
    assert call.headers == {"traceparent": parent, "baggage": "tenant=acme", **state}
    assert with_baggage.headers == {"traceparent": parent, **state}
    assert outside.headers == {}
    assert not call.is_recorded


def test_the_context_of_a_recorded_request_is_its_span():
    with telemetry():
        with start_span("caller"):
            call = OutgoingCall(Options(None, True), "GET", URL, nothing)
            assert call.is_recorded
        call.respond(200, "1.1")
        call.end()
        assert not call.is_recorded
        call.respond(500)
        call.end(ValueError("late"))
        spans = take()
    assert call.headers["traceparent"].split("-")[2] == spans.one("http.client").span_id.hex()
    assert spans.one("http.client").status.code == 0 and len(spans) == 2


def left_alone():
    ended = Options(None, True)
    ended.active = False

    def failing(name):
        raise ValueError(name)

    yield "another origin", Options("http://other", True), "GET", URL, nothing
    yield "an own header", Options(None, True), "GET", URL, {"traceparent": "mine"}.get
    yield "an empty header", Options(None, True), "GET", URL, {"traceparent": ""}.get
    yield "after the end", ended, "GET", URL, nothing
    yield "no absolute URL", Options(None, True), "GET", "/x", nothing
    yield "a port that is none", Options(None, True), "GET", "http://example.com:x/", nothing
    yield "another agent", Options(None, True), "POST", "http://example.com/v1/traces", nothing
    yield "headers that fail", Options(None, True), "GET", URL, failing
    yield "a filter that fails", Options(lambda origin: 1 / 0, True), "GET", URL, nothing
    yield "no text", Options(None, True), "GET", 7, nothing


@pytest.mark.parametrize("given", left_alone(), ids=lambda given: given[0])
def test_requests_that_are_left_alone(given):
    with telemetry():
        with start_span("caller"):
            call = OutgoingCall(*given[1:])
        assert (call.headers, call.is_recorded) == ({}, False)
        call.respond(200)
        call.complete(lambda response: 1 / 0, None)
        call.end()
        assert [span.name for span in take()] == ["caller"]


def test_a_response_that_cannot_be_read_ends_the_request():
    with telemetry():
        call = OutgoingCall(Options(None, True), "GET", URL, nothing)
        call.complete(lambda response: (response.status,), object())
        good = OutgoingCall(Options(None, True), "GET", URL, nothing)
        good.complete(lambda status: (status, "1.1", 1), 404)
        first, second = take()
    assert (first.status.code, second.status.code) == (0, 2)


class Library:
    def call(self):
        """Says what it is."""
        return "original"


def test_a_replaced_function_is_restored_unless_it_was_wrapped():
    original = Library.call

    def make(function):
        return lambda self: f"wrapped {function(self)}"

    undo = replace(Library, "call", make)
    assert Library().call() == "wrapped original"
    assert (Library.call.__name__, Library.call.__doc__) == ("call", "Says what it is.")
    undo()
    assert Library.call is original
    undo_first = replace(Library, "call", make)
    undo_second = replace(Library, "call", make)
    undo_first()  # the second one is in its place
    assert Library().call() == "wrapped wrapped original"
    undo_second()
    undo_first()
    assert Library.call is original
