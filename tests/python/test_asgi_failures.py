"""Failures of a request. The status is the one that was sent, whichever layer sent it. The
exception is on the span, even if the framework handles it. A failure after the response is a
separate span. The server's log lines about it carry its ids."""

import asyncio
import re
import time

import asgi_driver as driver
import djp_telemetry
import pytest
from asgi_server import SERVERS, serving
from djp_telemetry.asgi import TelemetryMiddleware, note_exception
from djp_telemetry.integrations.structlog import add_trace_context

pytest.importorskip("djp_telemetry._native")


class Boom(Exception):
    pass


class Busy(Exception):
    pass


@pytest.fixture
def on():
    with driver.telemetry():
        yield


def ask(app, path="/", method="GET"):
    """One call on a persistent connection. Returns the status that was sent or that the server
    would send."""
    connection = driver.Connection({"type": "http.request", "body": b"", "more_body": False})

    async def main():
        try:
            await app(driver.http_scope(path, method), connection.receive, connection.send)
        except Exception:
            return

    asyncio.run(asyncio.wait_for(main(), 30))
    return connection.status or 500


def one():
    ((span, attributes),) = driver.server_spans()
    return span, attributes


def exceptions(span):
    return [driver.attributes(event)["exception.type"].split(".")[-1] for event in span.events]


# ---- Starlette and FastAPI ----
def fastapi_app(added, sync=False, before=None, after=None, status=503):
    fastapi = pytest.importorskip("fastapi")
    responses = pytest.importorskip("starlette.responses")
    app = fastapi.FastAPI()

    async def asynchronous(request, error):
        return responses.JSONResponse({"error": type(error).__name__}, status_code=status)

    def synchronous(request, error):
        return responses.JSONResponse({"error": type(error).__name__}, status_code=status)

    app.add_exception_handler(Exception, synchronous if sync else asynchronous)
    app.add_exception_handler(Busy, synchronous if sync else asynchronous)

    @app.get("/fails/{n}")
    async def fails(n: int):
        raise Boom("no")

    @app.get("/busy/{n}")
    async def busy(n: int):
        raise Busy("later")

    @app.get("/missing/{n}")
    async def missing(n: int):
        raise fastapi.HTTPException(404)

    @app.get("/gateway/{n}")
    async def gateway(n: int):
        raise fastapi.HTTPException(502, "behind")

    @app.get("/late/{n}")
    async def late(n: int, tasks: fastapi.BackgroundTasks, waits: bool = True):
        async def task():
            await asyncio.sleep(0.01)
            raise Boom("late")

        tasks.add_task(task)
        return n

    if before is not None:
        app.add_middleware(before)
    if added:
        app.add_middleware(TelemetryMiddleware)
    if after is not None:
        app.add_middleware(after)
    return app if added else TelemetryMiddleware(app)


@pytest.mark.parametrize("added", [True, False])
@pytest.mark.parametrize("sync", [True, False])
def test_status_and_exception_of_what_handlers_answer(on, added, sync):
    app = fastapi_app(added, sync)
    for path, error in (("/fails/1", "Boom"), ("/busy/1", "Busy")):
        for _ in range(2):  # the layers do not exist before the first request
            assert ask(app, path) == 503
            span, attributes = one()
            assert span.status.code == 2 and attributes["http.status_code"] == 503, path
            assert attributes["http.route"] == path[:-1] + "{n}"
            assert exceptions(span) == [error], path
            assert "in fails" in str(span.events) or "in busy" in str(span.events)
    assert {labels[2] for labels in driver.requests_total()} == {"503"}


