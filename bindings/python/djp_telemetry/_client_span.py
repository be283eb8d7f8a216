"""The span of an outgoing HTTP request: its attributes and its end. A request that the caller
cancelled is not an error; a timeout is."""

from __future__ import annotations

import concurrent.futures
import errno
import sys
from typing import Any, Optional
from urllib.parse import urlsplit

from . import _runtime
from ._loader import impl

URL_MAX = 2048  # characters
HIDDEN = "REDACTED"
_PORTS = {"http": 80, "https": 443}


def address_of(url: str) -> str:
    """The URL without credentials and fragment; values of the query are redacted."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    query = "&".join(
        f"{item.partition('=')[0]}={HIDDEN}" if "=" in item else HIDDEN
        for item in parts.query[:URL_MAX].split("&")
    )
    return f"{parts.scheme}://{place}{parts.path}{'?' + query if parts.query else ''}"[:URL_MAX]


def _is_cancelled(error: BaseException) -> bool:
    """Whether the caller cancelled the request: a cancelled task, a closed generator, the end of
    the program. The timeouts of gevent and eventlet are not subclasses of Exception, but they are
    timeouts."""
    if not isinstance(error, Exception):
        return all(kind.__name__ != "Timeout" for kind in type(error).__mro__)
    return isinstance(error, concurrent.futures.CancelledError)


def _kind_of(error: BaseException) -> str:
    """The errno name if there is one, otherwise the class. Keeps the set of values small."""
    seen: Optional[BaseException] = error
    for _ in range(10):
        if seen is None:
            break
        code = errno.errorcode.get(seen.errno or 0) if isinstance(seen, OSError) else None
        if code is not None:
            return code
        reason = getattr(seen, "reason", None)
        seen = (
            seen.__cause__
            or seen.__context__
            or (reason if isinstance(reason, BaseException) else None)
        )
    return type(error).__qualname__


class ClientSpan:
    """Made by start(). Ends once."""

    __slots__ = ("span",)

    def __init__(self, span: Any) -> None:
        self.span = span

    @classmethod
    def start(cls, method: str, url: str) -> Optional[ClientSpan]:
        """Starts a span that is not current. Returns None if nothing is recorded."""
        parts = urlsplit(url)
        semconv = _runtime.settings().get("semconv", "old")
        host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
        attributes: dict[str, Any] = {"url.full": address_of(url)}
        if semconv != "stable":
            attributes.update(
                {
                    "http.method": method,
                    "http.scheme": parts.scheme,
                    "net.peer.name": host,
                    "net.peer.port": port,
                }
            )
        if semconv in ("stable", "both"):
            attributes.update(
                {
                    "http.request.method": method,
                    "url.scheme": parts.scheme,
                    "server.address": host,
                    "server.port": port,
                }
            )
        span = impl.start_span(
            method if semconv == "stable" else "http.client", attributes, kind="client"
        )
        return cls(span) if span.get_span_context().is_valid else None

    def set_status_code(self, status: Any) -> None:
        if not isinstance(status, int) or status <= 0:
            return
        semconv = _runtime.settings().get("semconv", "old")
        if semconv != "stable":
            self.span.set_attribute("http.status_code", status)
        if semconv in ("stable", "both"):
            self.span.set_attribute("http.response.status_code", status)
        if status >= 400:
            self.span.set_attribute("error.type", str(status))
            self.span.set_status("error")

    def end(self, status: Any, error: Optional[BaseException]) -> None:
        self.set_status_code(status)
        if error is not None and not _is_cancelled(error) and not sys.is_finalizing():
            self.span.record_exception(error)
            self.span.set_attribute("error.type", _kind_of(error))
            self.span.set_status("error", str(error)[:1000])
        self.span.end()
