"""Route templates of real frameworks: never a raw path, mounts complete, one constant for unmatched
requests."""

import asyncio

import asgi_driver as driver
import pytest
from asgi_applications import STARLETTE, endpoint_of, ok, starlette_app
from djp_telemetry.asgi import TelemetryMiddleware
from djp_telemetry.asgi._routes import Routes

pytest.importorskip("djp_telemetry._native")

applications = pytest.importorskip("starlette.applications")

responses = pytest.importorskip("starlette.responses")

routing = pytest.importorskip("starlette.routing")


@pytest.fixture
def on():
    with driver.telemetry():
        yield


@pytest.mark.parametrize("how", ["add_middleware", "around"])
def test_starlette(on, how):
    app = starlette_app()
    if how == "add_middleware":
        app.add_middleware(TelemetryMiddleware)
    else:
        app = TelemetryMiddleware(app)
    for path, template, status in STARLETTE:
        assert endpoint_of(app, path) == (template, status), path
    assert endpoint_of(app, "/users/ann", "POST") == ("/users/{name}", 405)
    assert endpoint_of(app, "/hosted/7", headers=[("host", b"api.test")])[1] == 200


def test_deployment_prefix_is_part_of_the_template(on):
    app = TelemetryMiddleware(starlette_app())
    # Older Starlette expects a path without the prefix, as WSGI has it.
    sent = "/api" if hasattr(routing, "get_route_path") else ""
    for path, template, status in STARLETTE:
        wanted = template if template == "unmatched" else "/api" + template
        assert endpoint_of(app, sent + path, root_path="/api") == (wanted, status), path


def test_middleware_of_a_mounted_application(on):
    inner = applications.Starlette(routes=[routing.Route("/items/{item}", ok)])
    inner.add_middleware(TelemetryMiddleware)
    app = applications.Starlette(routes=[routing.Mount("/t/{tenant}", inner)])
    assert endpoint_of(app, "/t/acme/items/3") == ("/t/{tenant}/items/{item}", 200)


def test_many_raw_prefixes_do_not_grow_the_cache(on):
    app = starlette_app()
    routes = Routes(app)
    for i in range(3000):
        scope = {
            "router": app.router,
            "route": app.routes[1],
            "root_path": f"/deep/t/{i}",
            "app_root_path": "",
        }
        assert routes.resolve(scope, "", "/") == "/deep/t/{tenant}/users/{name}"
    assert len(routes._mounts) <= 1024


def test_streaming_and_background_tasks_of_starlette(on):
    background = pytest.importorskip("starlette.background")
    ran = []

    async def stream(request):
        async def body():
            for _ in range(3):
                await asyncio.sleep(0.02)
                yield b"x"

        async def later():
            await asyncio.sleep(0.2)
            ran.append(True)

        return responses.StreamingResponse(body(), background=background.BackgroundTask(later))

    app = applications.Starlette(routes=[routing.Route("/stream", stream)])
    app.add_middleware(TelemetryMiddleware)
    assert driver.request(app, "/stream").body == b"xxx" and ran
    ((_, attributes),) = driver.server_spans()
    assert 0.05 < attributes["http.duration_seconds"] < 0.18


def test_failing_background_task_of_starlette(on):
    background = pytest.importorskip("starlette.background")

    def fail():
        raise ValueError("later")

    async def answer(request):
        return responses.PlainTextResponse("ok", background=background.BackgroundTask(fail))

    app = applications.Starlette(routes=[routing.Route("/", answer)])
    app.add_middleware(TelemetryMiddleware)
    with pytest.raises(ValueError):
        driver.request(app)
    assert driver.requests_total() == {("GET", "/", "200"): 1}


def test_base_http_middleware_on_either_side(on):
    base = pytest.importorskip("starlette.middleware.base")

    class Passing(base.BaseHTTPMiddleware):
        async def dispatch(self, request, call_next):
            return await call_next(request)

    app = starlette_app()
    app.add_middleware(Passing)
    app.add_middleware(TelemetryMiddleware)
    app.add_middleware(Passing)
    assert endpoint_of(app, "/users/ann") == ("/users/{name}", 200)
    assert endpoint_of(app, "/sub/items/7") == ("/sub/items/{item}", 200)


def test_fastapi(on):
    fastapi = pytest.importorskip("fastapi")
    router = fastapi.APIRouter(prefix="/orders")
    nested = fastapi.APIRouter(prefix="/lines")
    inner = fastapi.FastAPI()

    @nested.get("/{line}")
    def line(line: int, order: int = 0):
        return line

    @router.get("/{order}")
    async def order(order: int):
        return order

    @inner.get("/things/{thing}")
    def thing(thing: str):
        return thing

    router.include_router(nested, prefix="/{order}")
    app = fastapi.FastAPI()
    app.include_router(router, prefix="/api")
    app.mount("/inner/{tenant}", inner)

    @app.get("/fail")
    def fail():
        raise RuntimeError("no")

    @app.get("/refuse")
    def refuse():
        raise fastapi.HTTPException(403)

    app.add_middleware(TelemetryMiddleware)
    assert endpoint_of(app, "/api/orders/7") == ("/api/orders/{order}", 200)
    assert endpoint_of(app, "/api/orders/x") == ("/api/orders/{order}", 422)
    assert endpoint_of(app, "/api/orders/7/lines/2") == ("/api/orders/{order}/lines/{line}", 200)
    assert endpoint_of(app, "/inner/acme/things/3") == ("/inner/{tenant}/things/{thing}", 200)
    assert endpoint_of(app, "/refuse") == ("/refuse", 403)
    assert endpoint_of(app, "/openapi.json") == ("/openapi.json", 200)
    assert endpoint_of(app, "/nowhere") == ("unmatched", 404)
    assert endpoint_of(app, "/api/orders/7", "DELETE") == ("/api/orders/{order}", 405)
    with pytest.raises(RuntimeError, match="no"):
        driver.request(app, "/fail")
    ((span, attributes),) = driver.server_spans()
    assert (
        attributes["http.status_code"] == 500
        and attributes["http.route"] == "/fail"
        and span.status.code == 2
    )


def test_litestar(on):
    litestar = pytest.importorskip("litestar")

    @litestar.get("/orders/{order:int}")
    async def order(order: int) -> int:
        return order

    app = TelemetryMiddleware(litestar.Litestar([order], openapi_config=None))
    template, status = endpoint_of(app, "/orders/7")
    assert (template.replace("{order:int}", "{order}"), status) == ("/orders/{order}", 200)
    assert endpoint_of(app, "/none/7") == ("unmatched", 404)


@pytest.mark.parametrize(
    "path,normal",
    [
        ("/api/workflows/550e8400-e29b-41d4-a716-446655440000", "/api/workflows/{id}"),
        ("/api/workflows/123/runs/456", "/api/workflows/{id}/runs/{id}"),
        ("/tenant-abc123/workflows", "/tenant-{id}/workflows"),
        ("/api/templates", "/api/templates"),
        ("/2fa/setup", "/2fa/setup"),
        ("/api/mail/john@x.com", "/api/mail/{id}"),
        ("/users/507f1f77bcf86cd799439011", "/users/{id}"),
    ],
)
def test_normalise(path, normal):
    assert TelemetryMiddleware._normalize_endpoint(path) == normal


def test_normalise_survives_anything():
    for value in (None, 7, "", "\ud800", "/" * 100000, "x" * 1000000):
        TelemetryMiddleware._normalize_endpoint(value)
