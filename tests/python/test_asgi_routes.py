"""Route templates of real frameworks: never a raw path, mounts complete, one constant for unmatched
requests."""

import asyncio

import asgi_driver as driver
import pytest
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


def endpoint_of(app, path, method="GET", **more):
    """The endpoint label and the http.route attribute of one request."""
    driver.spans()
    before = driver.requests_total()
    driver.request(app, path, method, **more)
    ((label, _),) = [(key, n) for key, n in driver.requests_total().items() if n != before.get(key)]
    ((_, attributes),) = driver.server_spans()
    assert attributes.get("http.route", "unmatched") == label[1]
    return label[1], int(label[2])


async def ok(request):
    return responses.PlainTextResponse("ok")


class Endpoint:
    """An endpoint that is an ASGI application."""

    async def __call__(self, scope, receive, send):
        await responses.PlainTextResponse("ok")(scope, receive, send)


def starlette_app():
    inner = applications.Starlette(
        routes=[routing.Route("/items/{item:int}", ok), routing.Route("/", ok)]
    )
    deep = [
        routing.Mount(
            "/t/{tenant}", routes=[routing.Route("/orders/{id}", ok, methods=["GET", "POST"])]
        )
    ]
    return applications.Starlette(
        routes=[
            routing.Route("/", ok),
            routing.Route("/users/{name}", ok, methods=["GET"]),
            routing.Route("/files/{path:path}", ok),
            routing.Route("/same/a", ok),
            routing.Mount("/sub", inner),
            routing.Mount("/v1", inner),
            routing.Mount("/plain", driver.answering()),
            routing.Mount("/deep", routes=deep),
            routing.Host(
                "api.test", applications.Starlette(routes=[routing.Route("/hosted/{id}", ok)])
            ),
        ]
    )


STARLETTE = [
    ("/", "/", 200),
    ("/users/ann", "/users/{name}", 200),
    ("/files/a/b/c", "/files/{path}", 200),
    ("/sub/items/7", "/sub/items/{item}", 200),
    ("/v1/items/7", "/v1/items/{item}", 200),
    ("/sub/", "/sub/", 200),
    ("/sub/none", "unmatched", 404),
    ("/plain/anything/at/all", "/plain/{path}", 200),
    ("/deep/t/acme/orders/1", "/deep/t/{tenant}/orders/{id}", 200),
    ("/deep/t/other/orders/2", "/deep/t/{tenant}/orders/{id}", 200),
    ("/deep/t/acme/none", "unmatched", 404),
    ("/wp-login.php", "unmatched", 404),
]


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


def test_scope_copied_on_the_way_to_the_router(on):
    for app in (starlette_app(), starlette_app()):

        class Copying:
            def __init__(self, app):
                self.app = app

            async def __call__(self, scope, receive, send):
                await self.app(dict(scope), receive, send)

        app.add_middleware(Copying)
        app.add_middleware(TelemetryMiddleware)
        for path, template, status in STARLETTE:
            assert endpoint_of(app, path) == (template, status), path
    assert endpoint_of(TelemetryMiddleware(Copying(starlette_app())), "/sub/items/7") == (
        "/sub/items/{item}",
        200,
    )


@pytest.mark.parametrize("copied", [False, True])
def test_of_two_routes_that_fit_but_for_the_method_the_first_names_the_request(on, copied):
    routes = [
        routing.Route("/both/{first}", ok, methods=["GET"]),
        routing.Route("/both/{second}", ok, methods=["PUT"]),
        routing.Mount(
            "/in",
            routes=[
                routing.Route("/{a}", ok, methods=["GET"]),
                routing.Route("/{b}", ok, methods=["PUT"]),
            ],
        ),
    ]
    app = applications.Starlette(routes=routes)

    async def copying(scope, receive, send):
        await app(dict(scope) if copied else scope, receive, send)

    copying.app = app
    middleware = TelemetryMiddleware(copying)
    assert endpoint_of(middleware, "/both/1") == ("/both/{first}", 200)
    assert endpoint_of(middleware, "/both/1", "PUT") == ("/both/{second}", 200)
    assert endpoint_of(middleware, "/both/1", "DELETE") == ("/both/{first}", 405)
    assert endpoint_of(middleware, "/in/1", "PUT") == ("/in/{b}", 200)
    assert endpoint_of(middleware, "/in/1", "DELETE") == ("/in/{a}", 405)


def test_middleware_of_a_mounted_application(on):
    inner = applications.Starlette(routes=[routing.Route("/items/{item}", ok)])
    inner.add_middleware(TelemetryMiddleware)
    app = applications.Starlette(routes=[routing.Mount("/t/{tenant}", inner)])
    assert endpoint_of(app, "/t/acme/items/3") == ("/t/{tenant}/items/{item}", 200)


def test_older_frameworks_leave_only_the_endpoint(on):
    """Before Starlette set scope["route"], the endpoint was all there was."""
    app = starlette_app()
    resolve = Routes(app).resolve
    users = {"router": app.router, "endpoint": ok, "root_path": "", "app_root_path": ""}
    assert resolve({**users}, "", "/users/ann") == "/users/{name}"
    assert resolve({**users, "root_path": "/sub"}, "", "/sub/items/4") == "/sub/items/{item}"
    assert (
        resolve({**users, "root_path": "/deep/t/x"}, "", "/deep/t/x/orders/9")
        == "/deep/t/{tenant}/orders/{id}"
    )
    assert resolve({**users, "root_path": "/unknown"}, "", "/unknown/x") is None
    plain = next(r for r in app.routes if getattr(r, "path", "") == "/plain")
    assert (
        resolve({**users, "endpoint": plain.app, "root_path": "/plain"}, "", "/plain/x")
        == "/plain/{path}"
    )


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


def test_django(on):
    django = pytest.importorskip("django")
    import sys
    import types

    from django.conf import settings

    if not settings.configured:
        settings.configure(
            ROOT_URLCONF="djp_test_urls", ALLOWED_HOSTS=["*"], SECRET_KEY="x", DATABASES={}
        )
        django.setup()
    from django.http import HttpResponse
    from django.urls import include, path, re_path

    def view(request, **kwargs):
        return HttpResponse("ok")

    urls = types.ModuleType("djp_test_urls")
    urls.urlpatterns = [
        path("orders/<int:order>/", view),
        path("api/", include([path("users/<str:name>", view)])),
        re_path(r"^old/(?P<year>[0-9]{4})/$", view),
    ]
    sys.modules["djp_test_urls"] = urls
    from django.core.asgi import get_asgi_application

    app = TelemetryMiddleware(get_asgi_application())
    host = {"headers": [("host", b"localhost")]}
    assert endpoint_of(app, "/orders/7/", **host) == ("/orders/<int:order>/", 200)
    assert endpoint_of(app, "/api/users/ann", **host) == ("/api/users/<str:name>", 200)
    assert endpoint_of(app, "/old/1999/", **host) == ("/old/(?P<year>[0-9]{4})/", 200)
    assert endpoint_of(app, "/none/", **host) == ("unmatched", 404)


def test_route_option_for_other_frameworks(on):
    app = TelemetryMiddleware(
        driver.answering(), route=lambda scope: "/mine/{id}" if "1" in scope["path"] else None
    )
    assert endpoint_of(app, "/mine/1") == ("/mine/{id}", 200)
    assert endpoint_of(app, "/x") == ("unmatched", 200)
    for broken in (lambda scope: 1 / 0, lambda scope: 7, lambda: "x"):
        assert endpoint_of(TelemetryMiddleware(driver.answering(), route=broken), "/x") == (
            "unmatched",
            200,
        )


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
