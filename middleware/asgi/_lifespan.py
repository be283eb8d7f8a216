"""The lifespan protocol, passed through. Flushes before the server receives the end of the
shutdown, because a server may end the process immediately after it."""

from __future__ import annotations

import asyncio
from typing import Any

_TIMEOUT = 1.0


def _flush() -> None:
    from .. import flush

    try:
        flush(_TIMEOUT)
    except Exception:  # a failed flush must not fail the shutdown
        return


async def run_lifespan(app: Any, scope: Any, receive: Any, send: Any) -> None:
    """Runs the application's lifespan."""

    async def send_after_flush(message: Any) -> None:
        if isinstance(message, dict) and message.get("type") in (
            "lifespan.shutdown.complete",
            "lifespan.shutdown.failed",
        ):
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:  # another event loop library
                _flush()
            else:
                await loop.run_in_executor(None, _flush)
        await send(message)

    await app(scope, receive, send_after_flush)
