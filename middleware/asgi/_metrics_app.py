"""The scrape as an ASGI application: format by content negotiation, the text made without the interpreter lock."""

from __future__ import annotations

from typing import Any

from ..metrics import expose

_OFF = b"# Metrics are off: see telemetry_status().\n"


def _accept(scope: Any) -> bytes:
    values = [value for name, value in scope.get("headers") or () if name.lower() == b"accept"]
    return b",".join(values)


async def _lifespan(receive: Any, send: Any) -> None:
    while True:
        kind = (await receive())["type"]
        await send({"type": kind + ".complete"})
        if kind == "lifespan.shutdown":
            return


async def metrics_app(scope: Any, receive: Any, send: Any) -> None:
    """Mount it, or give TelemetryMiddleware a metrics_path."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    if scope["type"] != "http":
        await send({"type": "websocket.close", "code": 1000})
        return
    if scope.get("method", "GET") not in ("GET", "HEAD"):
        await _answer(send, 405, b"", [(b"allow", b"GET, HEAD")])
        return
    body, content_type = expose(_accept(scope) or None)
    headers = [(b"content-type", content_type.encode("latin-1")), (b"vary", b"accept")]
    await _answer(send, 200, _OFF if body is None else body, headers, scope.get("method") == "HEAD")


async def _answer(send: Any, status: int, body: bytes, headers: list[tuple[bytes, bytes]], head: bool = False) -> None:
    headers = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else body})
