"""Exceptions that a framework handles never leave the application. Hooks of the framework record
them on the request's span and store them in the scope, where the core reads the class at the
end."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from ._client_left import client_left

EXCEPTION_KEY = "djp_telemetry.exception"
SPAN_KEY = "djp_telemetry.span"
_DEPTH = 8


def note(scope: Any, error: Any, failed: bool = True) -> None:
    """Stores error as the reason of the response. failed: the response is a 5xx."""
    if (
        not isinstance(scope, dict)
        or not isinstance(error, BaseException)
        or scope.get(EXCEPTION_KEY) is error
    ):
        return
    span = scope.get(SPAN_KEY)
    if span is None:
        return
    scope[EXCEPTION_KEY] = error
    if failed and not client_left(error):
        span.record_exception(error)


def note_handled(app: Any) -> None:
    """Finds a Litestar or Django application behind app and hooks into its exceptions."""
    try:
        for _ in range(_DEPTH):
            if app is None:
                return
            module = type(app).__module__
            if module.startswith("litestar.") and isinstance(
                getattr(app, "after_exception", None), list
            ):
                if _litestar not in app.after_exception:
                    app.after_exception.append(_litestar)
                return
            if module.startswith("django."):
                signals = importlib.import_module("django.core.signals")
                signals.got_request_exception.connect(
                    _django, weak=False, dispatch_uid="djp_telemetry"
                )
                return
            app = getattr(app, "app", None) or getattr(app, "application", None)
    except Exception:  # a proxy that is not bound yet, or another version of the framework
        return


def note_exception(scope: Any, error: BaseException) -> None:
    """Records an exception on the span of a request, for frameworks and handlers that turn
    exceptions into responses. An exception with a status_code below 500 is not recorded.
    Never raises.

    Args:
        scope: The ASGI scope of the request.
        error: The exception.
    """
    try:
        status = getattr(error, "status_code", 500)
        note(scope, error, not isinstance(status, int) or status >= 500)
    except Exception:  # an exception that raises when it is read
        return


async def _litestar(error: Exception, scope: Any) -> None:
    note_exception(scope, error)


def _django(sender: Any = None, request: Any = None, **more: Any) -> None:
    error = sys.exc_info()[1]
    if error is not None:
        note_exception(getattr(request, "scope", None), error)
