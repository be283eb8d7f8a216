"""A disconnected client is no error of the service, whichever side detects it: 499 in the metrics,
no status and no error on the span, and an attribute that records it. A failure of the service stays
one, even if the client is gone."""

import asyncio
import contextlib
import gc
import json
import time
import weakref

import asgi_driver as driver
import pytest
from asgi_server import serving
from djp_telemetry.asgi import TelemetryMiddleware

pytest.importorskip("djp_telemetry._native")

GONE = {"type": "http.disconnect"}
START = {"type": "http.response.start", "status": 200, "headers": []}
PART = {"type": "http.response.body", "body": b"x", "more_body": True}


@pytest.fixture
def on():
    with driver.telemetry():
        yield


def ask(app, *incoming, send=None, **more):
    """One call. Returns the exception that leaves the application."""
    connection = driver.Connection(*incoming)

    async def main():
        scope = driver.http_scope("/x", "POST", **more)
        try:
            await app(scope, connection.receive, send or connection.send)
        except Exception as error:
            return error

    return asyncio.run(asyncio.wait_for(main(), 20))


def one_span():
    ((span, attributes),) = driver.server_spans()
    return span, attributes


def assert_client_left(status=None):
    span, attributes = one_span()
    assert span.status.code == 0 and not span.events, attributes
    assert (
        attributes.get("http.status_code") == status
        and attributes["http.client_disconnected"] is True
    )
    assert [labels[2] for labels in driver.requests_total()] == [str(status or 499)]


def raises(error_type, *arguments, cause=None):
    async def app(scope, receive, send):
        assert await receive() == GONE
        raise error_type(*arguments) from cause

    return app


def named(name, base=Exception):
    return type(name, (base,), {})


@pytest.mark.parametrize(
    "error",
    [
        named("ClientDisconnect")(),
        named("RequestAborted")(),
        named("ClientDisconnected", OSError)(),
        RuntimeError("No response returned."),
    ],
    ids=repr,
)
def test_exceptions_that_say_it(on, error):
    async def app(scope, receive, send):
        assert await receive() == GONE
        raise error

    assert ask(TelemetryMiddleware(app), GONE) is error
    assert_client_left()


def test_an_exception_that_was_raised_from_one(on):
    ask(TelemetryMiddleware(raises(ValueError, cause=named("ClientDisconnect")())), GONE)
    assert_client_left()


def test_a_group_of_them(on):
    group = pytest.importorskip("builtins").__dict__.get("ExceptionGroup")
    if group is None:
        pytest.skip("needs exception groups")
    ask(
        TelemetryMiddleware(
            raises(group, "two", [named("ClientDisconnect")(), named("RequestAborted")()])
        ),
        GONE,
    )
    assert_client_left()


def test_an_answer_that_nobody_gets_was_not_sent(on):
    async def app(scope, receive, send):
        assert await receive() == GONE
        await driver.answering(400)(scope, receive, send)

    ask(TelemetryMiddleware(app), GONE)
    assert_client_left()


def test_an_answer_that_had_begun_keeps_its_status(on):
    async def app(scope, receive, send):
        await send(START)
        await send(PART)
        assert await receive() == GONE

    ask(TelemetryMiddleware(app), GONE)
    assert_client_left(200)


@pytest.mark.parametrize("failing", ["http.response.start", "http.response.body"])
@pytest.mark.parametrize("swallowed", [False, True])
def test_a_send_that_raises_oserror(on, failing, swallowed):
    async def app(scope, receive, send):
        with contextlib.suppress(OSError) if swallowed else contextlib.nullcontext():
            await send(START)
            await send(PART)

    async def send(message):
        await asyncio.sleep(0)
        if message["type"] == failing:
            raise ConnectionResetError("gone")

    error = ask(TelemetryMiddleware(app), send=send, asgi={"version": "3.0", "spec_version": "2.4"})
    assert isinstance(error, OSError) != swallowed
    assert_client_left(200 if failing == "http.response.body" else None)


def test_a_later_error_is_not_taken_for_the_one_of_send(on):
    """The objects have the same address if the first is freed before the second is made."""

    async def app(scope, receive, send):
        with contextlib.suppress(OSError):
            await send(START)
        raise ConnectionRefusedError("the database")

    async def send(message):
        raise ConnectionResetError("gone")

    ask(TelemetryMiddleware(app), send=send, asgi={"version": "3.0", "spec_version": "2.4"})
    span, attributes = one_span()
    assert span.status.code == 2 and attributes["error.type"].endswith("ConnectionRefusedError")


