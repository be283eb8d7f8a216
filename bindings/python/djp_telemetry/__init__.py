"""Spans, metrics and log correlation, recorded and exported by a native core. Importing the package
starts nothing; init_telemetry() starts telemetry if it is enabled. Without the native core every
name works as a no-op: see __impl__ and telemetry_status()."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import _loader
from ._decorators import traced
from ._init import init_telemetry
from ._runtime import (
    flush,
    set_canary_ratio,
    set_enabled,
    set_sample_ratio,
    shutdown,
    take_exported,
    telemetry_status,
)
from ._types import SpanKind, Status, StatusCode
from ._version import __version__
from .noop import init_noop_if_enabled
from .outgoing import instrument_outgoing

if TYPE_CHECKING:
    from ._native import (
        INVALID_SPAN,
        Baggage,
        Context,
        Span,
        SpanContext,
        TraceFlags,
        Tracer,
        TraceState,
        attach,
        detach,
        extract,
        get_current_context,
        get_current_span,
        get_current_span_id,
        get_current_trace_id,
        get_tracer,
        inject,
        start_span,
        use_span,
    )
else:
    INVALID_SPAN = _loader.impl.INVALID_SPAN
    Baggage = _loader.impl.Baggage
    Context = _loader.impl.Context
    Span = _loader.impl.Span
    SpanContext = _loader.impl.SpanContext
    TraceFlags = _loader.impl.TraceFlags
    Tracer = _loader.impl.Tracer
    TraceState = _loader.impl.TraceState
    attach = _loader.impl.attach
    detach = _loader.impl.detach
    extract = _loader.impl.extract
    get_current_context = _loader.impl.get_current_context
    get_current_span = _loader.impl.get_current_span
    get_current_span_id = _loader.impl.get_current_span_id
    get_current_trace_id = _loader.impl.get_current_trace_id
    get_tracer = _loader.impl.get_tracer
    inject = _loader.impl.inject
    start_span = _loader.impl.start_span
    use_span = _loader.impl.use_span

__impl__: str = _loader.name
__impl_reason__: str = _loader.reason

__all__ = [
    "INVALID_SPAN",
    "Baggage",
    "Context",
    "Span",
    "SpanContext",
    "SpanKind",
    "Status",
    "StatusCode",
    "TraceFlags",
    "TraceState",
    "Tracer",
    "__impl__",
    "__impl_reason__",
    "__version__",
    "attach",
    "detach",
    "extract",
    "flush",
    "get_current_context",
    "get_current_span",
    "get_current_span_id",
    "get_current_trace_id",
    "get_tracer",
    "init_noop_if_enabled",
    "init_telemetry",
    "inject",
    "instrument_outgoing",
    "set_canary_ratio",
    "set_enabled",
    "set_sample_ratio",
    "shutdown",
    "start_span",
    "take_exported",
    "telemetry_status",
    "traced",
    "use_span",
]
