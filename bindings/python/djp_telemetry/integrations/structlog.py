"""Trace ids in the events of structlog."""

from __future__ import annotations

from typing import Any, MutableMapping

from .._loader import impl

__all__ = ["add_trace_context"]


def add_trace_context(logger: Any, method_name: str, event_dict: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: adds trace_id and span_id of the current span, if there is one, unless they are there."""
    ids: dict[str, str] = {}
    impl.stamp(ids)
    if ids.get("trace_id"):
        event_dict.setdefault("trace_id", ids["trace_id"])
        event_dict.setdefault("span_id", ids["span_id"])
    return event_dict
