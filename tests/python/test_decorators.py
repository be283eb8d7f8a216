"""traced() and decorated functions of every kind: each call is a span, and the function behaves as
without it."""

import asyncio
import functools
import inspect
import time

import djp_telemetry
import pytest
from djp_telemetry import _decorators, get_current_span, get_tracer, start_span, traced
from support import attributes, take, telemetry


@pytest.fixture(autouse=True)
def memory():
    with telemetry():
        yield


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


def scopes():
    return [span["scope"].get("name") for span in djp_telemetry.take_exported()]


@pytest.mark.parametrize("wrap", [staticmethod, classmethod, property, functools.cached_property])
def test_descriptors(wrap):
    """The name and the module are those of the function inside."""

    def inner(*given):
        return "result"

    class Service:
        decorated = traced(wrap(inner))

    found = Service().decorated
    assert (found() if callable(found) else found) == "result"
    (span,) = djp_telemetry.take_exported()
    assert span["name"].endswith("<locals>.inner") and span["scope"]["name"] == __name__


def test_the_name_of_a_span():
    class Callable:
        def __call__(self):
            return 1

    def function():
        return 1

    traced(function)()
    traced()(function)()
    traced("given")(function)()
    traced(name="named")(function)()
    traced("")(function)()
    traced(Callable())()
    traced("called")(Callable())()
    names = [span.name.rsplit(".", 1)[-1] for span in take()]
    assert names == ["function", "function", "given", "named", "function", "Callable", "called"]


def test_attributes_and_kind():
    @traced("s", attributes={"a": 1}, kind="client")
    def function():
        return None

    function()
    found = take().one("s")
    assert attributes(found.attributes)["a"] == 1 and found.kind == 3
    for wrong in (lambda: traced("s", {"a": 1}), lambda: traced(unknown=1)):
        with pytest.raises(TypeError):
            wrong()


def test_the_tracer_is_the_module_of_the_function():
    def function():
        return None

    function.__module__ = "shop.orders"
    traced(function)()
    assert scopes() == ["shop.orders"]


def test_each_call_of_a_decorated_function_starts_a_span():
    starts = []

    def start():
        starts.append(start_span("s"))
        return starts[-1]

    decorated = _decorators.decorate(lambda: get_current_span(), start)
    assert decorated() is starts[0] and decorated() is starts[1] and starts[0] is not starts[1]
    assert [span.name for span in take()] == ["s", "s"]