@pytest.mark.parametrize("added", [True, False])
def test_exceptions_that_are_answers_are_no_errors(on, added):
    app = fastapi_app(added, status=409)
    assert (
        ask(app, "/missing/1") == 404 and ask(app, "/busy/1") == 409 and ask(app, "/nowhere") == 404
    )
    for span, _ in driver.server_spans():
        assert span.status.code == 0 and not span.events
    assert ask(app, "/gateway/1") == 502
    span, attributes = one()
    assert (
        span.status.code == 2
        and attributes["http.status_code"] == 502
        and exceptions(span) == ["HTTPException"]
    )
    assert ask(app, "/fails/1") == 409  # handled, and passed on to the server as a failure
    span, attributes = one()
    assert (
        span.status.code == 2
        and attributes["http.status_code"] == 409
        and exceptions(span) == ["Boom"]
    )


@pytest.mark.parametrize("added", [True, False])
def test_handlers_of_a_mounted_application(on, added):
    fastapi = pytest.importorskip("fastapi")
    inner, middle, outer = fastapi.FastAPI(), fastapi.FastAPI(), fastapi.FastAPI()

    @inner.get("/gateway/{n}")
    async def gateway(n: int):
        raise fastapi.HTTPException(502, "behind")

    middle.mount("/deep", inner)
    outer.mount("/in", middle)
    if added:
        outer.add_middleware(TelemetryMiddleware)
    app = outer if added else TelemetryMiddleware(outer)
    for _ in range(2):
        assert ask(app, "/in/deep/gateway/1") == 502
        span, attributes = one()
        assert attributes["http.route"] == "/in/deep/gateway/{n}" and exceptions(span) == [
            "HTTPException"
        ]


def test_error_type_is_the_class_of_what_was_answered():
    with driver.telemetry(semconv="http"):
        ask(fastapi_app(True), "/busy/1")
        span, attributes = one()
    assert attributes["error.type"] == "Busy" and attributes["http.response.status_code"] == 503


class Catches:
    """A middleware that responds to exceptions of the layers inside it."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        try:
            await self.app(scope, receive, send)
        except Exception:
            await driver.answering(418)(scope, receive, send)


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


# ---- other frameworks ----
def test_litestar(on):
    litestar = pytest.importorskip("litestar")

    @litestar.get("/fails/{n:int}", sync_to_thread=False)
    def fails(n: int) -> str:
        raise Boom("no")

    @litestar.get("/missing", sync_to_thread=False)
    def missing() -> str:
        raise litestar.exceptions.NotFoundException

    app = TelemetryMiddleware(litestar.Litestar([fails, missing]))
    assert ask(app, "/fails/1") == 500 and ask(app, "/missing") == 404
    (failed, attributes), (fine, _) = driver.server_spans()
    assert (
        failed.status.code == 2
        and exceptions(failed) == ["Boom"]
        and "in fails" in str(failed.events)
    )
    assert attributes["http.status_code"] == 500 and fine.status.code == 0 and not fine.events


def test_litestar_with_the_middleware_in_its_list(on):
    """The recipe of the documents."""
    litestar = pytest.importorskip("litestar")

    @litestar.get("/fails/{n:int}", sync_to_thread=False)
    def fails(n: int) -> str:
        raise Boom("no")

    @litestar.get("/missing", sync_to_thread=False)
    def missing() -> str:
        raise litestar.exceptions.NotFoundException

    async def answered(error, scope):
        note_exception(scope, error)

    app = litestar.Litestar(
        [fails, missing], middleware=[TelemetryMiddleware], after_exception=[answered]
    )
    assert ask(app, "/fails/1") == 500 and ask(app, "/missing") == 404
    (failed, attributes), (fine, _) = driver.server_spans()
    assert (
        failed.status.code == 2
        and exceptions(failed) == ["Boom"]
        and attributes["http.status_code"] == 500
    )
    assert fine.status.code == 0 and not fine.events


@pytest.mark.parametrize("scope", [None, {}, {"djp_telemetry.span": 7}, [], "x"])
@pytest.mark.parametrize(
    "error", [None, Boom("x"), "text", type("Odd", (Boom,), {"status_code": "x"})()]
)
def test_noting_never_raises(on, scope, error):
    note_exception(scope, error)


DJANGO = """
import asyncio, django, json, sys
from django.conf import settings
from django.http import HttpResponse
from django.urls import path
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x", LOGGING_CONFIG=None)
class Boom(Exception): pass
def fails(request, n):
    raise Boom("no")
