"""One outgoing request of any client library: its injected headers and its client span. Existing
headers of a request are never replaced, and no request fails because of telemetry."""

from __future__ import annotations

import functools
import re
from typing import Any, Callable, Iterable, Optional, Union
from urllib.parse import urlsplit

from . import _client_span
from ._loader import impl
from ._other_agents import is_of_agent

Origins = Union[None, str, "re.Pattern[str]", Callable[[str], bool], Iterable[Any]]
_PORTS = {"http": 80, "https": 443}


class Options:
    def __init__(self, origins: Origins, spans: bool) -> None:
        self.spans = spans
        self.active = True
        self.allows = _allow(origins)


def origin_of(text: str) -> str:
    parts = urlsplit(text)
    host = parts.hostname or ""
    if not parts.scheme or not host:
        return ""
    port = parts.port
    shown = f"[{host}]" if ":" in host else host
    ending = "" if port is None or port == _PORTS.get(parts.scheme) else f":{port}"
    return f"{parts.scheme}://{shown}{ending}"


def _allow(origins: Origins) -> Callable[[str], bool]:
    """The filter of origins. Without patterns it allows all; patterns that cannot be read allow
    none."""
    if origins is None:
        return lambda origin: True
    if callable(origins):
        return lambda origin: origins(origin) is True
    try:
        given = [origins] if isinstance(origins, (str, re.Pattern)) else list(origins)
        texts = {origin_of(item) for item in given if isinstance(item, str)}
        patterns = [item for item in given if isinstance(item, re.Pattern)]
    except (TypeError, ValueError):
        return lambda origin: False
    return lambda origin: origin in texts or any(pattern.search(origin) for pattern in patterns)


class OutgoingCall:
    """One request: the headers to add, and its record if it is recorded."""

    __slots__ = ("_record", "headers")

    def __init__(
        self, options: Options, method: str, url: str, header: Callable[[str], Optional[str]]
    ) -> None:
        self._record: Any = None
        self.headers: dict[str, str] = {}
        try:
            self._begin(options, method, url, header)
        except Exception:  # an object of the application, or an unknown version of the library
            self.headers = {}

    def _begin(
        self, options: Options, method: str, url: str, header: Callable[[str], Optional[str]]
    ) -> None:
        origin = origin_of(url)
        if (
            not options.active
            or not origin
            or header("traceparent") is not None
            or not options.allows(origin)
        ):
            return
        path = urlsplit(url).path
        if is_of_agent(method, path, header):
            return
        if options.spans:
            self._record = _client_span.start(method, url)
        span = None if self._record is None else self._record.span
        carried = impl.inject({}) if span is None else impl.inject({}, context=span)
        self.headers = {name: value for name, value in carried.items() if header(name) is None}

    @property
    def is_recorded(self) -> bool:
        """Whether respond() and end() have an effect."""
        return self._record is not None

    def respond(self, status: Any, version: Any = None, resends: int = 0) -> None:
        """The response has begun. version: "HTTP/1.1" or "1.1"; resends: how often the request was
        sent again."""
        if self._record is not None:
            self._record.respond(status, version, resends)

    def complete(self, facts: Callable[[Any], tuple[Any, ...]], response: Any) -> None:
        """The response has come. facts: returns the arguments of respond() for a response."""
        if self._record is not None:
            try:
                self._record.respond(*facts(response))
            except Exception:  # a class of the application, or an unknown version of the library
                pass
            self.end()

    def end(self, error: Optional[BaseException] = None) -> None:
        record, self._record = self._record, None
        if record is not None:
            _client_span.end(record, error)


def replace(owner: Any, name: str, make: Callable[[Any], Any]) -> Callable[[], None]:
    """Replaces a function of a class. The returned function restores it, unless other code has
    wrapped the replacement in the meantime."""
    original = getattr(owner, name)
    wrapped = functools.wraps(original)(make(original))
    setattr(owner, name, wrapped)

    def undo() -> None:
        if getattr(owner, name) is wrapped:
            setattr(owner, name, original)

    return undo
