"""Trace ids on log records. A record gets the ids when its logger passes it to handlers, in the
thread that made it. So child loggers, later handlers, queues and other threads see them; ids in
`extra` are not changed. Other records (a logger class with its own handle(), a record passed
directly to a handler or a formatter) get the ids there, so that a format with %(trace_id)s loses no
line."""

from __future__ import annotations

import functools
import logging
from typing import Any

from ._loader import impl

__all__ = [
    "TraceIdFilter",
    "get_structured_log_context",
    "install_trace_correlation",
    "uninstall_trace_correlation",
]


class TraceIdFilter(logging.Filter):
    """Accepts every record and adds trace_id and span_id where they are missing; empty without a
    span."""

    def filter(self, record: logging.LogRecord) -> bool:
        impl.stamp(record.__dict__)
        return True


class _Seam:
    """A method of logging that every record passes, wrapped once."""

    def __init__(self, owner: type, name: str) -> None:
        self.owner = owner
        self.name = name
        self.active = False
        self.original: Any = None
        self.installed: Any = None

    def install(self) -> None:
        self.active = True
        if self.installed is not None:
            return
        original = getattr(self.owner, self.name)
        stamp = impl.stamp

        @functools.wraps(original)
        def wrapper(owner: Any, record: Any) -> Any:
            if self.active and "span_id" not in record.__dict__:
                stamp(record.__dict__)
            return original(owner, record)

        self.original = original
        self.installed = wrapper
        setattr(self.owner, self.name, wrapper)

    def uninstall(self) -> None:
        """If other code has wrapped our wrapper, the wrapper stays and does nothing."""
        self.active = False
        if self.installed is not None and getattr(self.owner, self.name) is self.installed:
            setattr(self.owner, self.name, self.original)
            self.installed = None


_seams = (
    _Seam(logging.Logger, "handle"),
    _Seam(logging.Logger, "callHandlers"),
    _Seam(logging.Handler, "handle"),
    _Seam(logging.Formatter, "formatMessage"),
)


def install_trace_correlation() -> None:
    """Adds trace_id and span_id to each record of each logger. Further calls change nothing.
    After `shutdown` it stays, with empty ids, so that formats with %(trace_id)s keep
    working.
    """
    for seam in _seams:
        seam.install()
    root = logging.getLogger()
    if not any(isinstance(item, TraceIdFilter) for item in root.filters):
        root.addFilter(TraceIdFilter())


def uninstall_trace_correlation() -> None:
    """Undoes `install_trace_correlation`."""
    for seam in _seams:
        seam.uninstall()
    root = logging.getLogger()
    for item in [item for item in root.filters if isinstance(item, TraceIdFilter)]:
        root.removeFilter(item)


def get_structured_log_context() -> dict[str, str]:
    """Returns trace_id and span_id of the current span, for `extra=`; empty without a span."""
    trace_id: str = impl.get_current_trace_id()
    return {"trace_id": trace_id, "span_id": impl.get_current_span_id()} if trace_id else {}