def test_the_error_of_send_is_forgotten_with_the_request(on):
    class Local:
        pass

    seen = []

    async def app(scope, receive, send):
        with contextlib.suppress(OSError):
            await send(START)

    async def send(message):
        local = Local()
        seen.append(weakref.ref(local))
        raise ConnectionResetError("gone")

    gc.disable()
    try:
        ask(TelemetryMiddleware(app), send=send, asgi={"version": "3.0", "spec_version": "2.4"})
        assert seen[0]() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("name", ["ClientDisconnect", "WebSocketDisconnect"])
def test_a_name_alone_blames_nobody(on, name):
    async def app(scope, receive, send):
        raise named(name)

    ask(TelemetryMiddleware(app))
    span, attributes = one_span()
    assert span.status.code == 2 and attributes["http.status_code"] == 500


@pytest.mark.parametrize(
    "error", [ValueError("bug"), OSError("the disk"), RuntimeError("own")], ids=repr
)
def test_a_failure_of_the_service_stays_one_when_the_client_is_gone(on, error):
    async def app(scope, receive, send):
        assert await receive() == GONE
        raise error

    ask(TelemetryMiddleware(app), GONE, asgi={"version": "3.0", "spec_version": "2.4"})
    span, attributes = one_span()
    assert span.status.code == 2 and attributes["http.status_code"] == 500 and len(span.events) == 1
    assert [labels[2] for labels in driver.requests_total()] == ["500"]


def test_a_failure_while_the_leaving_is_handled_is_one_of_the_service(on):
    async def app(scope, receive, send):
        try:
            raise named("ClientDisconnect")
        except Exception:
            assert await receive() == GONE
            raise ValueError("the clean-up failed")  # noqa: B904

    ask(TelemetryMiddleware(app), GONE)
    assert one_span()[0].status.code == 2


# ---- websockets ----
@pytest.mark.parametrize("code", [1000, 1001, 1005, 1006, 1012])
def test_a_websocket_that_the_client_closes(on, code):
    async def app(scope, receive, send):
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        message = await receive()
        raise named("WebSocketDisconnect")(message["code"])

    ask(
        TelemetryMiddleware(app),
        {"type": "websocket.connect"},
        {"type": "websocket.disconnect", "code": code},
        type="websocket",
    )
    span, attributes = one_span()
    assert span.status.code == 0 and not span.events and attributes["http.status_code"] == 101
    assert attributes.get("http.client_disconnected", False) == (code == 1006)


def test_a_websocket_whose_send_raises(on):
    async def app(scope, receive, send):
        await send({"type": "websocket.accept"})
        try:
            await send({"type": "websocket.send", "text": "x"})
        except OSError:
            raise named("WebSocketDisconnect")(1006)  # noqa: B904

    async def send(message):
        if message["type"] == "websocket.send":
            raise named("ClientDisconnected", OSError)()

    ask(TelemetryMiddleware(app), send=send, type="websocket")
    span, attributes = one_span()
    assert span.status.code == 0 and attributes["http.client_disconnected"] is True


def test_a_websocket_that_fails_after_the_client_left_is_an_error(on):
    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        raise ValueError("the clean-up failed")

    ask(
        TelemetryMiddleware(app),
        {"type": "websocket.connect"},
        {"type": "websocket.disconnect", "code": 1000},
        type="websocket",
    )
    assert one_span()[0].status.code == 2


# ---- frameworks ----
def fastapi_app(added):
    """An application that reads, streams, and echoes; telemetry added or wrapped, between two
    middlewares of Starlette's kind."""
    fastapi = pytest.importorskip("fastapi")
    inner = fastapi.FastAPI()

    @inner.post("/upload")
    async def upload(request: fastapi.Request):
        return len(await request.body())

    @inner.middleware("http")
    async def inside(request, call_next):
        return await call_next(request)

    if added:
        inner.add_middleware(TelemetryMiddleware)

        @inner.middleware("http")
        async def outside(request, call_next):
            return await call_next(request)

        return inner
    return TelemetryMiddleware(inner)


@pytest.mark.parametrize("added", [True, False])
def test_an_upload_that_is_given_up_behind_http_middleware(on, added):
    part = {"type": "http.request", "body": b"abc", "more_body": True}
    app = fastapi_app(added)
    connection = driver.Connection(part, GONE)

    async def main():
        with contextlib.suppress(Exception):
            await app(driver.http_scope("/upload", "POST"), connection.receive, connection.send)

    asyncio.run(asyncio.wait_for(main(), 20))
    assert_client_left()


