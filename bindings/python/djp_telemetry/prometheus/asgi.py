"""A registry as an ASGI application."""

from __future__ import annotations

from typing import Any, Callable
from urllib.parse import parse_qs

from .registry import REGISTRY


def _header(scope: Any, wanted: bytes) -> str:
    values = (value for name, value in scope.get("headers") or () if name.lower() == wanted)
    return b",".join(values).decode("latin-1")


def make_asgi_app(
    registry: Any = REGISTRY, disable_compression: bool = False
) -> Callable[..., Any]:
    """An ASGI application that serves a registry.

    Args:
        registry: The registry.
        disable_compression: Never compresses.
    """

    async def prometheus_app(scope: Any, receive: Any, send: Any) -> None:
        from . import exposition

        assert scope.get("type") == "http"
        status, headers, output = exposition._bake_output(
            registry,
            _header(scope, b"accept"),
            _header(scope, b"accept-encoding"),
            parse_qs(scope.get("query_string", b"").decode("latin-1")),
            disable_compression,
        )
        if (await receive()).get("type") != "http.request":
            return
        await send(
            {
                "type": "http.response.start",
                "status": int(status.split(" ")[0]),
                "headers": [(name.encode(), value.encode()) for name, value in headers],
            }
        )
        await send({"type": "http.response.body", "body": output})

    return prometheus_app
