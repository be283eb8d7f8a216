"""Exceptions that a framework handles: they are on the span of the request, and an answer is no
error."""

import asgi_driver as driver
import pytest
from asgi_applications import Boom, ask, exceptions, fastapi_app, one
from djp_telemetry.asgi import TelemetryMiddleware, note_exception

pytest.importorskip("djp_telemetry._native")


@pytest.fixture
def on():
    with driver.telemetry():
        yield


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
