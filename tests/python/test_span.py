"""The Span object: its recording methods, its end, and that it never disturbs the measured code."""

import asyncio
import gc
import sys
import time
import traceback
import weakref

import djp_telemetry
import pytest
from djp_telemetry import SpanContext, SpanKind, Status, StatusCode, start_span
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


def test_an_exception_passes_as_the_same_object_and_is_recorded():
    error = ValueError("no such order")
    with pytest.raises(ValueError) as caught:
        with start_span("failing"):
            raise error
    assert caught.value is error
    assert error.__context__ is None and error.__cause__ is None
    span = take().one("failing")
    assert (span.status.code, span.status.message) == (2, "ValueError: no such order")
    (event,) = span.events
    recorded = attributes(event.attributes)
    assert event.name == "exception"
    assert (
        recorded["exception.type"] == "ValueError"
        and recorded["exception.message"] == "no such order"
    )
    assert recorded["exception.stacktrace"].startswith("Traceback (most recent call last):")
    assert "raise error" in recorded["exception.stacktrace"]
    assert recorded["exception.stacktrace"].endswith("ValueError: no such order\n")


class ShopError(Exception):
    class Inner(Exception):
        pass


def test_the_type_of_an_exception_is_qualified():
    with pytest.raises(ShopError.Inner), start_span("failing"):
        raise ShopError.Inner
    span = take().one("failing")
    assert attributes(span.events[0].attributes)["exception.type"].endswith(
        "test_span.ShopError.Inner"
    )
    assert span.status.message == "Inner"


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("broken")


def test_an_exception_that_cannot_be_worded():
    error = Mute()
    with pytest.raises(Mute) as caught, start_span("failing"):
        raise error
    assert caught.value is error
    assert take().one("failing").status.code == 2


def test_recursion_errors_are_bounded():
    def deeper():
        deeper()

    with pytest.raises(RecursionError), start_span("failing"):
        deeper()
    stack = attributes(take().one("failing").events[0].attributes)["exception.stacktrace"]
    assert len(stack) < 40_000


def test_long_messages_are_bounded():
    with pytest.raises(ValueError), start_span("failing"):
        raise ValueError("x" * 5_000_000)
    span = take().one("failing")
    assert span.status.code == 2


@pytest.mark.parametrize("code, failed", [(None, False), (0, False), (3, True), ("text", True)])
def test_leaving_the_program_in_order_is_no_error(code, failed):
    with pytest.raises(SystemExit), start_span("exit"):
        sys.exit(code)
    span = take().one("exit")
    assert (span.status.code, len(span.events)) == ((2, 1) if failed else (0, 0))


def test_cancellation_is_no_error():
    async def wait():
        with start_span("cancelled"):
            await asyncio.sleep(60)

    async def main():
        task = asyncio.ensure_future(wait())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    span = take().one("cancelled")
    assert span.status.code == 0 and not span.events


class GivenUp(asyncio.CancelledError):
    """A cancellation of a library."""


class GreenletExit(BaseException):
    """As in greenlet, for gevent and eventlet."""


@pytest.mark.parametrize("kind", [GivenUp, GreenletExit])
def test_cancellation_of_other_libraries_is_no_error(kind):
    with pytest.raises(kind), start_span("cancelled"):
        raise kind
    span = take().one("cancelled")
    assert span.status.code == 0 and not span.events


def test_a_killed_greenlet_is_no_error():
    greenlet = pytest.importorskip("greenlet")

    def work():
        with start_span("killed"):
            greenlet.getcurrent().parent.switch()

    working = greenlet.greenlet(work)
    working.switch()
    working.throw()  # GreenletExit
    assert working.dead and take().one("killed").status.code == 0


