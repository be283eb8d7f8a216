"""The Python part of the ASGI middleware: its options. The native core handles requests; without it
the application runs as if the middleware were absent."""

from __future__ import annotations

import inspect
import itertools
import logging
from typing import Any, Awaitable, Callable, Iterable, MutableMapping, Optional, Union

from .._loader import impl, native
from .._paths import normalise
from . import _django, _handled_exceptions, _starlette
from ._client_left import client_left
from ._lifespan import run_lifespan
from ._metrics_app import scrape_of
from ._routes import Routes

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class _Bare:
    """The middleware without the native core: serves the metrics, propagates the caller's context
    and records nothing."""

    app: Any = None
    _metrics_path: Optional[str] = None
    _scrape: Any = None

    def _setup(
        self, app: Any, lifespan: Any, metrics_path: Optional[str], scrape: Any, *options: Any
    ) -> None:
        self.app, self._metrics_path, self._scrape = app, metrics_path, scrape

    def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        if not isinstance(scope, dict) or scope.get("type") not in ("http", "websocket"):
            return self.app(scope, receive, send)
        if self._metrics_path is not None and scope["type"] == "http" and self._is_scrape(scope):
            return self._scrape(scope, receive, send)
        return self._carry(scope, receive, send)

    def _is_scrape(self, scope: Any) -> bool:
        path, root = scope.get("path"), str(scope.get("root_path") or "").rstrip("/")
        return path == self._metrics_path or path == f"{root}{self._metrics_path}"

    async def _carry(self, scope: Any, receive: Any, send: Any) -> None:
        token = impl.attach(impl.extract(scope.get("headers") or ()))
        try:
            await self.app(scope, receive, send)
        finally:
            impl.detach(token)


_Base: Any = _Bare if native is None else native.AsgiApp


class TelemetryMiddleware(_Base):  # type: ignore[misc]
    """ASGI middleware that records a span and the HTTP metrics of each request, and a span
    of each websocket connection. `app.add_middleware(TelemetryMiddleware)` in Starlette
    and FastAPI; `app = TelemetryMiddleware(app)` elsewhere. Raises TypeError for a WSGI
    application.

    Args:
        app: The ASGI application.
        excluded_paths: Paths that are not recorded: exact, or prefixes that end in *. In
            addition to the setting excluded_paths.
        metrics_path: Path at which the middleware serves the metrics.
        route: Returns the route template of a finished request from its ASGI scope, for
            frameworks that set none; never a path with ids.
    """

    # asgiref reads this before it guesses from the signature.
    _asgi_single_callable = True

    def __init__(
        self,
        app: ASGIApp,
        *,
        excluded_paths: Union[str, Iterable[str]] = (),
        metrics_path: Optional[str] = None,
        route: Optional[Callable[[Scope], Optional[str]]] = None,
    ) -> None:
        """The arguments are those of the class."""
        _refuse_wsgi(app)
        _django.note_routes(app)
        _handled_exceptions.note_handled(app)
        _starlette.note_handled(app)
        path, excluded = _path(metrics_path), _paths(excluded_paths)
        template, resolve = route if callable(route) else None, Routes(app).resolve

        def around(layer: Any) -> Any:
            """Records the responses of layer. The metrics path stays where the middleware was
            added, behind the layers that protect it."""
            outer = native.AsgiApp()  # type: ignore[union-attr]
            outer._setup(layer, None, path, None, excluded, template, resolve, client_left)
            return outer

        scrape = None if path is None else scrape_of(app, path)
        self._setup(app, run_lifespan, path, scrape, excluded, template, resolve, client_left)
        if native is not None and _starlette.record_outside(around):
            self._leave_recording()

        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            await self(scope, receive, send)

        # Servers read `app.__call__` to detect an ASGI 3 application; calls themselves use the
        # type.
        self.__dict__["__call__"] = call

    @staticmethod
    def _normalize_endpoint(path: str) -> str:
        """A path with its identifiers replaced by {id}, for use without a router. A route template
        is always better."""
        if not isinstance(path, str):
            return path
        if native is None:
            return normalise(path)
        normalised: str = native._path_normalise(path)
        return normalised


def _refuse_wsgi(app: Any) -> None:
    """Raises for an application that takes environ and start_response; it would fail at each
    request with a misleading error."""
    try:
        signature = inspect.signature(app)
    except Exception:  # no signature, or an object that raises when it is read
        return
    try:
        signature.bind(None, None, None)
    except TypeError:
        try:
            signature.bind(None, None)
        except TypeError:
            return
        raise TypeError(
            f"TelemetryMiddleware requires an ASGI application. {type(app).__name__} takes two "
            "arguments, as a WSGI application does: convert it first (a2wsgi.WSGIMiddleware, "
            "asgiref.wsgi.WsgiToAsgi)."
        ) from None


_PATHS_MAX = 1000  # limit for an endless iterable


def _path(given: Any) -> Optional[str]:
    try:
        return given if isinstance(given, str) and given else None
    except Exception:  # an object of the caller may raise anything
        return None


def _paths(given: Any) -> tuple[str, ...]:
    items: list[Any]
    try:
        items = (
            list(given.split(","))
            if isinstance(given, str)
            else list(itertools.islice(given or (), _PATHS_MAX))
        )
        paths = tuple(item.strip() for item in items if isinstance(item, str) and item.strip())
        wrong = any(not isinstance(item, str) for item in items)
    except Exception:  # an iterable of the caller may raise anything
        paths, wrong = (), True
    if wrong:
        logging.getLogger("djp_telemetry").warning(
            "excluded_paths of TelemetryMiddleware must be str or a sequence of str. "
            "Other values are ignored."
        )
    return paths
