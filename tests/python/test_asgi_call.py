"""The awaitable, the send and the receive of the middleware as Python objects: they behave as a
coroutine, leak nothing, and cost nothing while telemetry is off."""

import asyncio
import gc
import inspect
import sys
import time
import weakref

import asgi_driver as driver
import djp_telemetry
import pytest
from djp_telemetry.asgi import TelemetryMiddleware

pytest.importorskip("djp_telemetry._native")


@pytest.fixture
def on():
    with driver.telemetry():
        yield


class Boom(Exception):
    pass


async def _await(awaitable):
    return await awaitable


def test_servers_see_an_asgi3_application():
    middleware = TelemetryMiddleware(driver.answering())
    assert inspect.iscoroutinefunction(middleware.__call__)
    assert middleware._asgi_single_callable is True
    assert middleware.app is not None
    connection = driver.Connection()
    asyncio.run(middleware.__call__(driver.http_scope(), connection.receive, connection.send))
    asyncio.run(
        _await(
            middleware(scope=driver.http_scope(), receive=connection.receive, send=connection.send)
        )
    )
    assert connection.status == 200


def test_awaitable_behaves_like_a_coroutine(on):
    async def app(scope, receive, send):
        try:
            await asyncio.sleep(0)
        except Boom:
            await driver.answering()(scope, receive, send)
            return "value"

    async def nothing(*_):
        return None

    middleware = TelemetryMiddleware(app)
    call = middleware(driver.http_scope(), nothing, nothing)
    assert call.send(None) is None
    with pytest.raises(StopIteration) as stop:
        call.throw(Boom())
    assert stop.value.value == "value"
    with pytest.raises(RuntimeError):
        call.send(None)
    call.close()
    fresh = middleware(driver.http_scope(), nothing, nothing)
    with pytest.raises(Boom):
        fresh.throw(Boom)
    closed = middleware(driver.http_scope(), nothing, nothing)
    closed.send(None)
    closed.close()
    with pytest.raises(RuntimeError):
        closed.send(None)
    assert [a.get("http.status_code") for _, a in driver.server_spans()] == [200, 500, None]


def test_dropping_a_request_closes_the_application_at_once(on):
    closed = []

    async def app(scope, receive, send):
        try:
            await asyncio.sleep(1)
        finally:
            closed.append(True)

    gc.disable()
    try:
        calls = [TelemetryMiddleware(app)(driver.http_scope(), None, None)]

        async def main():
            calls[0].send(None)

        asyncio.run(main())
        calls.clear()
        assert closed == [True]
    finally:
        gc.enable()


def test_nothing_is_leaked(on):
    class Marker(dict):
        pass

    async def app(scope, receive, send):
        scope["self"] = (scope, receive, send)
        await receive()
        await driver.answering()(scope, receive, send)

    middleware = TelemetryMiddleware(app)
    for _ in range(50):
        driver.request(middleware)
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(500):
        driver.request(middleware)
    gc.collect()
    assert sys.getallocatedblocks() - before < 400
    middleware.extra = Marker()
    reference = weakref.ref(middleware.extra)
    del middleware
    gc.collect()
    assert reference() is None


def test_cost_while_off_is_a_plain_call():
    djp_telemetry.shutdown(1)

    def app(scope, receive, send):
        return None

    def best(call):
        times = []
        for _ in range(20):
            start = time.perf_counter()
            for _ in range(2000):
                call(scope, None, None)
            times.append(time.perf_counter() - start)
        return min(times) / 2000

    scope = {"type": "http"}
    assert best(TelemetryMiddleware(app)) - best(app) < 1e-6
