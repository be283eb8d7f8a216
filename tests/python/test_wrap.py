"""A decorated function is a span or a measurement that lasts until its awaitable, its future or its
generator is done."""

import asyncio
import concurrent.futures
import functools
import inspect
import types

import pytest
from djp_telemetry import get_current_span, start_span, traced
from djp_telemetry.metrics import Counter, Gauge, Histogram, generate_metrics_text
from support import take, telemetry


@pytest.fixture(autouse=True)
def memory():
    with telemetry(backend="hybrid"):
        yield


async def work(name="work"):
    await asyncio.sleep(0.03)
    with start_span("inside"):
        pass
    return name


class Caller:
    async def __call__(self, name="x"):
        return await work(name)

    def plain(self):
        return work()


class Lazy:
    """An awaitable that is no coroutine."""

    def __await__(self):
        return work("lazy").__await__()


class Request:
    """An awaitable that is an asynchronous context manager as well."""

    status = 200

    def __await__(self):
        return work("awaited").__await__()

    async def __aenter__(self):
        return await work("entered")

    async def __aexit__(self, *exception):
        await work("left")


@types.coroutine
def old_style():
    yield from work("old").__await__()
    return "old"


FUNCTIONS = {
    "coroutine function": work,
    "partial": functools.partial(work),
    "lambda": lambda: work(),
    "object": Caller(),
    "method": Caller().plain,
    "awaitable": lambda: Lazy(),
    "generator-based coroutine": old_style,
    "two kinds": lambda: Request(),
    "task": lambda: asyncio.ensure_future(work()),
    "future": lambda: asyncio.gather(work(), return_exceptions=True),
}


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_the_span_lasts_as_long_as_the_awaitable(kind):
    async def main():
        with start_span("around") as around:
            awaitable = traced("outer")(FUNCTIONS[kind])()
            assert get_current_span() is around
            await awaitable

    asyncio.run(main())
    spans = take()
    outer, inside = spans.one("outer"), spans.one("inside")
    assert outer.start_time_unix_nano <= inside.start_time_unix_nano
    assert inside.end_time_unix_nano <= outer.end_time_unix_nano
    assert inside.parent_span_id == outer.span_id
    assert outer.parent_span_id == spans.one("around").span_id


@pytest.mark.parametrize("kind", ["coroutine function", "lambda", "object", "awaitable", "task"])
def test_its_error_is_the_spans(kind):
    async def fail():
        await asyncio.sleep(0)
        raise ValueError("late")

    class Failing:
        async def __call__(self):
            await fail()

        def __await__(self):
            return fail().__await__()

    functions = {
        "coroutine function": fail,
        "lambda": lambda: fail(),
        "object": Failing(),
        "awaitable": lambda: Failing(),
        "task": lambda: asyncio.ensure_future(fail()),
    }

    async def main():
        with pytest.raises(ValueError, match="late"):
            await traced("outer")(functions[kind])()
        await asyncio.sleep(0)

    asyncio.run(main())
    outer = take().one("outer")
    assert outer.status.code == 2 and outer.events[0].name == "exception"


def test_a_cancelled_task_is_no_error():
    async def main():
        task = traced("outer")(lambda: asyncio.ensure_future(asyncio.sleep(60)))()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert take().one("outer").status.code == 0


def test_a_future_of_a_pool():
    import threading

    go = threading.Event()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        future = traced("outer")(lambda: pool.submit(go.wait, 30))()
        assert isinstance(future, concurrent.futures.Future)
        assert [span.name for span in take()] == []
        go.set()
    assert take().one("outer").name == "outer"


def test_an_object_with_two_uses_keeps_both():
    async def main():
        request = traced("outer")(lambda: Request())()
        assert isinstance(request, Request) and request.status == 200
        async with request as value:
            assert value == "entered"

    asyncio.run(main())
    assert take().one("outer").status.code == 0


def test_generators_that_a_function_returns():
    def numbers():
        yield 1
        yield 2

    async def letters():
        yield "a"
        await work()

    with start_span("root") as root:
        made = traced("sync")(lambda: numbers())()
        assert next(made) == 1 and get_current_span() is root
        assert [span.name for span in take()] == []
        assert list(made) == [2]

    async def main():
        return [item async for item in traced("async")(lambda: letters())()]

    assert asyncio.run(main()) == ["a"]
    spans = take()
    assert spans.one("inside").parent_span_id == spans.one("async").span_id
    assert spans.one("sync").parent_span_id == spans.one("root").span_id


def test_the_kind_of_a_function_is_kept():
    async def items():
        yield 1

    class Items:
        async def __call__(self):
            yield 1

    assert inspect.iscoroutinefunction(traced(work))
    assert inspect.iscoroutinefunction(traced(Caller()))
    assert inspect.isasyncgenfunction(traced(items)) and inspect.isasyncgenfunction(traced(Items()))
    assert not inspect.iscoroutinefunction(traced(lambda: work()))


class Odd(type):
    def __getattr__(cls, name):
        raise RuntimeError("asked")


class Value(metaclass=Odd):
    pass


@pytest.mark.parametrize("value", [None, 1, "text", [1], Value(), object(), Value, range(3)])
def test_other_results_are_returned_as_they_are(value):
    assert traced("outer")(lambda: value)() is value
    assert take().one("outer").name == "outer"


def test_measurements_last_as_long():
    seconds = Histogram("decorated_seconds", "t", buckets=(0.02, 10))
    running = Gauge("decorated_running", "r")
    failures = Counter("decorated_failures", "f")

    @seconds.time()
    @running.track_inprogress()
    def begin():
        return work()

    @failures.count_exceptions(ValueError)
    def fail():
        async def inner():
            raise ValueError

        return inner()

    @seconds.time()
    def numbers():
        return (n for n in range(2))

    async def main():
        awaitable = begin()
        assert running.value == 1
        await awaitable
        assert running.value == 0
        with pytest.raises(ValueError):
            await fail()

    asyncio.run(main())
    assert seconds.count == 1 and failures.value == 1
    assert 'decorated_seconds_bucket{le="0.02"} 0' in generate_metrics_text()
    made = numbers()
    assert seconds.count == 1
    assert list(made) == [0, 1] and seconds.count == 2


def test_properties_are_decorated_in_either_order():
    class Order:
        @traced
        @property
        def price(self):
            return 7

        @price.setter
        def price(self, value):
            self.given = value

        @traced("load")
        @functools.cached_property
        def lines(self):
            return [1, 2]

        @property
        @traced
        def total(self):
            return self.price * len(self.lines)

    order = Order()
    order.price = 3
    assert (order.price, order.given, order.lines, order.lines, order.total) == (
        7,
        3,
        [1, 2],
        [1, 2],
        14,
    )
    names = [span.name.split(".")[-1] for span in take()]
    assert names == ["price", "load", "price", "total"]
    assert Order.price.fget.__name__ == "price" and order.__dict__["lines"] == [1, 2]
