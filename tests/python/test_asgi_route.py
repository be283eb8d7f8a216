"""The route template of a finished request: from the scope of the router, or from the option."""

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
