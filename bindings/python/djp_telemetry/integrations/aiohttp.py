"""Requests of the aiohttp client. A call with its redirects is one request."""

from __future__ import annotations

from typing import Any, Callable

from .._outgoing_call import Options, OutgoingCall, replace


def _facts(response: Any) -> tuple[Any, ...]:
    version = response.version
    text = None if version is None else f"{version.major}.{version.minor}"
    return response.status, text, len(response.history)


def instrument(aiohttp: Any, options: Options) -> list[Callable[[], None]]:
    """Wraps ClientSession. The span ends when the response headers arrive."""

    def make(original: Any) -> Any:
        async def _request(self: Any, method: str, str_or_url: Any, **more: Any) -> Any:
            given: Any = more.get("headers")
            own = list(given.items() if hasattr(given, "items") else given or ())
            pairs = [*getattr(self, "_default_headers", {}).items(), *own]
            names = {str(name).lower(): value for name, value in pairs}
            base = getattr(self, "_base_url", None)
            url = str(str_or_url)
            if base is not None and "://" not in url:
                url = str(base.join(type(base)(url)))
            call = OutgoingCall(options, str(method).upper(), url, names.get)
            if call.headers:
                more["headers"] = [*own, *call.headers.items()]
            try:
                response = await original(self, method, str_or_url, **more)
            except BaseException as error:
                call.respond(getattr(error, "status", None))
                call.end(error)
                raise
            call.complete(_facts, response)
            return response

        return _request

    return [replace(aiohttp.ClientSession, "_request", make)]
