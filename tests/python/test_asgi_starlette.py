"""The place of the middleware in an application of Starlette: around its error layer and inside of
guards, with the class of the layer unchanged."""

import asyncio
import functools

import asgi_driver as driver
import djp_telemetry
import pytest
from asgi_applications import Boom, Catches, ask, exceptions, fastapi_app, one
from djp_telemetry.asgi import TelemetryMiddleware

pytest.importorskip("djp_telemetry._native")


@pytest.fixture
def on():
    with driver.telemetry():
        yield


class Fails(Catches):
    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            raise Boom("in a middleware")
        await self.app(scope, receive, send)


def test_middleware_outside_of_ours_is_seen_too(on):
    starlette = pytest.importorskip("starlette.applications")
    app = starlette.Starlette()

    async def fails(request):
        raise Boom

    app.add_route("/fails", fails)
    app.add_middleware(TelemetryMiddleware)
    app.add_middleware(Catches)
    assert ask(app, "/fails") == 418
    assert one()[1]["http.status_code"] == 418
    failing = fastapi_app(True, after=Fails)
    assert ask(failing, "/busy/1") == 503
    span, attributes = one()
    assert attributes["http.status_code"] == 503 and exceptions(span) == ["Boom"]


@pytest.mark.parametrize("kind", ["function", "partial", "partial twice", "object"])
@pytest.mark.parametrize("is_async", [True, False])
def test_a_handler_may_be_any_callable(on, kind, is_async):
    starlette = pytest.importorskip("starlette.applications")
    responses = pytest.importorskip("starlette.responses")

    def respond(status, request, error):
        return responses.Response(status_code=status)

    async def respond_later(status, request, error):
        return responses.Response(status_code=status)

    class Responds:
        def __call__(self, request, error):
            return respond(503, request, error)

    class RespondsLater:
        async def __call__(self, request, error):
            return respond(503, request, error)

    async def fails(request):
        raise Boom("in fails")

    chosen = functools.partial(respond_later if is_async else respond, 503)
    handler = {
        "function": lambda request, error: respond(503, request, error),
        "partial": chosen,
        "partial twice": functools.partial(functools.partial(chosen)),
        "object": RespondsLater() if is_async else Responds(),
    }[kind]
    app = starlette.Starlette(exception_handlers={Boom: handler})
    app.add_route("/fails", fails)
    app.add_middleware(TelemetryMiddleware)
    assert ask(app, "/fails") == 503
    span, attributes = one()
    assert attributes["http.status_code"] == 503 and exceptions(span) == ["Boom"]


def test_the_scrape_stays_behind_what_guards_it(on):
    starlette = pytest.importorskip("starlette.applications")

    class Guard(Catches):
        async def __call__(self, scope, receive, send):
            if scope["type"] == "http" and b"key" not in dict(scope["headers"]):
                await driver.answering(401)(scope, receive, send)
            else:
                await self.app(scope, receive, send)

    app = starlette.Starlette()
    app.add_middleware(TelemetryMiddleware, metrics_path="/metrics")
    app.add_middleware(Guard)
    assert driver.request(app, "/metrics").status == 401
    answer = driver.request(app, "/metrics", headers=[("key", b"1")])
    assert answer.status == 200 and b"# TYPE" in answer.body
    assert driver.server_spans() == [] and driver.requests_total() == {}


def test_the_layer_keeps_its_class(on):
    errors = pytest.importorskip("starlette.middleware.errors")
    app = fastapi_app(True)
    ask(app, "/missing/1")
    assert isinstance(app.middleware_stack, errors.ServerErrorMiddleware)
    assert type(app.middleware_stack).__name__ == "ServerErrorMiddleware"


def test_lifespan_goes_through_and_is_flushed_once(on, monkeypatch):
    flushes = []
    monkeypatch.setattr(djp_telemetry, "flush", lambda timeout=None: flushes.append(timeout))
    app = fastapi_app(True)
    connection = driver.Connection({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})

    async def main():
        await app(
            {"type": "lifespan", "asgi": {"version": "3.0"}}, connection.receive, connection.send
        )

    asyncio.run(asyncio.wait_for(main(), 20))
    assert [m["type"] for m in connection.sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    assert len(flushes) == 1
