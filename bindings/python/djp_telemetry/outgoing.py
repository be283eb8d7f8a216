"""Outgoing requests of httpx, urllib3 (and so requests) and aiohttp carry trace context and baggage, when the application
asks for it. A request is only ever given headers that it does not have; what cannot be done is left undone, and no
request fails because of it."""

from __future__ import annotations

import functools
import re
import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from typing import Any, Callable, Iterable, Optional, Union
from urllib.parse import urlsplit

from ._client_span import ClientSpan
from ._loader import impl
from ._other_agents import is_of_agent

__all__ = ["instrument_outgoing"]

Origins = Union[None, str, "re.Pattern[str]", Callable[[str], bool], Iterable[Any]]
_PORTS = {"http": 80, "https": 443}


class _Options:
    def __init__(self, origins: Origins, spans: bool) -> None:
        self.spans = spans
        self.active = True
        self.allows = _allow(origins)


def _origin_of(text: str) -> str:
    parts = urlsplit(text)
    host = parts.hostname or ""
    if not parts.scheme or not host:
        return ""
    port = parts.port
    shown = f"[{host}]" if ":" in host else host
    ending = "" if port is None or port == _PORTS.get(parts.scheme) else f":{port}"
    return f"{parts.scheme}://{shown}{ending}"


def _allow(origins: Origins) -> Callable[[str], bool]:
    """Everything when nothing is given; nothing for what cannot be understood."""
    if origins is None:
        return lambda origin: True
    if callable(origins):
        return lambda origin: origins(origin) is True
    try:
        given = [origins] if isinstance(origins, (str, re.Pattern)) else list(origins)
        texts = {_origin_of(item) for item in given if isinstance(item, str)}
        patterns = [item for item in given if isinstance(item, re.Pattern)]
    except (TypeError, ValueError):
        return lambda origin: False
    return lambda origin: origin in texts or any(pattern.search(origin) for pattern in patterns)


class _Call:
    """One request: what it carries, and its span where there is one."""

    def __init__(self, options: _Options, method: str, url: str, header: Callable[[str], Optional[str]]) -> None:
        self.span: Optional[ClientSpan] = None
        self.headers: dict[str, str] = {}
        try:
            self._begin(options, method, url, header)
        except Exception:  # an object of the application, or a library of another form than we know
            self.headers = {}

    def _begin(self, options: _Options, method: str, url: str, header: Callable[[str], Optional[str]]) -> None:
        origin = _origin_of(url)
        if not options.active or not origin or header("traceparent") is not None or not options.allows(origin):
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

    def answered(self, status: Any) -> None:
        if self.span is not None:
            self.span.answered(status)


# ---- libraries ---------------------------------------------------------------------------------------------


def _replace(owner: Any, name: str, make: Callable[[Any], Any]) -> Callable[[], None]:
    """Puts another function in place of a class's; the result undoes it, unless somebody wrapped ours meanwhile."""
    original = getattr(owner, name)
    wrapped = functools.wraps(original)(make(original))
    setattr(owner, name, wrapped)

    def undo() -> None:
        if getattr(owner, name) is wrapped:
            setattr(owner, name, original)

    return undo


class _Body:
    """The body of an answer, which ends the span when it is closed or breaks off."""

    def __init__(self, inner: Any, call: _Call) -> None:
        self._inner, self._call = inner, call

    def __iter__(self) -> Any:
        try:
            yield from self._inner
        except BaseException as error:
            self._call.end(error=error)
            raise

    def close(self) -> None:
        self._inner.close()
        self._call.end()


class _AsyncBody:
    def __init__(self, inner: Any, call: _Call) -> None:
        self._inner, self._call = inner, call

    async def __aiter__(self) -> Any:
        try:
            async for part in self._inner:
                yield part
        except BaseException as error:
            self._call.end(error=error)
            raise

    async def aclose(self) -> None:
        await self._inner.aclose()
        self._call.end()


def _httpx_bodies(httpx: Any) -> tuple[Any, Any]:
    """The classes of bodies as httpx knows them."""
    body: Any = type("Body", (_Body, httpx.SyncByteStream), {})
    async_body: Any = type("AsyncBody", (_AsyncBody, httpx.AsyncByteStream), {})
    return body, async_body


