"""ASGI scopes, messages and calls that no server sends, and awaitables driven in an order that no
event loop uses. The application behaves as without the middleware."""

import asyncio
import contextlib
import gc

import djp_telemetry
import pytest
from asgi_applications import pausing, plain, started
from asgi_driver import Connection, http_scope
from djp_telemetry import INVALID_SPAN
from djp_telemetry.asgi import TelemetryMiddleware
from evil import ACTIONS, EVIL, HUGE, ListOfLies, Raising
from support import take, telemetry

pytest.importorskip("djp_telemetry._native")


@pytest.fixture
def on():
    with telemetry(backend="hybrid"):
        yield
    assert djp_telemetry.get_current_span() is INVALID_SPAN


@pytest.fixture(params=list(EVIL))
def evil(request):
    return EVIL[request.param]()


@pytest.fixture(params=list(ACTIONS))
def action(request):
    return ACTIONS[request.param]


def call(app, scope, *incoming):
    connection = Connection(*incoming)

    async def main():
        await app(scope, connection.receive, connection.send)

    asyncio.run(asyncio.wait_for(main(), 20))
    return connection


PARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

HEADERS = {
    "none": None,
    "text": "traceparent",
    "number": 7,
    "pairs_of_text": [("traceparent", PARENT.decode())],
    "lists": [[b"traceparent", PARENT]],
    "triples": [(b"traceparent", PARENT, b"x")],
    "singles": [(b"traceparent",), (), b"traceparent", None, 1],
    "tuple": ((b"traceparent", PARENT),),
    "generator": (pair for pair in [(b"traceparent", PARENT)]),
    "dict": {b"traceparent": PARENT},
    "twice": [(b"traceparent", PARENT)] * 100,
    "huge": [
        (b"traceparent", b"0" * HUGE),
        (b"tracestate", b"a=" + b"b" * HUGE),
        (b"baggage", b"a=b," * 1_000_000),
    ],
    "many": [(b"tracestate", b"a=b")] * 10_000 + [(b"baggage", b"a=b")] * 10_000,
    "odd_bytes": [
        (b"\xff\0", b"\xff\0"),
        (b"traceparent", b"\xff" * 55),
        (b"content-length", b"9" * 400),
    ],
    "bytearrays": [(bytearray(b"traceparent"), bytearray(PARENT))],
    "evil": [(Raising(), Raising()), Raising(), (b"traceparent", Raising())],
    "lies": ListOfLies([(b"traceparent", PARENT)]),
}


@pytest.mark.parametrize("headers", list(HEADERS))
@pytest.mark.parametrize("semconv", ["old", "both"])
def test_odd_headers(headers, semconv):
    with telemetry(backend="hybrid", semconv=semconv):
        scope = http_scope("/x")
        scope["headers"] = HEADERS[headers]
        assert call(TelemetryMiddleware(plain), scope).status == 200
        (span,) = [span for span in take() if span.kind == 2]
        expected = headers in ("lists", "tuple")
        assert (span.trace_id.hex() == "0af7651916cd43dd8448eb211c80319c") == expected


KEYS = [
    "type",
    "path",
    "root_path",
    "headers",
    "method",
    "scheme",
    "http_version",
    "route",
    "endpoint",
    "app",
    "router",
]


@pytest.mark.parametrize("semconv", ["old", "both"])
def test_odd_scopes(evil, semconv):
    app = TelemetryMiddleware(plain, metrics_path="/metrics", excluded_paths=["/health*"])
    with telemetry(backend="hybrid", semconv=semconv):
        for key in KEYS:
            scope = http_scope("/x")
            del scope["headers"]
            scope[key] = evil
            assert call(app, scope).status == 200
            scope = http_scope("/x")
            scope.pop(key, None)
            assert call(app, scope).status == 200
        assert djp_telemetry.flush(20)


def test_odd_messages(evil, on):
    async def application(scope, receive, send):
        await receive()
        for message in (
            {"type": "http.response.start", "status": evil, "headers": evil},
            {"type": evil},
            {"type": "http.response.start"},
            {"type": "http.response.body", "body": evil, "more_body": True},
            {},
            evil,
            {"type": "http.response.body"},
        ):
            await send(message)

    got = []

    async def main(incoming):
        async def receive():
            return incoming

        async def send(message):
            got.append(message)

        await TelemetryMiddleware(application)(http_scope("/x"), receive, send)

    for incoming in ({"type": "http.request", "body": evil}, {"type": evil}, {}, evil):
        got.clear()
        asyncio.run(main(incoming))
        assert len(got) == 7 and got[5] is evil


