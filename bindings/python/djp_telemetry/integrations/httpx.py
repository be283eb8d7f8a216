"""Requests of httpx. A span lasts until the body of the response is closed."""

from __future__ import annotations

from typing import Any, Callable

from .._outgoing_call import Options, OutgoingCall, replace


class _Body:
    """The body of a response. Ends the span when it is closed or fails."""

    def __init__(self, inner: Any, call: OutgoingCall) -> None:
        self._inner, self._call = inner, call

    def __iter__(self) -> Any:
        try:
            yield from self._inner
        except BaseException as error:
            self._call.end(error)
            raise

    def close(self) -> None:
        self._inner.close()
        self._call.end()


class _AsyncBody:
    def __init__(self, inner: Any, call: OutgoingCall) -> None:
        self._inner, self._call = inner, call

    async def __aiter__(self) -> Any:
        try:
            async for part in self._inner:
                yield part
        except BaseException as error:
            self._call.end(error)
            raise

    async def aclose(self) -> None:
        await self._inner.aclose()
        self._call.end()


def _bodies(httpx: Any) -> tuple[Any, Any]:
    """The two classes as subclasses of those that httpx requires."""
    body: Any = type("Body", (_Body, httpx.SyncByteStream), {})
    async_body: Any = type("AsyncBody", (_AsyncBody, httpx.AsyncByteStream), {})
    return body, async_body


def instrument(httpx: Any, options: Options) -> list[Callable[[], None]]:
    """Wraps both clients. The span ends when the body of the response is closed."""
    body, async_body = _bodies(httpx)

    def begin(request: Any) -> OutgoingCall:
        call = OutgoingCall(options, request.method, str(request.url), request.headers.get)
        request.headers.update(call.headers)
        return call

    def follow(call: OutgoingCall, response: Any, kind: Any) -> Any:
        if call.is_recorded:
            call.respond(response.status_code, getattr(response, "http_version", None))
            response.stream = kind(response.stream, call)
        return response

    def send(original: Any) -> Any:
        def _send_single_request(self: Any, request: Any) -> Any:
            call = begin(request)
            try:
                response = original(self, request)
            except BaseException as error:
                call.end(error)
                raise
            return follow(call, response, body)

        return _send_single_request

    def send_async(original: Any) -> Any:
        async def _send_single_request(self: Any, request: Any) -> Any:
            call = begin(request)
            try:
                response = await original(self, request)
            except BaseException as error:
                call.end(error)
                raise
            return follow(call, response, async_body)

        return _send_single_request

    return [
        replace(httpx.Client, "_send_single_request", send),
        replace(httpx.AsyncClient, "_send_single_request", send_async),
    ]
