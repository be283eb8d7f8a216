"""use_span(), attach() and detach(): what is current between them, what an exception does to the
span."""

import contextvars
import gc
import os
import weakref

import djp_telemetry
import pytest
from djp_telemetry import (
    Baggage,
    Context,
    SpanContext,
    attach,
    baggage,
    detach,
    get_current_span,
    start_span,
    use_span,
)
from growth import gives_back, heap, new, references
from starve import starve
from support import take, telemetry

pytest.importorskip("djp_telemetry._native")
REMOTE = SpanContext(5, 6, is_remote=True, trace_flags=1)
NONE = djp_telemetry.INVALID_SPAN


@pytest.fixture(autouse=True)
def memory():
    with telemetry():
        yield


def test_use_span():
    span = start_span("used")
    with use_span(span) as inside:
        assert inside is span and get_current_span() is span
    assert span.is_recording() and get_current_span() is djp_telemetry.INVALID_SPAN
    with pytest.raises(ValueError), use_span(span, end_on_exit=True):
        raise ValueError("x")
    assert not span.is_recording()
    assert take().one("used").status.code == 2


def test_use_span_switches():
    span = start_span("used")
    with (
        pytest.raises(ValueError),
        use_span(span, record_exception=False, set_status_on_exception=False),
    ):
        raise ValueError("x")
    span.end()
    recorded = take().one("used")
    assert recorded.status.code == 0 and not recorded.events


def test_use_span_with_a_remote_context():
    with use_span(SpanContext(5, 6, is_remote=True, trace_flags=1)) as remote:
        assert not remote.is_recording() and remote.get_span_context().span_id == 6
        with start_span("child"):
            pass
    assert take().one("child").parent_span_id == (6).to_bytes(8, "big")


@pytest.mark.parametrize(
    ("given", "ends", "events", "code"),
    [
        ({}, False, 1, 2),
        ({"end_on_exit": True}, True, 1, 2),
        ({"end_on_exit": 1}, False, 1, 2),
        ({"record_exception": False}, False, 0, 2),
        ({"record_exception": None}, False, 1, 2),
        ({"set_status_on_exception": False}, False, 1, 0),
        ({"set_status_on_exception": 0}, False, 1, 2),
        ({"record_exception": False, "set_status_on_exception": False}, False, 0, 0),
        ({"end_on_exit": True, "record_exception": False}, True, 0, 2),
    ],
)
def test_switches(given, ends, events, code):
    span = start_span("used")
    with pytest.raises(ValueError), use_span(span, **given):
        raise ValueError("x")
    assert span.is_recording() is not ends
    span.end()
    found = take().one("used")
    assert (len(found.events), found.status.code) == (events, code)


def test_switches_by_place():
    span = start_span("used")
    with pytest.raises(ValueError), use_span(span, True, False, False):
        raise ValueError("x")
    found = take().one("used")
    assert not found.events and found.status.code == 0


def test_without_an_exception_nothing_is_recorded():
    span = start_span("used")
    for ends in (False, True):
        with use_span(span, end_on_exit=ends):
            pass
    use = use_span(span)
    use.__exit__()
    use.__exit__(None, None, None)
    found = take().one("used")
    assert not found.events and found.status.code == 0


class Foreign:
    def get_span_context(self):
        return REMOTE


@pytest.mark.parametrize(
    ("target", "remote"),
    [
        (REMOTE, True),
        (Foreign(), True),
        ({"span": Foreign()}, True),
        (Context(REMOTE), True),
        (SpanContext(0, 0), False),
        (None, False),
        ("text", False),
        ({}, False),
        (NONE, False),
        (Context(), False),
    ],
)
def test_targets(target, remote):
    with start_span("around") as around:
        with use_span(target) as inside:
            assert (inside.get_span_context() == REMOTE) is remote
            assert get_current_span() is inside
            assert remote or inside is NONE
        assert get_current_span() is around
        token = attach(target)
        assert (get_current_span().get_span_context() == REMOTE) is remote
        detach(token)
        assert get_current_span() is around


def test_a_context_brings_its_baggage_even_none():
    with attach(Context(None, Baggage("a=1"))):
        assert baggage.get_all() == {"a": "1"}
        with use_span(Context(REMOTE, Baggage("b=2"))):
            assert baggage.get_all() == {"b": "2"}
            with use_span(REMOTE):  # no Context: the baggage stays
                assert baggage.get_all() == {"b": "2"}
            with use_span(Context(REMOTE)):
                assert baggage.get_all() == {}
        assert baggage.get_all() == {"a": "1"}
    assert baggage.get_all() == {}


