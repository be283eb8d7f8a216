"""Applications of frameworks whose requests fail, are refused or are routed, and calls of them."""

import asyncio

import asgi_driver as driver
import pytest
from djp_telemetry.asgi import TelemetryMiddleware


class Boom(Exception):
    pass


class Busy(Exception):
    pass


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


async def plain(scope, receive, send):
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


class Waiting:
    """An awaitable that gives control back once."""

    def __await__(self):
        yield "waiting"


async def pausing(scope, receive, send):
    await Waiting()
    await plain(scope, receive, send)
    await Waiting()
    return "done"


def started(application):
    """The awaitable of a request."""

    async def receive():
        return {"type": "http.request"}

    async def send(message):
        pass

    return TelemetryMiddleware(application)(driver.http_scope("/x"), receive, send)


class Catches:
    """A middleware that responds to exceptions of the layers inside it."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        try:
            await self.app(scope, receive, send)
        except Exception:
            await driver.answering(418)(scope, receive, send)


def one():
    ((span, attributes),) = driver.server_spans()
    return span, attributes


def exceptions(span):
    return [driver.attributes(event)["exception.type"].split(".")[-1] for event in span.events]


def endpoint_of(app, path, method="GET", **more):
    """The endpoint label and the http.route attribute of one request."""
    driver.spans()
    before = driver.requests_total()
    driver.request(app, path, method, **more)
    ((label, _),) = [(key, n) for key, n in driver.requests_total().items() if n != before.get(key)]
    ((_, attributes),) = driver.server_spans()
    assert attributes.get("http.route", "unmatched") == label[1]
    return label[1], int(label[2])


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


async def ok(request):
    return pytest.importorskip("starlette.responses").PlainTextResponse("ok")


def starlette_app():
    applications = pytest.importorskip("starlette.applications")
    routing = pytest.importorskip("starlette.routing")
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
