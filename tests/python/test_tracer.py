"""Tracers, parents, decorators of every kind of function, and use_span()."""

import asyncio
import functools
import inspect
import time

import djp_telemetry
import pytest
from djp_telemetry import SpanContext, get_current_span, get_tracer, start_span, traced, use_span
from support import attributes, run_program, take, telemetry


@pytest.fixture(autouse=True)
def memory():
    with telemetry():
        yield


def ids(span):
    return span.get_span_context().span_id.to_bytes(8, "big")


def test_the_scope_of_a_tracer_is_exported():
    from djp_telemetry import _loader
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    get_tracer("shop.orders", "1.2", "https://example.test/schema", {"team": "a"}).start_span(
        "scoped"
    ).end()
    assert djp_telemetry.flush(10)
    request = ExportTraceServiceRequest.FromString(_loader.impl.sdk_take_exported()[4:])
    (scope,) = request.resource_spans[0].scope_spans
    assert (scope.scope.name, scope.scope.version) == ("shop.orders", "1.2")
    assert scope.schema_url == "https://example.test/schema"
    assert attributes(scope.scope.attributes) == {"team": "a"}


@pytest.mark.parametrize("name", [None, "", 1, object(), "a\ud800"])
def test_any_tracer_name_is_accepted(name):
    get_tracer(name).start_span("named").end()
    assert len(take()) == 1


def test_start_span_of_a_tracer_takes_opentelemetry_arguments():
    parent = SpanContext(1, 2, is_remote=True, trace_flags=1)
    tracer = get_tracer("t")
    span = tracer.start_span("all", parent, "server", {"a": 1}, [parent], 1_700_000_000_000_000_000)
    assert get_current_span() is djp_telemetry.INVALID_SPAN
    span.end(1_700_000_001_000_000_000)
    recorded = take().one("all")
    assert recorded.parent_span_id == (2).to_bytes(8, "big") and recorded.kind == 2
    assert attributes(recorded.attributes)["a"] == 1 and len(recorded.links) == 1
    assert recorded.end_time_unix_nano - recorded.start_time_unix_nano == 1_000_000_000


def test_switches_of_opentelemetry():
    tracer = get_tracer("t")
    with pytest.raises(ValueError), tracer.start_as_current_span("quiet", record_exception=False):
        raise ValueError("x")
    with (
        pytest.raises(ValueError),
        tracer.start_as_current_span("calm", set_status_on_exception=False),
    ):
        raise ValueError("x")
    with tracer.start_as_current_span("open", end_on_exit=False) as span:
        pass
    assert span.is_recording()
    span.end()
    spans = take()
    assert not spans.one("quiet").events and spans.one("quiet").status.code == 2
    assert len(spans.one("calm").events) == 1 and spans.one("calm").status.code == 0


def test_start_as_current_span_as_context_manager():
    tracer = get_tracer("t")
    with tracer.start_as_current_span("outer", attributes={"a": 1}) as outer:
        assert get_current_span() is outer
        with tracer.start_as_current_span("inner") as inner:
            assert get_current_span() is inner
    assert get_current_span() is djp_telemetry.INVALID_SPAN
    spans = take()
    assert spans.one("inner").parent_span_id == ids(outer)


# ---- decorators --------------------------------------------------------------------------------


@traced
def plain(a, b=2):
    """Adds."""
    get_current_span().set_attribute("inside", True)
    return a + b


def test_a_plain_function():
    assert plain(1, b=3) == 4
    assert (
        plain.__name__ == "plain"
        and plain.__doc__ == "Adds."
        and str(inspect.signature(plain)) == "(a, b=2)"
    )
    assert attributes(take().one("plain").attributes)["inside"] is True


def test_a_span_for_each_call():
    for _ in range(3):
        plain(1)
    assert len({span.span_id for span in take()}) == 3


def test_an_async_function_keeps_its_span_open_across_awaits():
    @get_tracer("t").start_as_current_span("artifact.create")
    async def create():
        span = get_current_span()
        await asyncio.sleep(0.02)
        assert get_current_span() is span
        return "made"

    assert inspect.iscoroutinefunction(create)
    assert asyncio.run(create()) == "made"
    span = take().one("artifact.create")
    assert span.end_time_unix_nano - span.start_time_unix_nano >= 19_000_000


def test_exceptions_through_decorators():
    error = KeyError("k")

    @traced("sync")
    def fail():
        raise error

    @traced("async")
    async def fail_later():
        await asyncio.sleep(0)
        raise error

    @traced("generator")
    def fail_between():
        yield 1
        raise error

    with pytest.raises(KeyError) as first:
        fail()
    with pytest.raises(KeyError) as second:
        asyncio.run(fail_later())
    with pytest.raises(KeyError) as third:
        list(fail_between())
    assert first.value is second.value is third.value is error
    assert [(span.name, span.status.code, len(span.events)) for span in take()] == [
        ("sync", 2, 1),
        ("async", 2, 1),
        ("generator", 2, 1),
    ]


