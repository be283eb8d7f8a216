"""Propagation without the native core: what is current, in any order of entering and leaving, is
the same as with the core."""

import contextvars
import random
import threading

import djp_telemetry
import pytest
from djp_telemetry import _loader, _noop_context, noop

native = _loader.native or pytest.skip("without the core", allow_module_level=True)
BOTH = pytest.mark.parametrize("impl", [native, noop], ids=["native", "no-op"])
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADERS = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "a=1", "baggage": "b=2"}


@pytest.fixture(autouse=True)
def off():
    djp_telemetry.shutdown(1)


def remote(impl, number, baggage=True):
    return impl.extract(
        {
            "traceparent": f"00-{number:032x}-{number:016x}-01",
            **({"baggage": f"n={number}"} if baggage else {}),
        }
    )


def current(impl):
    context = impl.get_current_context()
    return (
        impl.get_current_trace_id(),
        impl.get_current_span_id(),
        context.span is impl.get_current_span(),
        context.baggage.items(),
    )


NONE = ("", "", True, {})


@BOTH
def test_nothing_is_current_at_first(impl):
    assert current(impl) == NONE
    assert impl.get_current_span() is impl.INVALID_SPAN
    assert impl.inject() == {}


@BOTH
def test_attach_and_detach(impl):
    context = impl.extract(HEADERS)
    token = impl.attach(context)
    assert current(impl) == (TRACE, SPAN, True, {"b": "2"}) and impl.inject() == HEADERS
    assert impl.get_current_span() is context.span
    inner = impl.attach(impl.Context(None, impl.Baggage("c=3")))
    assert current(impl)[3] == {"c": "3"}
    impl.detach(inner)
    assert impl.inject() == HEADERS
    impl.detach(token)
    assert current(impl) == NONE
    for again in (token, None, 7, "x"):
        impl.detach(again)
    assert current(impl) == NONE


@BOTH
def test_what_can_be_current(impl):
    context = impl.extract(HEADERS)

    class Foreign:
        def get_span_context(self):
            return context.get_span_context()

    for target in (context, context.span, context.get_span_context(), Foreign(), {"k": Foreign()}):
        with impl.use_span(target) as span:
            assert impl.get_current_trace_id() == TRACE and span is impl.get_current_span()
            assert (current(impl)[3] == {"b": "2"}) is (target is context)
        assert current(impl) == NONE


@BOTH
def test_the_span_of_a_context_is_read_without_entering(impl):
    context = impl.extract(HEADERS)
    assert impl.get_current_span(context) is context.span
    assert impl.get_current_span(7) is impl.get_current_span() is impl.INVALID_SPAN


@BOTH
def test_spans_as_context_managers(impl):
    """A start under a remote parent carries its ids; one without a parent changes nothing."""
    context = impl.extract(HEADERS)
    span = impl.start_span("s", parent=context)
    assert not span.is_recording() and span.get_span_context() == context.get_span_context()
    with span as entered:
        assert entered is span is impl.get_current_span()
        with impl.start_span("none") as none:
            assert none is impl.INVALID_SPAN and impl.get_current_span() is span
        with span:  # entered already
            pass
        assert current(impl) == NONE
    assert current(impl) == NONE


@BOTH
def test_async_forms(impl):
    span = impl.start_span("s", parent=impl.extract(HEADERS))

    async def main():
        async with span as entered:
            return entered is span and impl.get_current_trace_id()

    coroutine = main()
    with pytest.raises(StopIteration) as done:
        coroutine.send(None)
    assert done.value.value == TRACE and current(impl) == NONE


@BOTH
def test_records_of_logs(impl):
    fields = {"message": "m"}
    impl.stamp(fields)
    assert fields == {"message": "m", "trace_id": "", "span_id": ""}
    with impl.use_span(impl.extract(HEADERS)):
        impl.stamp(fields)
        assert fields["trace_id"] == ""
        fields = {"trace_id": "own"}
        impl.stamp(fields)
        assert fields == {"trace_id": "own", "span_id": SPAN}
        fields = {}
        impl.stamp(fields)
        assert fields == {"trace_id": TRACE, "span_id": SPAN}


