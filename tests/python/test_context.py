"""Propagation between processes and inside the process: inject, extract, baggage, tasks,
threads."""

import asyncio
import concurrent.futures
import contextvars
import threading

import djp_telemetry
import pytest
from djp_telemetry import SpanContext, baggage, extract, get_current_span, inject, start_span
from support import take, telemetry

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.fixture(autouse=True)
def memory():
    with telemetry():
        yield


def test_inject_into_a_new_dict():
    assert inject() == {}
    with start_span("out") as span:
        headers = inject()
    context = span.get_span_context()
    assert (
        headers["traceparent"]
        == f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
    )


def test_inject_into_every_carrier():
    class Headers(dict):
        pass

    class Own:
        def __init__(self):
            self.items = []

        def __setitem__(self, key, value):
            self.items.append((key, value))

    with start_span("out", parent=extract({"traceparent": PARENT, "tracestate": "a=1"})):
        expected = inject()
        given = {"other": "kept"}
        assert inject(given) is given and given == {"other": "kept", **expected}
        assert "a=1" in expected["tracestate"]
        assert inject(Headers()) == expected
        own = Own()
        assert dict(inject(own).items) == expected
        assert dict(inject([])) == expected
        raw = inject([(b"host", b"x")])
        assert raw[1] == (b"traceparent", expected["traceparent"].encode())
        calls = {}
        inject(calls, lambda carrier, key, value: carrier.__setitem__(key.upper(), value))
        assert calls == {key.upper(): value for key, value in expected.items()}

        class Setter:
            def set(self, carrier, key, value):
                carrier[key] = [value]

        assert inject({}, setter=Setter()) == {key: [value] for key, value in expected.items()}


@pytest.mark.parametrize("carrier", [1, "text", (), frozenset(), object()])
def test_carriers_that_cannot_be_written_come_back(carrier):
    with start_span("out"):
        assert inject(carrier) is carrier


def test_a_setter_that_raises():
    def put(carrier, key, value):
        raise RuntimeError

    with start_span("out"):
        assert inject({}, put) == {}


class Multi:
    def __init__(self, pairs):
        self.pairs = pairs

    def items(self):
        return iter(self.pairs)


class Getter:
    def get(self, carrier, key):
        return [carrier["x-" + key]] if "x-" + key in carrier else None


@pytest.mark.parametrize(
    "carrier, getter",
    [
        ({"traceparent": PARENT, "tracestate": "a=1,b=2"}, None),
        ({"Traceparent": PARENT, "TraceState": "a=1,b=2"}, None),
        ({"HTTP_TRACEPARENT": PARENT, "HTTP_TRACESTATE": "a=1,b=2"}, None),
        ({b"traceparent": PARENT.encode(), b"tracestate": b"a=1,b=2"}, None),
        ({"traceparent": [PARENT], "tracestate": ["a=1", "b=2"]}, None),
        ([("traceparent", PARENT), ("tracestate", "a=1"), ("tracestate", "b=2")], None),
        ([(b"traceparent", PARENT.encode()), (b"tracestate", b"a=1,b=2")], None),
        (((b"TraceParent", PARENT.encode()), [b"tracestate", b"a=1,b=2"]), None),
        (Multi([("traceparent", PARENT), ("tracestate", "a=1,b=2")]), None),
        ({"x-traceparent": PARENT, "x-tracestate": "a=1,b=2"}, Getter()),
        (
            {"x-traceparent": PARENT, "x-tracestate": "a=1,b=2"},
            lambda carrier, key: carrier.get("x-" + key),
        ),
    ],
)
def test_extract_from_every_carrier(carrier, getter):
    context = extract(carrier, getter).get_span_context()
    assert (f"{context.trace_id:032x}", f"{context.span_id:016x}") == (TRACE, SPAN)
    assert (
        context.is_remote
        and context.trace_flags.sampled
        and context.trace_state == {"a": "1", "b": "2"}
    )


@pytest.mark.parametrize(
    "carrier",
    [
        None,
        {},
        [],
        1,
        "text",
        object(),
        {"traceparent": None},
        {"traceparent": 1},
        {"traceparent": ""},
        {"traceparent": "00-" + "0" * 32 + "-" + SPAN + "-01"},
        {"traceparent": "\ud800"},
        {"traceparent": [None, 1]},
        [("traceparent",), 1, None, ("traceparent", PARENT, "x")],
        {1: PARENT},
    ],
)
def test_carriers_without_a_parent(carrier):
    context = extract(carrier)
    assert not context.get_span_context().is_valid and context.span is djp_telemetry.INVALID_SPAN
    with start_span("root", parent=context):
        pass
    assert take().one("root").parent_span_id == b""


def test_a_carrier_that_raises():
    class Broken:
        def items(self):
            raise RuntimeError

    def getter(carrier, key):
        raise RuntimeError

    assert not extract(Broken()).get_span_context().is_valid
    assert not extract({}, getter).get_span_context().is_valid


def test_a_trace_goes_through_two_services():
    with start_span("client") as client:
        headers = inject()
    with start_span("server", parent=extract(headers), kind="server"):
        onward = inject()
    assert onward["traceparent"][3:35] == headers["traceparent"][3:35] and onward != headers
    spans = take()
    assert spans.one("server").parent_span_id == client.get_span_context().span_id.to_bytes(
        8, "big"
    )