def test_a_token_is_a_context_manager():
    span = start_span("s")
    with attach(span):
        assert get_current_span() is span
    assert span.is_recording() and get_current_span() is NONE
    with attach(span) as inside:
        assert inside is span
    with pytest.raises(ValueError), attach(span):
        raise ValueError("x")
    span.end()
    assert len(take().one("s").events) == 1


def test_a_use_that_is_entered_twice_is_left_once():
    use = use_span(start_span("s"))
    with use as first, use as second:
        assert first is second is get_current_span()
    assert get_current_span() is NONE
    use.__exit__(None, None, None)
    with use as again:
        assert again is get_current_span()
    assert get_current_span() is NONE


def test_what_can_be_detached():
    span = start_span("s")
    span.__enter__()
    detach(span)
    assert get_current_span() is NONE and span.is_recording()
    use = use_span(span)
    use.__enter__()
    detach(use)
    assert get_current_span() is NONE
    for nothing in (None, 7, "x", REMOTE, object(), use, span):
        assert detach(nothing) is None
    with span:
        detach(None)
        assert get_current_span() is span


def test_a_span_that_a_use_ended_is_ended():
    span = start_span("s")
    with use_span(span, end_on_exit=True):
        pass
    assert not span.is_recording()
    with use_span(REMOTE, end_on_exit=True), use_span(NONE, end_on_exit=True):
        pass
    assert [found.name for found in take()] == ["s"]


def test_types_without_a_constructor():
    span = start_span("s")
    done = span.__aexit__(None, None, None)
    for kind in (type(use_span(None)), type(done)):
        with pytest.raises(TypeError):
            kind()


def test_an_awaitable_that_is_done():
    span = start_span("s")
    awaitable = span.__aenter__()
    assert iter(awaitable) is awaitable and awaitable.__await__() is awaitable
    with pytest.raises(StopIteration) as done:
        next(awaitable)
    assert done.value.value is span
    leaving = span.__aexit__(None, None, None)
    with pytest.raises(StopIteration) as done:
        leaving.__await__().__next__()
    assert done.value.value is None


def test_a_use_in_a_copy_of_its_context():
    span = start_span("s")
    use = use_span(span)
    copied = contextvars.copy_context()
    copied.run(use.__enter__)
    assert get_current_span() is NONE
    use.__exit__(None, None, None)  # elsewhere: nothing changes here
    assert get_current_span() is NONE
    copied.run(use.__exit__, None, None, None)
    assert copied.run(get_current_span) is NONE


def test_uses_that_are_never_left_are_freed():
    """A use that is entered references its context, which references the use."""
    for make in (
        lambda: use_span(start_span("s")),
        lambda: use_span(Context(REMOTE, Baggage("a=1"))),
    ):
        use, inner = make(), make()
        context = contextvars.Context()
        context.run(use.__enter__)
        context.run(inner.__enter__)
        span = context.run(get_current_span)
        seen = weakref.ref(span)
        del use, inner, context, span
        gc.collect()
        assert seen() is None


def used():
    span = start_span(new("s"))
    whole = Context(span, Baggage(new("a=" + "x" * 300)))
    for target in (span, whole, REMOTE, Foreign(), None, {"a": Foreign()}):
        with use_span(target), attach(target):
            detach(attach(target))
        use = use_span(target)
        use.__enter__(), use.__enter__()
        try:
            with use_span(target, end_on_exit=False):
                raise KeyError
        except KeyError:
            pass
        use.__exit__(None, None, None)
    outer, inner = attach(whole), attach(whole)
    detach(outer), detach(inner)
    for step in (span.__aenter__(), span.__aexit__(None, None, None)):
        list(step)
    contextvars.Context().run(attach, whole)
    span.end()


def test_uses_are_given_back():
    with telemetry(exporter="file", file_path=os.devnull):
        kinds = type(use_span(None)), Context, Baggage, NONE, REMOTE, None
        assert references(used, *kinds, rounds=40) == [0] * 6
        assert gives_back(used, 30)
    assert heap() is None or gives_back(used, 30, measure=heap)


def test_uses_without_memory():
    span, whole = start_span("s"), Context(REMOTE, Baggage("a=1"))
    foreign = Foreign()
    for call in (
        lambda: use_span(span),
        lambda: use_span(foreign),
        lambda: detach(attach(whole)),
        lambda: detach(attach(span)),
        lambda: list(span.__aenter__()),
    ):
        assert contextvars.copy_context().run(starve, call)
    assert get_current_span() is NONE
