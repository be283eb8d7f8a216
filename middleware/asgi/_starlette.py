"""Starlette and FastAPI put ServerErrorMiddleware outside all added middleware. It sends the
response to exceptions without a handler, and the client receives that response. So the recording
moves around this layer while the application builds its layers. Exceptions that the application's
handlers turn into a 5xx are stored in the scope."""

from __future__ import annotations

import functools
import inspect
import sys
import types
from typing import Any, Callable, Optional

from ._handled_exceptions import note

_DEPTH = 16
_INTERNAL_ERROR = 1011
_BUILD = "build_middleware_stack"


def record_outside(around: Callable[[Any], Any]) -> bool:
    """Called while a middleware is made. If Starlette makes it, its outermost layer is then called
    through around(layer). Returns whether that is so."""
    frame: Any = sys._getframe(1)
    for _ in range(_DEPTH):
        if frame is None:
            return False
        if frame.f_code.co_name == _BUILD:
            return _replace(frame.f_locals.get("middleware"), around)
        frame = frame.f_back
    return False


def _replace(layers: Any, around: Callable[[Any], Any]) -> bool:
    """Starlette instantiates the layers from the innermost to the outermost, so the first of the
    list is still a class."""
    outermost: Any = layers[0] if isinstance(layers, list) and layers else None
    kind = getattr(outermost, "cls", None)
    if not isinstance(kind, type) or kind.__name__ != "ServerErrorMiddleware":
        return False

    outermost.cls = _recorded(kind, around)
    return True


def _recorded(kind: Any, around: Callable[[Any], Any]) -> Any:
    """A subclass of the layer's class, because other code tests for that class. It has one
    instance, whose calls go to the recording without an additional Python frame."""

    def __init__(self: Any, *args: Any, **options: Any) -> None:
        kind.__init__(self, *args, **options)
        _wrap_handler(self)
        type(self).__call__ = staticmethod(around(types.MethodType(kind.__call__, self)))

    return type(kind.__name__, (kind,), {"__init__": __init__, "__module__": kind.__module__})


def note_handled(app: Any) -> None:
    """Wraps the exception handlers of the application behind app, even if its layers are not made
    yet."""
    try:
        _note_handled(app)
    except Exception:  # an application that only resembles one of Starlette
        return


def _note_handled(app: Any) -> None:
    for _ in range(_DEPTH):
        if app is None:
            return
        if isinstance(getattr(app, "_exception_handlers", None), dict):
            _wrap_all(app._exception_handlers)
            _wrap_all(getattr(app, "_status_handlers", None) or {})
            _note_mounted(getattr(app, "app", None))
            return
        _wrap_handler(app)
        build = getattr(app, _BUILD, None)
        if build is None:
            app = getattr(app, "app", None)
        elif getattr(app, "middleware_stack", None) is not None:
            app = app.middleware_stack
        else:
            _after_build(app, build)
            return


def _note_mounted(app: Any) -> None:
    """Wraps the handlers of the applications that the router behind app mounts."""
    for _ in range(_DEPTH):
        if app is None or getattr(app, "routes", None):
            break
        app = getattr(app, "app", None)
    for route in getattr(app, "routes", None) or ():
        mounted = getattr(route, "app", None)
        if hasattr(mounted, _BUILD):
            note_handled(mounted)


def _after_build(app: Any, build: Callable[[], Any]) -> None:
    if getattr(build, "_djp_telemetry", False):
        return

    def build_middleware_stack() -> Any:
        layers = build()
        note_handled(layers)
        return layers

    build_middleware_stack._djp_telemetry = True  # type: ignore[attr-defined]
    setattr(app, _BUILD, build_middleware_stack)


def _wrap_all(handlers: dict[Any, Any]) -> None:
    for key, handler in list(handlers.items()):
        if callable(handler):
            handlers[key] = _noting(handler)


def _wrap_handler(layer: Any) -> None:
    """Wraps the handler of the outermost layer, for exceptions without another handler."""
    handler = getattr(layer, "handler", None)
    if type(layer).__name__ == "ServerErrorMiddleware" and callable(handler):
        layer.handler = _noting(handler)


def _is_async(handler: Any) -> bool:
    while isinstance(handler, functools.partial):
        handler = handler.func
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(
        type(handler).__call__
    )


def _noting(handler: Callable[..., Any]) -> Callable[..., Any]:
    noting: Any
    if getattr(handler, "_djp_telemetry", False):
        return handler
    if _is_async(handler):

        async def noting(request: Any, error: Exception) -> Any:
            response = await handler(request, error)
            _note(request, error, response)
            return response

    else:

        def noting(request: Any, error: Exception) -> Any:
            response = handler(request, error)
            _note(request, error, response)
            return response

    noting._djp_telemetry = True
    return noting


def _note(request: Any, error: Exception, response: Any) -> None:
    status: Optional[int] = getattr(response, "status_code", None)
    failed = not isinstance(status, int) or status >= 500
    if response is None and type(error).__name__ == "WebSocketException":
        # any other code is a regular close
        failed = getattr(error, "code", _INTERNAL_ERROR) == _INTERNAL_ERROR
    note(getattr(request, "scope", None), error, failed)
