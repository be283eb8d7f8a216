"""The Span object: its recording methods, its end, and that it never disturbs the measured code."""

import asyncio
import gc
import sys
import time
import weakref

import djp_telemetry
import pytest
from djp_telemetry import start_span
from support import attributes, take, telemetry


@pytest.fixture(autouse=True)
def memory():
    with telemetry():
        yield


def test_a_span_is_current_inside_with_and_ends():
    before = time.time_ns()
    with start_span("outer", {"a": 1}) as span:
        assert djp_telemetry.get_current_span() is span
        assert span.is_recording()
        with start_span("inner") as inner:
            assert djp_telemetry.get_current_span() is inner
        assert djp_telemetry.get_current_span() is span
    after = time.time_ns()
    assert djp_telemetry.get_current_span() is djp_telemetry.INVALID_SPAN
    assert not span.is_recording()
    spans = take()
    outer, child = spans.one("outer"), spans.one("inner")
    assert (
        child.trace_id == outer.trace_id
        and child.parent_span_id == outer.span_id
        and outer.parent_span_id == b""
    )
    assert attributes(outer.attributes)["a"] == 1
    assert before - 5_000_000 <= outer.start_time_unix_nano <= child.start_time_unix_nano
    assert child.end_time_unix_nano <= outer.end_time_unix_nano <= after + 5_000_000


def test_times():
    span = start_span("past", start_time=1_700_000_000_000_000_000)
    span.end(1_700_000_012_500_000_000)
    span.end()
    start_span("seconds", start_time=1_700_000_000.0).end(end_time=1_700_000_001.0)
    spans = take()
    past, seconds = spans.one("past"), spans.one("seconds")
    assert past.end_time_unix_nano - past.start_time_unix_nano == 12_500_000_000
    assert seconds.end_time_unix_nano - seconds.start_time_unix_nano == 1_000_000_000


def test_spans_survive_shutdown():
    span = start_span("open")
    djp_telemetry.shutdown(1)
    span.set_attribute("a", 1)
    with span:
        with start_span("child") as child:
            assert child is djp_telemetry.INVALID_SPAN
    span.end()
    del span


def test_a_span_of_an_earlier_sdk_is_a_parent_by_its_ids():
    with start_span("old") as old:
        djp_telemetry.shutdown(1)
        djp_telemetry.init_telemetry(
            enabled=True, backend="otel", exporter="memory", sample_ratio=1.0, service_name="test"
        )
        with start_span("new"):
            pass
        new = take().one("new")
    assert new.trace_id == old.get_span_context().trace_id.to_bytes(16, "big")
    assert new.parent_span_id == old.get_span_context().span_id.to_bytes(8, "big")


def test_a_span_that_is_never_ended_is_counted():
    start_span("lost")
    gc.collect()
    assert djp_telemetry.telemetry_status()["dropped"]["never_ended"] == 1


def test_async_with():
    async def main():
        async with start_span("async") as span:
            await asyncio.sleep(0)
            assert djp_telemetry.get_current_span() is span
        error = ValueError("inside")
        with pytest.raises(ValueError) as caught:
            async with start_span("async-failing"):
                raise error
        assert caught.value is error

    asyncio.run(main())
    spans = take()
    assert spans.one("async").status.code == 0 and spans.one("async-failing").status.code == 2


def test_wrong_calls_raise_type_error_as_every_function_does():
    with start_span("calls") as span:
        for call in (
            lambda: span.set_attribute("a"),
            lambda: span.set_attribute("a", 1, 2),
            lambda: span.set_attribute("a", 1, key="b"),
            lambda: span.add_event(nonsense=1),
            lambda: start_span(),
            lambda: start_span("a", {}, None),
        ):
            with pytest.raises(TypeError):
                call()
        span.set_attribute(key="by", value="name")
        assert djp_telemetry.get_current_span() is span
    assert attributes(take().one("calls").attributes)["by"] == "name"


def test_spans_have_no_constructor_and_no_attributes_of_their_own():
    with start_span("plain") as span:
        with pytest.raises(TypeError):
            type(span)()
        with pytest.raises(AttributeError):
            span.anything = 1
        assert weakref.ref(span)() is span


def test_entering_twice_is_harmless():
    span = start_span("twice")
    with span, span:
        assert djp_telemetry.get_current_span() is span
    assert djp_telemetry.get_current_span() is djp_telemetry.INVALID_SPAN
    assert len(take()) == 1


def test_nothing_leaks():
    """References of the objects that a span touches come back to where they were."""
    key, text, names = "leak" + str(id(object())), "v" * 50, {"a": 1}

    def once():
        with start_span("leak", names) as span:
            span.set_attribute(key, text)
            span.add_event("e", {key: [text]})
            span.get_span_context()
            with pytest.raises(ZeroDivisionError), start_span("inner"):
                1 / 0  # noqa: B018

    once()
    before = [sys.getrefcount(item) for item in (key, text, names)]
    for _ in range(200):
        once()
    take()
    gc.collect()
    assert [sys.getrefcount(item) for item in (key, text, names)] == before


def test_abandoned_tasks_do_not_keep_spans():
    """A span that is entered and never left forms a cycle through its context; the collector must
    find it."""
    import contextvars

    span = start_span("abandoned")
    seen = weakref.ref(span)
    contextvars.Context().run(span.__enter__)
    del span
    gc.collect()
    assert seen() is None
