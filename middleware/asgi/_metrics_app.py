"""The Prometheus endpoint as an ASGI application. Chooses the format by content negotiation and
makes the exposition without the interpreter lock."""

from __future__ import annotations

import logging
from typing import Any

from ..metrics import METRICS_CONTENT_TYPE, expose_packed
from ._routes import own_route

_OFF = b"# Metrics are off: see telemetry_status().\n"


def _header(scope: Any, wanted: bytes) -> Any:
    return (
        b",".join(value for name, value in scope.get("headers") or () if name.lower() == wanted)
        or None
    )


async def _lifespan(receive: Any, send: Any) -> None:
    while True:
        kind = (await receive())["type"]
        await send({"type": kind + ".complete"})
        if kind == "lifespan.shutdown":
            return


async def metrics_app(scope: Any, receive: Any, send: Any) -> None:
    """ASGI application that serves the metrics, to be mounted in another one.

    Args:
        scope: The ASGI scope.
        receive: The ASGI receive.
        send: The ASGI send.
    """
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    if scope["type"] != "http":
        await send({"type": "websocket.close", "code": 1000})
        return
    if scope.get("method", "GET") not in ("GET", "HEAD"):
        await _respond(send, 405, b"", [(b"allow", b"GET, HEAD")])
        return
    body, content_type, packed = expose_packed(
        _header(scope, b"accept"), _header(scope, b"accept-encoding")
    )
    if body is None:
        body, content_type = _OFF, METRICS_CONTENT_TYPE
    headers = [
        (b"content-type", content_type.encode("latin-1")),
        (b"vary", b"accept, accept-encoding"),
    ]
    if packed:
        headers.append((b"content-encoding", b"gzip"))
    await _respond(send, 200, body, headers, scope.get("method") == "HEAD")


def scrape_of(app: Any, path: str) -> Any:
    """metrics_app for the path of a middleware around app. Warns once if app has a route at that
    path, which is then unreachable."""
    checked = False

    async def scrape(scope: Any, receive: Any, send: Any) -> None:
        nonlocal checked
        if not checked:
            checked = True
            if own_route(app, scope, path):
                logging.getLogger("djp_telemetry").warning(
                    "metrics_path of TelemetryMiddleware hides the route %s of the application. "
                    "Choose another metrics_path, or omit it and mount "
                    "djp_telemetry.asgi.metrics_app at a free path.",
                    path,
                )
        await metrics_app(scope, receive, send)

    return scrape


async def _respond(
    send: Any, status: int, body: bytes, headers: list[tuple[bytes, bytes]], head: bool = False
) -> None:
    headers = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else body})
