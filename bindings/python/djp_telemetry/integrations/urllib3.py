"""Requests of urllib3, and therefore of requests. A call with its retries and redirects is one
request."""

from __future__ import annotations

from typing import Any, Callable

from .._outgoing_call import Options, OutgoingCall, replace


def _cause_of(error: BaseException) -> BaseException:
    """The error of the last attempt."""
    reason = getattr(error, "reason", None)
    return reason if isinstance(reason, BaseException) else error


def _facts(response: Any) -> tuple[Any, ...]:
    version = response.version  # 11 is HTTP/1.1
    text = f"{version // 10}.{version % 10}" if version else None
    return response.status, text, len(getattr(response.retries, "history", ()))


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
            if not call.is_recorded and not call.headers:
                return original(self, method, url, body, headers, *rest, **more)
            carried = dict(given or {})
            carried.update(call.headers)
            try:
                response = original(self, method, url, body, carried, *rest, **more)
            except BaseException as error:
                call.end(_cause_of(error))
                raise
            call.complete(_facts, response)
            return response

        return urlopen

    return [replace(pool_type, "urlopen", make)]
