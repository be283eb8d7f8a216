"""The Python face of the request path: its options. What happens to a request is in the native core; without it the
application is called as if the middleware were not there."""

from __future__ import annotations

import itertools
import logging
from typing import Any, Awaitable, Callable, Iterable, MutableMapping, Optional, Union

from .._loader import native
from . import _django
from ._lifespan import run_lifespan
from ._metrics_app import metrics_app
from ._routes import Routes

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class _Bare:
    """Without the native core: hands everything on."""

    app: Any = None

    def _setup(self, app: Any, *options: Any) -> None:
        self.app = app

    def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        return self.app(scope, receive, send)


_Base: Any = _Bare if native is None else native.AsgiApp


class TelemetryMiddleware(_Base):  # type: ignore[misc]
    """Records every request of the application around which it stands."""

    # asgiref asks for this before it guesses from the signature.
    _asgi_single_callable = True

    def __init__(
        self,
        app: ASGIApp,
        *,
        excluded_paths: Union[str, Iterable[str]] = (),
        metrics_path: Optional[str] = None,
        route: Optional[Callable[[Scope], Optional[str]]] = None,
    ) -> None:
        """excluded_paths: exact paths, or prefixes ending in '*', that are not recorded, besides those of the
        environment. metrics_path: answer the Prometheus scrape at this path. route: gives the route template of a
        finished request's scope, for frameworks that leave none there; it must never return a raw path."""
        _django.note_routes(app)
        self._setup(
            app,
            run_lifespan,
            _path(metrics_path),
            metrics_app,
            _paths(excluded_paths),
            route if callable(route) else None,
            Routes(app).resolve,
        )

        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            await self(scope, receive, send)

        # Servers look at `app.__call__` to learn that this is an ASGI 3 application; calls themselves go to the type.
        self.__dict__["__call__"] = call

    @staticmethod
    def _normalize_endpoint(path: str) -> str:
        """A path with its identifiers replaced by {id}, for use without a router. A route template is always better."""
        if native is None or not isinstance(path, str):
            return path
        normalised: str = native._path_normalise(path)
        return normalised


_PATHS_MAX = 1000  # an endless iterable ends here


def _path(given: Any) -> Optional[str]:
    try:
        return given if isinstance(given, str) and given else None
    except Exception:  # an object of the caller's may raise anything
        return None


def _paths(given: Any) -> tuple[str, ...]:
    items: list[Any]
    try:
        items = list(given.split(",")) if isinstance(given, str) else list(itertools.islice(given or (), _PATHS_MAX))
        paths = tuple(item.strip() for item in items if isinstance(item, str) and item.strip())
        wrong = any(not isinstance(item, str) for item in items)
    except Exception:  # an iterable of the caller's may raise anything
        paths, wrong = (), True
    if wrong:
        logging.getLogger("djp_telemetry").warning(
            "excluded_paths of TelemetryMiddleware must be str or a sequence of str. Other values are ignored."
        )
    return paths
