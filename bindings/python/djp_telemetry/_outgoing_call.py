"""One outgoing request of any client library: its injected headers and its client span. Existing
headers of a request are never replaced, and no request fails because of telemetry."""

from __future__ import annotations

import functools
import re
from typing import Any, Callable, Iterable, Optional, Union
from urllib.parse import urlsplit

from ._client_span import ClientSpan
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
    """One request: the headers to add, and its span if one is recorded."""

    def __init__(
        self, options: Options, method: str, url: str, header: Callable[[str], Optional[str]]
    ) -> None:
        self.span: Optional[ClientSpan] = None
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
            self.span = ClientSpan.start(method, url)
        carried = impl.inject({}) if self.span is None else impl.inject({}, context=self.span.span)
        self.headers = {name: value for name, value in carried.items() if header(name) is None}

    def end(self, status: Any = None, error: Optional[BaseException] = None) -> None:
        span, self.span = self.span, None
        if span is not None:
            span.end(status, error)

    def set_status_code(self, status: Any) -> None:
        if self.span is not None:
            self.span.set_status_code(status)


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