@pytest.mark.skipif(sys.version_info < (3, 11), reason="groups came with 3.11")
def test_groups_of_nothing_but_cancellation_are_no_errors():
    group = BaseExceptionGroup  # noqa: F821 (see above)
    cancelled = asyncio.CancelledError()
    for name, error, status in (
        (
            "cancelled",
            group("tasks", [cancelled, group("inner", [GreenletExit(), GeneratorExit()])]),
            0,
        ),
        ("failed too", group("tasks", [cancelled, ValueError("no")]), 2),
        ("interrupted", group("tasks", [cancelled, KeyboardInterrupt()]), 2),
    ):
        with pytest.raises(group), start_span(name):
            raise error
        span = take().one(name)
        assert (span.status.code, len(span.events)) == (status, status // 2), name
    deep = cancelled
    for _ in range(100):
        deep = group("deeper", [deep])
    with pytest.raises(group), start_span("deep"):
        raise deep
    assert take().one("deep").status.code == 2


def test_keyboard_interrupt_is_an_error():
    with pytest.raises(KeyboardInterrupt), start_span("stopped"):
        raise KeyboardInterrupt
    assert take().one("stopped").status.code == 2


def test_closing_a_generator_is_no_error():
    def numbers():
        with start_span("generator"):
            yield 1
            yield 2

    generator = numbers()
    assert next(generator) == 1
    generator.close()
    span = take().one("generator")
    assert span.status.code == 0 and not span.events


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


def test_times():
    span = start_span("past", start_time=1_700_000_000_000_000_000)
    span.end(1_700_000_012_500_000_000)
    span.end()
    start_span("seconds", start_time=1_700_000_000.0).end(end_time=1_700_000_001.0)
    spans = take()
    past, seconds = spans.one("past"), spans.one("seconds")
    assert past.end_time_unix_nano - past.start_time_unix_nano == 12_500_000_000
    assert seconds.end_time_unix_nano - seconds.start_time_unix_nano == 1_000_000_000


@pytest.mark.parametrize(
    "kind, number",
    [
        (None, 1),
        ("server", 2),
        ("CLIENT", 3),
        (SpanKind.PRODUCER, 4),
        (5, 5),
        ("nonsense", 1),
        (99, 1),
        (object(), 1),
    ],
)
def test_kinds(kind, number):
    start_span("kind", kind=kind).end()
    assert take().one("kind").kind == number


def test_opentelemetry_kinds():
    trace = pytest.importorskip("opentelemetry.trace")
    for kind in trace.SpanKind:
        start_span(kind.name, kind=kind).end()
    assert {span.name: span.kind for span in take()} == {
        "INTERNAL": 1,
        "SERVER": 2,
        "CLIENT": 3,
        "PRODUCER": 4,
        "CONSUMER": 5,
    }


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


def test_span_context():
    with start_span("ids") as span:
        context = span.get_span_context()
        assert context is span.get_span_context() is span.context
        assert context.is_valid and not context.is_remote and context.trace_flags.sampled
        assert context.trace_id.bit_length() > 64 and 0 < context.span_id < 2**64
        assert f"{context.trace_id:032x}" == djp_telemetry.get_current_trace_id()
        assert f"{context.span_id:016x}" == djp_telemetry.get_current_span_id()
    recorded = take().one("ids")
    assert recorded.trace_id == context.trace_id.to_bytes(16, "big")
    made = SpanContext(
        context.trace_id, context.span_id, trace_flags=context.trace_flags, trace_state="k=v,l=w"
    )
    assert made.trace_state == {"k": "v", "l": "w"} and made.trace_state.to_header() == "k=v,l=w"
    assert (
        made
        == SpanContext(context.trace_id, context.span_id, False, context.trace_flags, "k=v,l=w")
        != context
    )
    assert hash(made) == hash(context)


@pytest.mark.parametrize(
    "wrong", [(0, 1), (1, 0), (2**128, 1), (1, 2**64), (-1, 1), ("a", 1), (None, None), (1.5, 1)]
)
def test_bad_ids_make_an_invalid_context(wrong):
    assert not SpanContext(*wrong).is_valid


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


def test_traceback_formatting_does_not_touch_the_exception():
    try:
        with start_span("outer"):
            raise ValueError("x")
    except ValueError as error:
        frames = traceback.extract_tb(error.__traceback__)
        assert [frame.name for frame in frames] == [
            "test_traceback_formatting_does_not_touch_the_exception"
        ]