async def fails_async(request, n):
    raise Boom("no")
urlpatterns = [path("fails/<int:n>", fails), path("async/<int:n>", fails_async)]
from django.core.asgi import get_asgi_application
sys.path.insert(0, TESTS)
import asgi_driver as driver
from djp_telemetry.asgi import TelemetryMiddleware
app = TelemetryMiddleware(get_asgi_application())
with driver.telemetry():
    for where in ("/fails/1", "/async/1", "/nowhere"):
        driver.request(app, where)
    for span, attributes in driver.server_spans():
        print(json.dumps([attributes.get("http.route"), attributes["http.status_code"],
                          span.status.code,
                          [driver.attributes(e)["exception.type"] for e in span.events]]))
"""


def test_django(tmp_path):
    import json
    import pathlib

    import support

    pytest.importorskip("django")
    source = DJANGO.replace("TESTS", repr(str(pathlib.Path(__file__).parent)))
    done = support.run_program(source, tmp_path)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert found == [
        ["/fails/<int:n>", 500, 2, ["__main__.Boom"]],
        ["/async/<int:n>", 500, 2, ["__main__.Boom"]],
        [None, 404, 0, []],
    ]


# ---- after the answer ----
@pytest.mark.parametrize("added", [True, False])
@pytest.mark.parametrize("ratio", [1.0, 1e-9])
def test_background_work_that_fails_is_a_span_of_its_own(added, ratio):
    with driver.telemetry(sample_ratio=ratio):
        assert ask(fastapi_app(added), "/late/1") == 200
        found = {span.name: span for span in driver.spans()}
        assert driver.requests_total() == {("GET", "/late/{n}", "200"): 1}
    late = found["http.server.background"]
    assert late.status.code == 2 and exceptions(late) == ["Boom"] and late.kind == 1
    if ratio == 1.0:
        request = found["http.server"]
        assert (
            late.parent_span_id == request.span_id
            and request.status.code == 0
            and not request.events
        )
        assert late.start_time_unix_nano >= request.end_time_unix_nano - 1_000_000


def test_background_work_that_fails_at_once(on):
    async def app(scope, receive, send):
        await driver.answering()(scope, receive, send)
        raise Boom

    assert ask(TelemetryMiddleware(app)) == 200
    found = {span.name: span for span in driver.spans()}
    assert set(found) == {"http.server", "http.server.background"}
    assert found["http.server"].status.code == 0 and exceptions(
        found["http.server.background"]
    ) == ["Boom"]


def test_an_exception_behind_an_answer_of_500_belongs_to_it(on):
    async def app(scope, receive, send):
        await driver.answering(500)(scope, receive, send)
        await asyncio.sleep(0)
        raise Boom

    ask(TelemetryMiddleware(app))
    (span,) = driver.spans()
    assert span.status.code == 2 and exceptions(span) == ["Boom"]


# ---- the server's own lines ----
PROGRAM = """
import logging, sys
handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(logging.Formatter("LINE %(name)s [%(trace_id)s] %(message).60s"))
from djp_telemetry import init_telemetry, get_current_trace_id
from djp_telemetry.asgi import TelemetryMiddleware
init_telemetry()

def listen():  # with the first request: servers set their loggers up when the program is loaded
    for name in ("uvicorn.error", "uvicorn.access", "hypercorn.error", "hypercorn.access",
                 "_granian", "granian.access", "gunicorn.error", "gunicorn.access"):
        logger = logging.getLogger(name)
        if handler not in logger.handlers:
            logger.addHandler(handler)