def give_up(app, path="/upload"):
    part = {"type": "http.request", "body": b"abc", "more_body": True}
    connection = driver.Connection(part, GONE)

    async def main():
        with contextlib.suppress(Exception):
            await app(driver.http_scope(path, "POST"), connection.receive, connection.send)

    asyncio.run(asyncio.wait_for(main(), 20))


@pytest.mark.parametrize("added", [True, False])
@pytest.mark.parametrize("who", ["Exception", "ClientDisconnect", "middleware"])
def test_an_upload_that_is_given_up_and_answered_with_503(on, added, who):
    """However the application responds, no client receives it, and the service did nothing
    wrong."""
    starlette = pytest.importorskip("starlette.applications")
    requests = pytest.importorskip("starlette.requests")
    responses = pytest.importorskip("starlette.responses")
    base = pytest.importorskip("starlette.middleware.base")
    inner = starlette.Starlette()

    async def upload(request):
        return responses.PlainTextResponse(str(len(await request.body())))

    async def busy(request, error):
        return responses.PlainTextResponse("busy", 503)

    async def catches(request, call_next):
        try:
            return await call_next(request)
        except Exception as error:
            return await busy(request, error)

    inner.add_route("/upload", upload, methods=["POST"])
    if who == "middleware":
        inner.add_middleware(base.BaseHTTPMiddleware, dispatch=catches)
    else:
        inner.add_exception_handler(
            Exception if who == "Exception" else requests.ClientDisconnect, busy
        )
    if added:
        inner.add_middleware(TelemetryMiddleware)
    give_up(inner if added else TelemetryMiddleware(inner))
    assert_client_left()


def test_a_failure_of_the_service_with_an_unfinished_body_stays_one(on):
    async def app(scope, receive, send):
        while (await receive())["type"] != "http.disconnect":
            pass
        await driver.answering(500)(scope, receive, send)
        raise ValueError("bug")

    give_up(TelemetryMiddleware(app))
    assert one_span()[0].status.code == 2


def test_an_answer_of_500_to_a_complete_request_stays_one(on):
    async def app(scope, receive, send):
        while (await receive())["type"] != "http.disconnect":
            pass
        await driver.answering(500)(scope, receive, send)

    ask(
        TelemetryMiddleware(app), {"type": "http.request", "body": b"abc", "more_body": False}, GONE
    )
    span, attributes = one_span()
    assert span.status.code == 2 and attributes["http.status_code"] == 500


def test_litestar_gives_an_upload_up(on):
    litestar = pytest.importorskip("litestar")

    @litestar.post("/upload", signature_namespace={"Request": litestar.Request})
    async def upload(request: litestar.Request) -> str:
        return str(len(await request.body()))

    ask_at = driver.Connection({"type": "http.request", "body": b"abc", "more_body": True}, GONE)
    app = TelemetryMiddleware(litestar.Litestar([upload]))

    async def main():
        await app(driver.http_scope("/upload", "POST"), ask_at.receive, ask_at.send)

    asyncio.run(asyncio.wait_for(main(), 20))
    assert_client_left()


# ---- servers ----
PROGRAM = """
import asyncio
from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse
from djp_telemetry import init_telemetry
from djp_telemetry.asgi import TelemetryMiddleware
init_telemetry()
app = FastAPI()
app.add_middleware(TelemetryMiddleware, metrics_path="/metrics")

@app.post("/upload")
async def upload(request: Request):
    return len(await request.body())

@app.get("/asks")
async def asks(request: Request):
    while not await request.is_disconnected():
        await asyncio.sleep(0.02)
    return "gone"

@app.get("/streams")
async def streams():
    async def body():
        while True:
            yield b"x" * 100
            await asyncio.sleep(0.02)
    return StreamingResponse(body())

@app.websocket("/ws")
async def ws(ws: WebSocket):
    await ws.accept()
    while True:
        await ws.send_text(await ws.receive_text())
"""


def leave(running, head, answered=False):
    """Disconnects during the request, or once its response has begun."""
    with running.connect() as connection:
        connection.sendall(head)
        if answered:
            connection.recv(1)
        else:
            time.sleep(0.3)


def scrape(running):
    with running.connect() as connection:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


