"""Route templates of Django, which sets no route in the ASGI scope. Its handler resolves the URL in
one method. That method is wrapped on the handler instance and stores the matched pattern in the
scope; Django's classes are not changed."""

from __future__ import annotations

from typing import Any

SCOPE_KEY = "djp_telemetry.route"
_DEPTH = 8


def note_routes(app: Any) -> None:
    """Finds Django's handler behind app and wraps it so that the scope holds the pattern of each
    request."""
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
    ):  # for example a proxy that is not bound yet; the application raises when it is called
        return


def _wrap(handler: Any) -> None:
    inner = handler.resolve_request
    if getattr(inner, "_djp_telemetry", False):
        return

    def resolve_request(request: Any) -> Any:
        match = inner(request)
        try:
            request.scope[SCOPE_KEY] = template(match.route)
        except Exception:  # no scope in the request or no route in the match: no template
            return match
        return match

    resolve_request._djp_telemetry = True  # type: ignore[attr-defined]
    handler.resolve_request = resolve_request


def template(route: Any) -> str:
    """Django's pattern with a leading slash; anchors of regular expressions are removed."""
    text = str(route).replace("^", "").replace("\\Z", "")
    if text.endswith("$"):
        text = text[:-1]
    return "/" + text.lstrip("/")