def test_a_generator_is_current_only_while_it_runs():
    inside = []

    @traced("numbers")
    def numbers():
        try:
            for number in range(3):
                inside.append(get_current_span())
                got = yield number
                inside.append(got)
        finally:
            inside.append(get_current_span())
        return "result"

    generator = numbers()
    with start_span("consumer") as consumer:
        assert next(generator) == 0
        assert get_current_span() is consumer
        assert generator.send("sent") == 1
        assert get_current_span() is consumer
        next(generator)
        with pytest.raises(StopIteration) as stop:
            next(generator)
        assert stop.value.value == "result"
    span = inside[0]
    assert span.get_span_context().is_valid and span is not consumer
    assert inside == [span, "sent", span, None, span, None, span]
    assert len(take()) == 2


def test_throwing_into_and_closing_a_generator():
    caught = []

    @traced("numbers")
    def numbers():
        while True:
            try:
                yield 1
            except ValueError as error:
                caught.append((error, get_current_span()))

    generator, error = numbers(), ValueError("thrown")
    next(generator)
    assert generator.throw(error) == 1
    assert caught[0][0] is error and caught[0][1].get_span_context().is_valid
    generator.close()
    span = take().one("numbers")
    assert span.status.code == 0


def test_async_generators():
    inside = []

    @traced("stream")
    async def stream():
        for number in range(3):
            inside.append(get_current_span())
            await asyncio.sleep(0)
            inside.append(get_current_span())
            yield number

    async def main():
        found = []
        async for number in stream():
            assert get_current_span() is djp_telemetry.INVALID_SPAN
            found.append(number)
        assert found == [0, 1, 2]
        half = stream()
        await half.asend(None)
        await half.aclose()

    asyncio.run(main())
    assert len(set(map(id, inside[:6]))) == 1 and inside[0].get_span_context().is_valid
    assert [(span.name, span.status.code) for span in take()] == [("stream", 0), ("stream", 0)]


def test_methods_and_partials():
    class Service:
        @traced
        def method(self):
            return self

        @staticmethod
        @traced
        def static():
            return 1

        @traced
        @classmethod
        def klass(cls):
            return cls

    service = Service()
    assert service.method() is service and Service.static() == 1 and service.klass() is Service
    assert traced("part")(functools.partial(plain, 1))() == 3
    names = [span.name for span in take()]
    assert [name.rsplit(".", 1)[-1] for name in names] == [
        "method",
        "static",
        "klass",
        "plain",
        "part",
    ]


def test_concurrent_tasks_have_their_own_current_span():
    @traced("task")
    async def task(number):
        span = get_current_span()
        span.set_attribute("n", number)
        for _ in range(3):
            await asyncio.sleep(0)
            assert get_current_span() is span
        start_span("child", {"n": number}).end()

    async def main():
        with start_span("root"):
            await asyncio.gather(*(task(number) for number in range(20)))

    asyncio.run(main())
    spans = take()
    root = spans.one("root")
    parents = {attributes(span.attributes)["n"]: span for span in spans if span.name == "task"}
    assert len(parents) == 20 and all(
        span.parent_span_id == root.span_id for span in parents.values()
    )
    for child in (span for span in spans if span.name == "child"):
        assert child.parent_span_id == parents[attributes(child.attributes)["n"]].span_id


# ---- use_span ----------------------------------------------------------------------------------


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


def test_a_decorated_function_costs_little():
    @traced("cheap")
    def cheap():
        return None

    best = 1.0
    for _ in range(20):
        begin = time.perf_counter()
        for _ in range(200):
            cheap()
        best = min(best, (time.perf_counter() - begin) / 200)
    assert best < 20e-6


def test_tracers_that_nobody_uses_take_no_place(tmp_path):
    """In a separate process, because each process has one table of names."""
    program = """
import logging
import djp_telemetry as d
lines = []
class Keep(logging.Handler):
    def emit(self, record):
        lines.append(record.getMessage())
logging.getLogger("djp_telemetry").addHandler(Keep())
@d.get_tracer("decorated before").start_as_current_span("early")
def early(): pass
d.init_telemetry(exporter="memory")
for n in range(20000):
    d.get_tracer(f"idle {n}", "1", "https://schema")
with d.get_tracer("shop", "1.2").start_as_current_span("order"):
    early()
names = {span["name"]: span["scope"] for span in d.take_exported()}
early_scope, shop = {"name": "decorated before"}, {"name": "shop", "version": "1.2"}
assert names == {"order": shop, "early": early_scope}, names
assert not lines
for n in range(2000):
    d.get_tracer(f"used {n}").start_span("x").end()
assert len(lines) == 1 and "different tracers" in lines[0], lines
assert d.telemetry_status()["spans"]["scopes_refused"] > 900
"""
    run_program(program, tmp_path)