@pytest.mark.parametrize(
    "server", ["uvicorn-h11", "uvicorn-httptools", "hypercorn", "gunicorn", "granian"]
)
def test_clients_that_leave_a_server(tmp_path, server):
    pytest.importorskip("fastapi")
    with serving(PROGRAM, tmp_path, server) as running:
        leave(running, b"POST /upload HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nabc")
        leave(running, b"GET /asks HTTP/1.1\r\nhost: x\r\n\r\n")
        leave(running, b"GET /streams HTTP/1.1\r\nhost: x\r\n\r\n", answered=True)
        spans = running.spans(3)
        metrics = scrape(running)
    found = {span["named"].get("http.route"): span for span in spans}
    assert set(found) == {"/upload", "/asks", "/streams"}, json.dumps(spans)
    for route, span in found.items():
        assert span["code"] == 0 and not span.get("events"), span
        assert span["named"].get("http.status_code") == (200 if route == "/streams" else None), span
    lines = [line for line in metrics.splitlines() if line.startswith("http_requests_total")]
    assert len(lines) == 3 and not any(
        'status_code="5' in line or 'status_code="4"' in line for line in lines
    ), lines


@pytest.mark.parametrize(
    "server", ["uvicorn-h11", "uvicorn-httptools", "hypercorn", "gunicorn", "granian"]
)
@pytest.mark.parametrize("way", ["goodbye", "vanishes"])
def test_websockets_of_a_server(tmp_path, server, way):
    pytest.importorskip("fastapi")
    client = pytest.importorskip("websockets.sync.client")
    with serving(PROGRAM, tmp_path, server) as running:
        with client.connect(f"ws://127.0.0.1:{running.port}/ws", proxy=None) as ws:
            ws.send("hello")
            assert ws.recv() == "hello"
            if way == "vanishes":
                ws.socket.close()
        (span,) = running.spans(1)
    assert span["code"] == 0 and not span.get("events"), span
    assert span["named"]["http.status_code"] == 101 and span["named"]["http.route"] == "/ws"


def test_a_stream_that_http2_resets(tmp_path):
    """hypercorn: the connection stays open, only the request is cancelled."""
    pytest.importorskip("fastapi")
    connection_of = pytest.importorskip("h2.connection")
    headers = [(":method", "GET"), (":scheme", "http"), (":authority", "x")]
    with serving(PROGRAM, tmp_path, "hypercorn") as running, running.connect() as wire:
        h2 = connection_of.H2Connection()
        h2.initiate_connection()
        for stream, path in ((1, "/asks"), (3, "/streams"), (5, "/upload")):
            method = [(":method", "POST")] if path == "/upload" else headers[:1]
            h2.send_headers(
                stream, method + headers[1:] + [(":path", path)], end_stream=path != "/upload"
            )
        h2.send_data(5, b"abc")
        wire.sendall(h2.data_to_send())
        time.sleep(0.3)
        for stream in (1, 3, 5):
            h2.reset_stream(stream, error_code=8)
        wire.sendall(h2.data_to_send())
        spans = running.spans(3)
    found = {span["named"].get("http.route"): span for span in spans}
    assert set(found) == {"/asks", "/streams", "/upload"}, json.dumps(spans)
    for route, span in found.items():
        assert span["code"] == 0 and not span.get("events"), span
        assert span["named"].get("http.status_code") == (200 if route == "/streams" else None), span
        assert span["named"].get("http.client_disconnected") is True, span


DJANGO = """
import asyncio, time
import django
from django.conf import settings
from django.http import HttpResponse
from django.urls import path
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x")
async def waits(request):
    await asyncio.sleep(30)
    return HttpResponse("late")
def upload(request):
    return HttpResponse(str(len(request.body)))
urlpatterns = [path("upload", upload), path("waits", waits)]
from django.core.asgi import get_asgi_application
from djp_telemetry import init_telemetry
from djp_telemetry.asgi import TelemetryMiddleware
init_telemetry()
app = TelemetryMiddleware(get_asgi_application(), metrics_path="/metrics")
"""


def test_clients_that_leave_django(tmp_path):
    pytest.importorskip("django")
    with serving(DJANGO, tmp_path, "uvicorn-h11", "--lifespan off") as running:
        leave(running, b"POST /upload HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nabc")
        leave(running, b"GET /waits HTTP/1.1\r\nhost: x\r\n\r\n")
        spans = running.spans(2)
        metrics = scrape(running)
    for span in spans:
        assert (
            span["code"] == 0 and not span.get("events") and "http.status_code" not in span["named"]
        ), span
        assert span["named"]["http.client_disconnected"] is True, span
    assert 'status_code="5' not in metrics
