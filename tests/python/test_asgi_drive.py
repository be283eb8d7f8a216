"""The coroutine protocol around an application: values, exceptions and awaitables of any kind pass
unchanged."""

import asyncio
import gc

import asgi_driver as driver
import djp_telemetry
import pytest
from asgi_applications import Waiting, pausing, plain, started
from djp_telemetry import INVALID_SPAN
from djp_telemetry.asgi import TelemetryMiddleware

pytest.importorskip("djp_telemetry._native")


@pytest.fixture
def on():
    with driver.telemetry():
        yield


def test_stop_iteration_values_of_any_kind(on):
    for value in (None, (1, 2), StopIteration(3), ValueError("x"), [1]):

        async def app(scope, receive, send, value=value):
            return value

        async def main(app=app):
            return await TelemetryMiddleware(app)(driver.http_scope(), None, None)

        assert asyncio.run(main()) is value


def test_generator_based_and_custom_awaitables(on):
    class Custom:
        def __await__(self):
            yield from asyncio.sleep(0).__await__()
            return "custom"

    async def main():
        return await TelemetryMiddleware(lambda *_: Custom())(driver.http_scope(), None, None)

    assert asyncio.run(main()) == "custom"


def test_every_order_of_steps(on):
    """The same as for a coroutine, which the second column shows."""

    async def bare():
        await Waiting()
        await Waiting()
        return "done"

    steps = {
        "send": lambda awaitable: awaitable.send(None),
        "throw": lambda awaitable: awaitable.throw(KeyError("thrown")),
        "throw_class": lambda awaitable: awaitable.throw(KeyError),
        "close": lambda awaitable: awaitable.close(),
    }

    def trace(awaitable, names):
        seen = []
        for name in names:
            try:
                seen.append((name, "gave", steps[name](awaitable)))
            except BaseException as error:
                seen.append((name, type(error).__name__, getattr(error, "value", None)))
        return seen

    for first in steps:
        for second in steps:
            for third in steps:
                names = (first, second, third, "send", "close")
                ours, coroutine = started(pausing), bare()
                expected = trace(coroutine, names)
                assert [step[1:] for step in trace(ours, names)] == [
                    step[1:] for step in expected
                ], names
    assert djp_telemetry.get_current_span() is INVALID_SPAN


@pytest.mark.parametrize("step", ["send", "throw", "close"])
@pytest.mark.parametrize("kind", ["coroutine", "iterator"])
def test_an_application_that_drives_its_own_awaitable(on, step, kind):
    """A fault of the program, a ValueError with coroutines. Whatever the result, no object in use
    is freed."""
    holder, seen = [], []

    def drive():
        try:
            getattr(holder[0], step)(*{"send": [None], "throw": [KeyError("x")], "close": []}[step])
        except BaseException as error:
            seen.append(type(error))
        gc.collect()

    class Iterator:
        def __init__(self):
            self.steps, self.memory = 0, "".join(["x"] * 1000)

        def __await__(self):
            return self

        def __iter__(self):
            return self

        def __next__(self):
            self.steps += 1
            if self.steps < 3:
                drive()
            if self.steps > 3:
                raise StopIteration(len(self.memory))
            return self.steps

        send = throw = lambda self, *args: self.__next__()

        def close(self):
            self.memory += "y"

    async def application(scope, receive, send):
        drive()
        await Waiting()
        drive()
        await plain(scope, receive, send)

    for _ in range(10):
        awaitable = started(application if kind == "coroutine" else lambda *args: Iterator())
        holder[:] = [awaitable]
        del awaitable
        for _ in range(6):
            try:
                holder[0].send(None)
            except BaseException as error:
                seen.append(type(error))
        holder.clear()
        gc.collect()
    assert seen
    assert djp_telemetry.flush(5)
