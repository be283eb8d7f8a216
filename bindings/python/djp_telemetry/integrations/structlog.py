"""Trace ids in the events of structlog."""

from __future__ import annotations

from typing import Any, MutableMapping

from .._loader import impl

__all__ = ["add_trace_context"]


def add_trace_context(
    logger: Any, method_name: str, event_dict: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Processor for structlog that adds trace_id and span_id of the current span to an event
    unless it has them.

    Args:
        logger: The logger; ignored.
        method_name: Name of the method; ignored.
        event_dict: The event.

    Returns:
        The event.
    """
    ids: dict[str, str] = {}
    impl.stamp(ids)
    if ids.get("trace_id"):
        event_dict.setdefault("trace_id", ids["trace_id"])
        event_dict.setdefault("span_id", ids["span_id"])
    return event_dict