def test_baggage():
    assert baggage.get_baggage("user") is None and baggage.get_all() == {}
    context = baggage.set_baggage("user", "grüße, you")
    context = baggage.set_baggage("plan", "pro", context)
    assert baggage.get_all() == {}
    token = baggage.attach(context)
    try:
        assert baggage.get_baggage("user") == "grüße, you"
        headers = inject()
        assert headers["baggage"].split(",")[-1].strip() == "plan=pro"
        other = extract(headers)
        assert baggage.get_all(other) == {"user": "grüße, you", "plan": "pro"}
        assert baggage.get_all(baggage.remove_baggage("user", other)) == {"plan": "pro"}
        assert baggage.get_all(baggage.clear()) == {}
        with start_span("keeps baggage"):
            assert baggage.get_baggage("plan") == "pro"
    finally:
        baggage.detach(token)
    assert baggage.get_all() == {}


def test_attaching_a_context_brings_its_span_and_its_baggage():
    token = djp_telemetry.attach(extract({"traceparent": PARENT, "baggage": "a=1"}))
    with start_span("inside"):
        assert baggage.get_all() == {"a": "1"}
    djp_telemetry.detach(token)
    djp_telemetry.detach(token)
    djp_telemetry.detach(None)
    assert get_current_span() is djp_telemetry.INVALID_SPAN and baggage.get_all() == {}
    assert take().one("inside").parent_span_id.hex() == SPAN


@pytest.mark.parametrize(
    "name, value", [("", "v"), ("a b", "v"), ("k", 1), (None, "v"), ("k", None), ("k" * 9000, "v")]
)
def test_bad_baggage_changes_nothing(name, value):
    assert baggage.get_all(baggage.set_baggage(name, value)) == {}


def test_propagators_are_configured():
    djp_telemetry.shutdown(1)
    djp_telemetry.init_telemetry(
        enabled=True, backend="otel", exporter="memory", service_name="test", propagators="baggage"
    )
    token = djp_telemetry.attach(extract({"traceparent": PARENT, "baggage": "a=1"}))
    with start_span("s"):
        assert inject() == {"baggage": "a=1"}
    djp_telemetry.detach(token)


def test_context_goes_through_when_telemetry_is_off():
    djp_telemetry.shutdown(1)
    with start_span("off", parent=extract({"traceparent": PARENT, "tracestate": "a=1"})) as span:
        assert not span.is_recording()
        with start_span("child"):
            assert inject() == {"traceparent": PARENT, "tracestate": "a=1"}


# ---- inside the process ------------------------------------------------------------------------


def test_threads_begin_empty_unless_the_context_is_copied():
    seen = []
    with start_span("main") as span:
        thread = threading.Thread(target=lambda: seen.append(get_current_span()))
        thread.start()
        thread.join()
        copied = contextvars.copy_context()
        thread = threading.Thread(
            target=lambda: copied.run(lambda: seen.append(get_current_span()))
        )
        thread.start()
        thread.join()
    assert seen == [djp_telemetry.INVALID_SPAN, span]


def test_to_thread_carries_the_span():
    def work():
        with start_span("in thread"):
            return get_current_span()

    async def main():
        with start_span("main"):
            await asyncio.to_thread(work)

    asyncio.run(main())
    spans = take()
    assert spans.one("in thread").parent_span_id == spans.one("main").span_id


def test_spans_of_one_trace_in_many_threads():
    with start_span("root") as root, concurrent.futures.ThreadPoolExecutor(8) as pool:

        def work(number):
            with start_span("work", {"n": number}, parent=root):
                return number

        assert list(pool.map(work, range(200))) == list(range(200))
    spans = take()
    assert len(spans) == 201 and len({span.span_id for span in spans}) == 201
    assert {span.trace_id for span in spans} == {spans.one("root").trace_id}


def test_leaving_in_another_context_changes_nothing_there():
    span = start_span("elsewhere")
    contextvars.copy_context().run(span.__enter__)
    with start_span("here") as here:
        span.__exit__(None, None, None)
        assert get_current_span() is here
    assert len(take()) == 2


def test_an_async_generator_that_is_collected_elsewhere():
    async def stream():
        with start_span("stream"):
            yield 1
            yield 2

    async def main():
        generator = stream()
        assert await generator.asend(None) == 1
        await asyncio.create_task(generator.aclose())

    asyncio.run(main())
    assert take().one("stream").status.code == 0


def test_current_context():
    with start_span("now") as span:
        context = djp_telemetry.get_current_context()
    assert context.span is span and get_current_span(context) is span
    own = span.context
    assert (
        inject({}, context=context)["traceparent"]
        == f"00-{own.trace_id:032x}-{own.span_id:016x}-{own.trace_flags:02x}"
    )


def test_span_context_of_the_wire_is_kept_exactly():
    remote = SpanContext(int(TRACE, 16), int(SPAN, 16), True, 1, "a=1")
    with djp_telemetry.use_span(remote):
        assert inject() == {"traceparent": PARENT, "tracestate": "a=1"}
