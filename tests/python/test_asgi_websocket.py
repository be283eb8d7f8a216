"""Websockets and lifespan through the middleware."""

import asyncio
import threading

import asgi_driver as driver
import djp_telemetry
import pytest
from djp_telemetry.asgi import TelemetryMiddleware

pytest.importorskip("djp_telemetry._native")


@pytest.fixture
def on():
    with driver.telemetry():
        yield


def connect(app, *incoming, path="/ws/7"):
    connection = driver.Connection({"type": "websocket.connect"}, *incoming)
    scope = driver.http_scope(path, type="websocket", scheme="ws")
    del scope["method"]

    async def main():
        await app(scope, connection.receive, connection.send)

    asyncio.run(asyncio.wait_for(main(), 20))
    return connection


async def echo(scope, receive, send):
    scope["route"] = type("Route", (), {"path_format": "/ws/{room}"})
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        with djp_telemetry.start_span("message"):
            await send({"type": "websocket.send", "text": message["text"]})


def test_a_connection_is_one_span_and_no_request(on):
    text = {"type": "websocket.receive", "text": "hi"}
    connection = connect(
        TelemetryMiddleware(echo), text, text, {"type": "websocket.disconnect", "code": 1000}
    )
    assert [m["type"] for m in connection.sent] == [
        "websocket.accept",
        "websocket.send",
        "websocket.send",
    ]
    exported = driver.spans()
    (server,) = [span for span in exported if span.kind == 2]
    attributes = driver.attributes(server)
    assert server.name == "websocket" and server.status.code == 0
    assert attributes["http.route"] == "/ws/{room}" and attributes["http.status_code"] == 101
    assert [s.parent_span_id for s in exported if s.name == "message"] == [server.span_id] * 2
    assert driver.requests_total() == {}


def test_refused_and_failing_connections(on):
    async def refuse(scope, receive, send):
        await send({"type": "websocket.close", "code": 1008})

    async def fail(scope, receive, send):
        raise ValueError("no")

    async def answer(scope, receive, send):
        await send({"type": "websocket.http.response.start", "status": 401, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b""})

    connect(TelemetryMiddleware(refuse))
    with pytest.raises(ValueError):
        connect(TelemetryMiddleware(fail))
    connect(TelemetryMiddleware(answer))
    found = [
        (span.status.code, attributes["http.status_code"])
        for span, attributes in driver.server_spans()
    ]
    assert found == [(0, 403), (2, 500), (0, 401)]


def closing(code):
    async def app(scope, receive, send):
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": code})
        await send({"type": "websocket.close", "code": 1011})  # too late to have an effect

    return app


def test_a_connection_that_the_service_could_not_serve(on):
    for code in (1000, 1001, 1008, 1012, 1013, True, "1011", 2**70):
        connect(TelemetryMiddleware(closing(code)))
    assert [span.status.code for span, _ in driver.server_spans()] == [0] * 8
    connect(TelemetryMiddleware(closing(1011)))
    ((span, attributes),) = driver.server_spans()
    assert (
        span.status.code == 2
        and attributes["error"] is True
        and attributes["http.status_code"] == 101
    )
    assert attributes["error.type"] == "1011" and "http.client_disconnected" not in attributes
    # the client's own failure
    connect(TelemetryMiddleware(echo), {"type": "websocket.disconnect", "code": 1011})
    assert driver.server_spans()[0][0].status.code == 0


def test_exceptions_that_close_a_connection(on):
    fastapi = pytest.importorskip("fastapi")
    app = fastapi.FastAPI()

    @app.websocket("/ws/{code}")
    async def endpoint(websocket: fastapi.WebSocket, code: int):
        await websocket.accept()
        raise fastapi.WebSocketException(code)

    app.add_middleware(TelemetryMiddleware)
    for code, status, events in ((1008, 0, 0), (1011, 2, 1)):
        connect(app, path=f"/ws/{code}")
        ((span, attributes),) = driver.server_spans()
        assert (span.status.code, len(span.events)) == (status, events), code
    assert (
        attributes["error.type"] == "WebSocketException"
        and attributes["http.route"] == "/ws/{code}"
    )


def test_websocket_under_stable_conventions():
    with driver.telemetry(semconv="http"):
        connect(TelemetryMiddleware(echo), {"type": "websocket.disconnect", "code": 1001})
        ((span, attributes),) = driver.server_spans()
    assert span.name == "GET /ws/{room}"
    assert attributes["url.scheme"] == "ws" and attributes["http.request.method"] == "GET"
    assert attributes["http.response.status_code"] == 101


def test_starlette_websocket_route(on):
    applications = pytest.importorskip("starlette.applications")
    routing = pytest.importorskip("starlette.routing")

    async def endpoint(websocket):
        await websocket.accept()
        await websocket.close()

    app = applications.Starlette(routes=[routing.WebSocketRoute("/ws/{room}", endpoint)])
    app.add_middleware(TelemetryMiddleware)
    connect(app)
    assert driver.server_spans()[0][1]["http.route"] == "/ws/{room}"


def test_lifespan_passes_and_flushes_before_the_server_hears(on, monkeypatch):
    order = []
    monkeypatch.setattr(
        djp_telemetry,
        "flush",
        lambda timeout=None: order.append(("flush", threading.current_thread())),
    )

    async def app(scope, receive, send):
        for kind in ("startup", "shutdown"):
            assert (await receive())["type"] == "lifespan." + kind
            await send({"type": f"lifespan.{kind}.complete"})
            order.append(kind)

    assert driver.lifespan(TelemetryMiddleware(app)) == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    assert [item if isinstance(item, str) else item[0] for item in order] == [
        "startup",
        "flush",
        "shutdown",
    ]
    assert order[1][1] is not threading.main_thread()
    assert driver.spans() == []


def test_telemetry_that_starts_with_the_application_is_flushed_with_it(monkeypatch):
    flushes = []
    djp_telemetry.shutdown(1)

    async def app(scope, receive, send):
        assert (await receive())["type"] == "lifespan.startup"
        djp_telemetry.init_telemetry(enabled=True, backend="otel", exporter="memory")
        monkeypatch.setattr(djp_telemetry, "flush", lambda timeout=None: flushes.append(timeout))
        await send({"type": "lifespan.startup.complete"})
        assert (await receive())["type"] == "lifespan.shutdown"
        await send({"type": "lifespan.shutdown.complete"})

    try:
        assert driver.lifespan(TelemetryMiddleware(app)) == [
            "lifespan.startup.complete",
            "lifespan.shutdown.complete",
        ]
        assert len(flushes) == 1
    finally:
        djp_telemetry.shutdown(1)


def test_lifespan_errors_pass_through(on):
    async def app(scope, receive, send):
        raise LookupError("no lifespan here")

    with pytest.raises(LookupError):
        driver.lifespan(TelemetryMiddleware(app))