def test_odd_calls_of_the_middleware(evil, on):
    async def accept(*args, **kwargs):
        return "answer"

    app = TelemetryMiddleware(accept)
    for args in (
        (),
        (evil,),
        (evil, evil),
        (evil, evil, evil),
        ({}, evil, evil),
        (http_scope(), evil, evil),
    ):
        assert asyncio.run(app(*args)) == "answer"
    assert asyncio.run(app(scope=http_scope(), receive=evil, send=evil)) == "answer"
    assert asyncio.run(app(http_scope(), evil, send=evil, more=evil)) == "answer"
    TelemetryMiddleware(evil)
    TelemetryMiddleware(accept, excluded_paths=evil, metrics_path=evil, route=evil)


def test_applications_that_are_no_coroutines(on):
    def nothing(scope, receive, send):
        return None

    def raising(scope, receive, send):
        raise KeyError("at once")

    with pytest.raises(TypeError):
        asyncio.run(asyncio.wait_for(TelemetryMiddleware(nothing)(http_scope(), None, None), 5))
    with pytest.raises(KeyError):
        asyncio.run(asyncio.wait_for(TelemetryMiddleware(raising)(http_scope(), None, None), 5))


@pytest.mark.parametrize("semconv", ["old", "both"])
def test_a_scope_that_changes_while_it_is_read(semconv):
    """A key that equals all others and empties the dict when it is compared."""

    class Key:
        def __init__(self, scope, text):
            self.scope, self.text, self.armed = scope, text, False

        def __hash__(self):
            return hash(self.text)

        def __eq__(self, other):
            if self.armed and isinstance(other, str):
                self.armed = False
                self.scope.clear()
                gc.collect()
            return False

    keys = []

    async def application(scope, receive, send):
        await plain(scope, receive, send)
        for key in keys:
            key.armed = True

    with telemetry(backend="hybrid", semconv=semconv):
        for text in (*KEYS, "djp_telemetry.span", "djp_telemetry.route", "fastapi"):
            for later in (False, True):
                scope = {}
                keys[:] = [Key(scope, text)]
                scope[keys[0]] = None
                scope.update(http_scope("/" + "x" * 100))
                scope["method"] = "".join(["PO", "ST"])
                keys[0].armed = not later
                assert call(TelemetryMiddleware(application), scope).status == 200
        assert djp_telemetry.flush(5)


@pytest.mark.parametrize("moment", ["receive", "send", "inside", "route"])
def test_requests_during_which_telemetry_ends(on, action, moment):
    async def application(scope, receive, send):
        if moment == "inside":
            action()
        await plain(scope, receive, send)

    def route(scope):
        if moment == "route":
            action()
        return "/template"

    async def main():
        async def receive():
            if moment == "receive":
                action()
            return {"type": "http.request"}

        async def send(message):
            if moment == "send":
                action()

        app = TelemetryMiddleware(application, route=route)
        for _ in range(5):
            await app(http_scope("/x"), receive, send)

    asyncio.run(main())


# ---- awaitables --------------------------------------------------------------------------------


def test_awaitables_that_are_dropped(on):
    for steps in range(4):
        awaitable = started(pausing)
        for _ in range(steps):
            try:
                awaitable.send(None)
            except StopIteration:
                break
        del awaitable
        gc.collect()
    assert djp_telemetry.get_current_span() is INVALID_SPAN


@pytest.mark.parametrize("step", ["send", "throw", "close"])
@pytest.mark.parametrize("where", ["route", "text", "client_left"])
def test_awaitables_that_are_closed_while_they_are_recorded(on, step, where):
    holder = []

    def act(*arguments):
        holder[0].close()
        return "/x" if where == "route" else False

    class Closing(Exception):
        def __str__(self):
            act()
            return "closed"

    async def receive():
        return {"type": "http.disconnect"}

    async def send(message):
        pass

    async def application(scope, receive, send):
        await receive()
        await send({"type": "http.response.start", "status": 500, "headers": []})
        if where != "route":
            raise Closing() if where == "text" else ValueError("bug")
        await send({"type": "http.response.body", "body": b""})

    more = {"route": act} if where == "route" else {}
    middleware = TelemetryMiddleware(application, **more)
    if where == "client_left":
        middleware._setup(application, None, None, None, (), None, act, act)
    holder.append(middleware(http_scope("/x"), receive, send))
    driven = {
        "send": lambda: holder[0].send(None),
        "throw": lambda: holder[0].throw(Closing()),
        "close": act,
    }
    with pytest.raises(BaseException) if step != "close" else contextlib.nullcontext():
        driven[step]()
    assert [span.name for span in take()]
