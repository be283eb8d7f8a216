"""TelemetryMiddleware under the module name that existing applications import."""

from __future__ import annotations

from .asgi import TelemetryMiddleware

__all__ = ["TelemetryMiddleware"]
