"""The duration of a connection that stays open as long as the client wants does not make it slow.
All other requests can be slow."""

import asyncio

import asgi_driver as driver
import pytest
from djp_telemetry.asgi import TelemetryMiddleware

pytest.importorskip("djp_telemetry._native")

OPEN = 0.3  # seconds that every response takes; the threshold is far below


def streaming(headers):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        await asyncio.sleep(OPEN)
        await send({"type": "http.response.body", "body": b""})

    return app


async def at_once(scope, receive, send):
    await asyncio.sleep(OPEN)
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"data: 1\n\n"})


async def websocket(scope, receive, send):
    await send({"type": "websocket.accept"})
    await asyncio.sleep(OPEN)
    await send({"type": "websocket.close", "code": 1000})


APPLICATIONS = {
    "events": (streaming([(b"Content-Type", b"text/event-stream; charset=utf-8")]), "http", False),
    "frames": (
        streaming(((b"content-type", b"multipart/x-mixed-replace;boundary=x"),)),
        "http",
        False,
    ),
    "websocket": (websocket, "websocket", False),
    "a file": (streaming([(b"content-type", b"text/csv")]), "http", True),
    "no type": (streaming([]), "http", True),
    "odd headers": (
        streaming([None, (b"content-type",), (b"content-type", None), 7]),
        "http",
        True,
    ),
    "a late answer": (at_once, "http", True),
}


@pytest.mark.parametrize("name", APPLICATIONS)
def test_slow_is_what_kept_the_client_waiting(name):
    app, kind, slow = APPLICATIONS[name]
    with driver.telemetry(sample_ratio=1e-9, slow_threshold=0.05):
        driver.request(TelemetryMiddleware(app), "/x", type=kind)
        assert len(driver.server_spans()) == slow


@pytest.mark.parametrize("name", ["events", "websocket"])
def test_a_rule_for_its_route_keeps_a_long_one(name):
    app, kind, _ = APPLICATIONS[name]

    async def routed(scope, receive, send):
        scope["route"] = type("Route", (), {"path_format": "/x"})
        await app(scope, receive, send)

    with driver.telemetry(
        sample_ratio=1e-9, slow_threshold=0.05, tail_sampling_rules=["route /x > 100ms"]
    ):
        driver.request(TelemetryMiddleware(routed), "/x", type=kind)
        assert len(driver.server_spans()) == 1
