"""Requests of urllib3, and therefore of requests. A call with its retries and redirects is one
request."""

from __future__ import annotations

from typing import Any, Callable

from .._outgoing_call import Options, OutgoingCall, replace


def instrument(urllib3: Any, options: Options) -> list[Callable[[], None]]:
    """Wraps HTTPConnectionPool."""
    pool_type = urllib3.connectionpool.HTTPConnectionPool

    def make(original: Any) -> Any:
        def urlopen(
            self: Any,
            method: str,
            url: str,
            body: Any = None,
            headers: Any = None,
            *rest: Any,
            **more: Any,
        ) -> Any:
            given = self.headers if headers is None else headers
            names = {str(name).lower(): value for name, value in dict(given or {}).items()}
            host = (
                f"[{self.host}]"
                if ":" in self.host.strip("[]") and self.host[0] != "["
                else self.host
            )
            place = (
                url
                if "://" in url
                else f"{self.scheme}://{host}{f':{self.port}' if self.port else ''}{url}"
            )
            call = OutgoingCall(options, method, place, names.get)
            if call.span is None and not call.headers:
                return original(self, method, url, body, headers, *rest, **more)
            carried = dict(given or {})
            carried.update(call.headers)
            try:
                response = original(self, method, url, body, carried, *rest, **more)
            except BaseException as error:
                call.end(error=getattr(error, "reason", None) or error)
                raise
            call.end(response.status)
            return response

        return urlopen

    return [replace(pool_type, "urlopen", make)]
