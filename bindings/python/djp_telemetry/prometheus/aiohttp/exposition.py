"""The handler."""

from __future__ import annotations

from typing import Any

from aiohttp import hdrs, web

from .. import exposition as _exposition
from ..registry import REGISTRY


def make_aiohttp_handler(registry: Any = REGISTRY, disable_compression: bool = False) -> Any:
    """A handler of aiohttp that serves a registry.

    Args:
        registry: The registry.
        disable_compression: Never compresses.
    """

    async def prometheus_handler(request: web.Request) -> web.Response:
        # aiohttp compresses, by the same header.
        status, headers, output = _exposition._bake_output(
            registry,
            ",".join(request.headers.getall(hdrs.ACCEPT, [])),
            "",
            {name: request.query.getall(name) for name in request.query},
            True,
        )
        response = web.Response(status=int(status.split(" ")[0]), headers=headers, body=output)
        if not disable_compression:
            response.enable_compression()
        return response

    return prometheus_handler