@BOTH
def test_a_frame_that_is_switched(impl):
    """Generators make their span current only while their code runs."""
    outer, inner = remote(impl, 1), impl.start_span("s", parent=remote(impl, 2))
    with impl.use_span(outer):
        before = impl.switch(inner)
        assert impl.get_current_trace_id() == f"{2:032x}"
        with impl.use_span(remote(impl, 3)):
            frame = impl.switch(before)
            assert impl.get_current_trace_id() == f"{1:032x}"
            again = impl.switch(frame)
            assert impl.get_current_trace_id() == f"{3:032x}"
            impl.switch(again)
            impl.switch(frame)
        assert impl.get_current_trace_id() == f"{2:032x}"
        impl.switch(before)
        assert impl.get_current_trace_id() == f"{1:032x}" and current(impl)[3] == {"n": "1"}
        none = impl.switch(impl.INVALID_SPAN)
        assert impl.get_current_trace_id() == f"{1:032x}"
        impl.switch(none)
    assert current(impl) == NONE


@BOTH
def test_threads_begin_empty_and_copies_keep(impl):
    seen = []
    with impl.use_span(impl.extract(HEADERS)):
        copied = contextvars.copy_context()
        thread = threading.Thread(target=lambda: seen.append(impl.get_current_trace_id()))
        thread.start()
        thread.join()
    assert copied.run(impl.get_current_trace_id) == TRACE and seen == [""]


def test_any_order_of_entering_and_leaving_gives_the_same():
    for seed in range(30):
        source = random.Random(seed)
        uses = [
            [impl.use_span(remote(impl, number + 1, number % 3 > 0)) for number in range(6)]
            for impl in (native, noop)
        ]
        for step in range(60):
            number, leaves = source.randrange(6), source.random() < 0.5
            for chosen in uses:
                use = chosen[number]
                use.__exit__(None, None, None) if leaves else use.__enter__()
            assert current(native) == current(noop), (seed, step)
        for chosen in uses:
            for use in chosen:
                use.__exit__(None, None, None)
        assert current(native) == current(noop) == NONE


# ---- Context and its parts ---------------------------------------------------------------------


@BOTH
def test_contexts(impl):
    context = impl.extract(HEADERS)
    made = impl.Context(context.span, context.baggage)
    assert made.span is context.span and made.baggage is context.baggage
    assert made.get_span_context() == context.get_span_context()
    assert impl.Context(span=context).span is context.span
    assert impl.Context().span is impl.INVALID_SPAN and len(impl.Context().baggage) == 0
    for wrong in ("x", 7, {}, {"k": 1}, None, impl.Baggage("a=1")):
        assert impl.Context(wrong).span is impl.INVALID_SPAN
        assert len(impl.Context(baggage=wrong).baggage) == (type(wrong) is impl.Baggage)
    assert repr(impl.Context()).startswith("Context(span=<") and "baggage=" in repr(made)
    kind, (ids, baggage) = made.__reduce__()
    assert kind is impl.Context and ids == made.get_span_context() and baggage is made.baggage


@BOTH
def test_spans_are_compared_by_identity(impl):
    span = impl.extract(HEADERS).span
    assert span != impl.extract(HEADERS).span and span == span
    assert span.context is span.get_span_context()


def test_the_surface_of_a_span_that_records_nothing():
    span = _noop_context.Span()
    assert span.get_span_context() is _noop_context.INVALID_CONTEXT
    for result in (
        span.set_attribute("k", 1),
        span.set_attributes({}),
        span.add_event("e"),
        span.add_link(span),
        span.record_exception(ValueError()),
        span.set_status("error"),
        span.update_name("n"),
        span.end(),
    ):
        assert result is None
    assert span.is_recording() is False
    assert span.__exit__(None, None, None) is None


def test_foreign_parents():
    class Broken:
        @property
        def get_span_context(self):
            raise RuntimeError

    class Told:
        trace_id, span_id = 5, 6

    class Whole(Told):
        is_remote, trace_flags, trace_state = True, 1, "a=1"

    class Around:
        def __init__(self, context):
            self.get_span_context = lambda: context

    assert _noop_context.span_of(Told()).get_span_context() == noop.SpanContext(5, 6)
    whole = noop.SpanContext(5, 6, True, 1, "a=1")
    assert _noop_context.span_of(Whole()).get_span_context() == whole
    assert _noop_context.span_of(Around(Whole())).get_span_context() == whole
    for none in (Broken(), Around(None), Around(7), {"k": Around(None)}, {"k": 5}, [Told()]):
        assert _noop_context.span_of(none) is noop.INVALID_SPAN
    found = _noop_context.span_of({"a": 1, "b": Around(Whole()), "c": Around(Told())})
    assert found.get_span_context() == whole
