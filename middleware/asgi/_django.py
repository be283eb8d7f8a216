"""Django leaves no route in the ASGI scope. Its handler resolves the URL in one method, which is
wrapped on the handler instance so that the matched pattern ends up in the scope; nothing of
Django's own classes is changed."""

from __future__ import annotations

from typing import Any

SCOPE_KEY = "djp_telemetry.route"
_DEPTH = 8


def note_routes(app: Any) -> None:
    """Looks for Django's handler behind app and makes it note the pattern of every request."""
    try:
        for _ in range(_DEPTH):
            if app is None:
                return
            if type(app).__module__.startswith("django.") and hasattr(app, "resolve_request"):
                _wrap(app)
                return
            app = getattr(app, "app", None) or getattr(app, "application", None)
    except (
        Exception
    ):  # a proxy that is not bound yet, say: the application itself will tell when it is called
        return


def _wrap(handler: Any) -> None:
    inner = handler.resolve_request
    if getattr(inner, "_djp_telemetry", False):
        return

    def resolve_request(request: Any) -> Any:
        match = inner(request)
        try:
            request.scope[SCOPE_KEY] = template(match.route)
        except Exception:  # a request without a scope or a match without a route stays unnamed
            return match
        return match

    resolve_request._djp_telemetry = True  # type: ignore[attr-defined]
    handler.resolve_request = resolve_request


def template(route: Any) -> str:
    """Django's pattern with a leading slash; regular expressions lose their anchors."""
    text = str(route).replace("^", "").replace("\\Z", "")
    if text.endswith("$"):
        text = text[:-1]
    return "/" + text.lstrip("/")
