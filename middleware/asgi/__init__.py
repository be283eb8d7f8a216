"""ASGI middleware: a span and HTTP metrics per HTTP request, a span per websocket connection, and
optionally the Prometheus endpoint at a path. Either `app.add_middleware(TelemetryMiddleware)`
(Starlette, FastAPI) or, for any ASGI application, `app = TelemetryMiddleware(app,
metrics_path="/metrics")`."""

from __future__ import annotations

from ._handled_exceptions import note_exception
from ._metrics_app import metrics_app
from ._middleware import TelemetryMiddleware

__all__ = ["TelemetryMiddleware", "metrics_app", "note_exception"]