def _httpx(httpx: Any, options: _Options) -> list[Callable[[], None]]:
    """A span lasts until the body of the answer is closed."""
    body, async_body = _httpx_bodies(httpx)

    def begin(request: Any) -> _Call:
        call = _Call(options, request.method, str(request.url), request.headers.get)
        request.headers.update(call.headers)
        return call

    def follow(call: _Call, response: Any, kind: Any) -> Any:
        if call.span is not None:
            call.answered(response.status_code)
            response.stream = kind(response.stream, call)
        return response

    def send(original: Any) -> Any:
        def _send_single_request(self: Any, request: Any) -> Any:
            call = begin(request)
            try:
                response = original(self, request)
            except BaseException as error:
                call.end(error=error)
                raise
            return follow(call, response, body)

        return _send_single_request

    def send_async(original: Any) -> Any:
        async def _send_single_request(self: Any, request: Any) -> Any:
            call = begin(request)
            try:
                response = await original(self, request)
            except BaseException as error:
                call.end(error=error)
                raise
            return follow(call, response, async_body)

        return _send_single_request

    return [
        _replace(httpx.Client, "_send_single_request", send),
        _replace(httpx.AsyncClient, "_send_single_request", send_async),
    ]


def _urllib3(urllib3: Any, options: _Options) -> list[Callable[[], None]]:
    """A call with its retries and redirects is one request."""
    pool_type = urllib3.connectionpool.HTTPConnectionPool

    def make(original: Any) -> Any:
        def urlopen(
            self: Any, method: str, url: str, body: Any = None, headers: Any = None, *rest: Any, **more: Any
        ) -> Any:
            given = self.headers if headers is None else headers
            names = {str(name).lower(): value for name, value in dict(given or {}).items()}
            host = f"[{self.host}]" if ":" in self.host.strip("[]") and self.host[0] != "[" else self.host
            place = url if "://" in url else f"{self.scheme}://{host}{f':{self.port}' if self.port else ''}{url}"
            call = _Call(options, method, place, names.get)
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

    return [_replace(pool_type, "urlopen", make)]


def _aiohttp(aiohttp: Any, options: _Options) -> list[Callable[[], None]]:
    """A call with its redirects is one request; it ends with the head of the answer."""

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
            call = _Call(options, method, url, names.get)
            if call.headers:
                more["headers"] = [*own, *call.headers.items()]
            try:
                response = await original(self, method, str_or_url, **more)
            except BaseException as error:
                call.end(getattr(error, "status", None), error)
                raise
            call.end(response.status)
            return response

        return _request

    return [_replace(aiohttp.ClientSession, "_request", make)]


_LIBRARIES: dict[str, Callable[[Any, _Options], list[Callable[[], None]]]] = {
    "httpx": _httpx,
    "urllib3": _urllib3,
    "aiohttp": _aiohttp,
}


class _AtImport:
    """Finds a library that is imported later, and changes it when it is there."""

    def __init__(self, install: Callable[[str, Any], None], names: set[str]) -> None:
        self._install = install
        self._names = names

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Optional[ModuleSpec]:
        if name not in self._names:
            return None
        self._names.discard(name)
        spec = find_spec(name)
        loader: Any = spec.loader if spec is not None else None
        if loader is None or not hasattr(loader, "exec_module"):
            return spec
        execute = loader.exec_module

        def exec_module(module: Any) -> None:
            execute(module)
            self._install(name, module)

        loader.exec_module = exec_module
        return spec


def instrument_outgoing(
    *,
    httpx: bool = True,
    urllib3: bool = True,
    aiohttp: bool = True,
    origins: Origins = None,
    spans: bool = False,
) -> Callable[[], None]:
    """Outgoing requests of httpx, urllib3 (which requests uses) and aiohttp carry traceparent, tracestate and baggage of
    the current context, also of libraries that are imported later and while nothing is recorded. False leaves a library
    alone. origins: only to these, such as "https://api.example.com": text, patterns, a list of them, or a function of
    the origin. spans: a client span for each request. Returns what ends it. Raises nothing."""
    options = _Options(origins, spans is True)
    undo: list[Callable[[], None]] = []

    def install(name: str, module: Any) -> None:
        if not options.active:
            return
        try:
            undo.extend(_LIBRARIES[name](module, options))
        except Exception as error:
            from ._runtime import warn_once

            warn_once(
                f"Requests of {name} carry no context: this version of it is not known ({type(error).__name__}: {error})."
            )

    wanted = {"httpx": httpx, "urllib3": urllib3, "aiohttp": aiohttp}
    later = {name for name, on in wanted.items() if on and name not in sys.modules}
    finder = _AtImport(install, later)
    if later:
        sys.meta_path.insert(0, finder)
    for name, on in wanted.items():
        if on and name in sys.modules:
            install(name, sys.modules[name])

    def end() -> None:
        options.active = False
        if finder in sys.meta_path:
            sys.meta_path.remove(finder)
        while undo:
            undo.pop()()

    return end