async def application(scope, receive, send):
    if scope["type"] != "http":
        return
    listen()
    if scope["path"] == "/fails":
        raise LookupError("no")
    length = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": length})
    await send({"type": "http.response.body", "body": b"ok"})

app = TelemetryMiddleware(application)
"""


@pytest.mark.parametrize("server", SERVERS)
def test_lines_of_the_server_carry_the_ids(tmp_path, server):
    with serving(PROGRAM, tmp_path, server) as running:
        for path in ("/fails", "/fine"):
            with running.connect() as connection:
                connection.sendall(
                    f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode()
                )
                answer = b"".join(iter(lambda reader=connection: reader.recv(65536), b""))
                assert int(answer.split()[1]) == (500 if path == "/fails" else 200)
        spans = running.spans(2)
        failed, fine = sorted(spans, key=lambda span: -span["code"])
        deadline = time.monotonic() + 10
        pattern = re.compile(r"^LINE (\\S+) \\[(.*?)\\] (.*)$".replace("\\\\", "\\"), re.M)
        while True:
            lines = pattern.findall(running.output())
            about = [line for line in lines if "xception" in line[2] or "Error" in line[2]]
            if about or time.monotonic() > deadline:
                break
            time.sleep(0.1)
    assert about and all(line[1] == failed["traceId"] for line in about), running.output()
    for line in lines:
        if "/fails" in line[2]:
            assert line[1] == failed["traceId"], line
        if "/fine" in line[2]:
            assert line[1] == fine["traceId"], line


def ids_of_a_line():
    record = {}
    djp_telemetry._loader.impl.stamp(record)
    assert add_trace_context(None, "info", {}).get("trace_id", "") == record["trace_id"]
    return record["trace_id"]


@pytest.mark.parametrize("headers", [[], [("baggage", b"a=b")]], ids=["bare", "carrying"])
@pytest.mark.parametrize("excluded", [False, True])
def test_lines_after_a_failure_carry_its_ids_until_the_next_request(excluded, headers):
    async def fails(scope, receive, send):
        raise Boom

    async def main():
        connection = driver.Connection()
        assert ids_of_a_line() == ""
        with pytest.raises(Boom):
            await TelemetryMiddleware(fails)(
                driver.http_scope(), connection.receive, connection.send
            )
        after = ids_of_a_line()
        assert djp_telemetry.get_current_trace_id() == "" and djp_telemetry.inject({}) == {}
        with djp_telemetry.start_span("other"):
            assert ids_of_a_line() == djp_telemetry.get_current_trace_id() != after
        seen = []

        async def next_one(scope, receive, send):
            seen.append(ids_of_a_line())
            await driver.answering()(scope, receive, send)

        app = TelemetryMiddleware(next_one, excluded_paths="/" if excluded else ())
        await app(driver.http_scope(headers=headers), connection.receive, connection.send)
        assert ids_of_a_line() == "" and seen[0] != after and bool(seen[0]) != excluded
        return after

    with driver.telemetry():
        after = asyncio.run(main())
        assert after in [span.trace_id.hex() for span, _ in driver.server_spans()]


def test_a_status_after_the_first_one_is_not_what_was_sent(on):
    async def streams(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        raise Boom("in the middle")

    # then 418, which a server would refuse
    assert ask(TelemetryMiddleware(Catches(streams))) == 200
    _, attributes = one()
    assert attributes["http.status_code"] == 200

    async def strict(scope, receive, send):
        begun = []

        async def sending(message):
            if message["type"] == "http.response.start":
                if begun:
                    raise RuntimeError("the response has begun")
                begun.append(message)
            await send(message)

        await TelemetryMiddleware(Catches(streams))(scope, receive, sending)

    assert ask(strict) == 200
    span, attributes = one()
    assert (
        attributes["http.status_code"] == 200
        and span.status.code == 2
        and exceptions(span) == ["RuntimeError"]
    )
    assert {labels[2] for labels in driver.requests_total()} == {"200"}
