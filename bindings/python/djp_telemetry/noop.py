"""The whole surface without the native core: every call is accepted, nothing is recorded, nothing raises; what came from
outside is passed on (_noop_context). A test compares its names and signatures with the native module's. Also the seam
that older code imports: init_noop_if_enabled()."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Optional

from ._noop_context import (
    INVALID_SPAN,
    Baggage,
    Context,
    Span,
    SpanContext,
    SpanUse,
    TraceFlags,
    TraceState,
    attach,
    detach,
    extract,
    get_current_context,
    get_current_span,
    get_current_span_id,
    get_current_trace_id,
    inject,
    stamp,
    switch,
    use_span,
)
from ._noop_context import Done as _Done
from ._noop_context import span_of as _span_of
from ._version import __version__ as __version__

__all__ = [
    "INVALID_SPAN",
    "Baggage",
    "Context",
    "Span",
    "SpanContext",
    "SpanUse",
    "TraceFlags",
    "TraceState",
    "attach",
    "detach",
    "extract",
    "get_current_context",
    "get_current_span",
    "get_current_span_id",
    "get_current_trace_id",
    "init_noop_if_enabled",
    "inject",
    "stamp",
    "switch",
    "use_span",
]


class SpanStarter:
    """A context manager and decorator around a span that records nothing and keeps the identity of its parent."""

    __slots__ = ("_entered", "_parent")

    def __init__(self, parent: Any = None) -> None:
        self._parent = parent
        self._entered: Optional[Span] = None

    def start(self, /) -> Span:
        return _under(self._parent)

    def __enter__(self, /) -> Span:
        self._entered = self.start()
        return self._entered.__enter__()

    def __exit__(self, exc_type: Any, exc: Any, traceback: Any, /) -> None:
        span, self._entered = self._entered, None
        if span is not None:
            span.__exit__(exc_type, exc, traceback)

    def __aenter__(self, /) -> Any:
        return _Done(self.__enter__())

    def __aexit__(self, exc_type: Any, exc: Any, traceback: Any, /) -> Any:
        self.__exit__(exc_type, exc, traceback)
        return _Done(None)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        if self._parent is None:
            return function
        from ._decorators import decorate

        decorated: Callable[..., Any] = decorate(function, self.start)
        return decorated


def _under(parent: Any) -> Span:
    """What a span started here is: nothing of its own, but a parent that the caller named goes on to whoever is called."""
    if parent is None:
        return INVALID_SPAN
    context = _span_of(parent).get_span_context()
    return Span(context) if context.is_valid else INVALID_SPAN


class Tracer:
    """Starts spans that record nothing."""

    __slots__ = ()

    def start_span(
        self,
        name: str,
        context: Any = None,
        kind: Any = None,
        attributes: Any = None,
        links: Any = None,
        start_time: Any = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
        *,
        parent: Any = None,
    ) -> Span:
        return _under(context if parent is None else parent)

    def start_as_current_span(
        self,
        name: str,
        context: Any = None,
        kind: Any = None,
        attributes: Any = None,
        links: Any = None,
        start_time: Any = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
        *,
        parent: Any = None,
    ) -> SpanStarter:
        return SpanStarter(context if parent is None else parent)


def start_span(
    name: str,
    attributes: Any = None,
    *,
    parent: Any = None,
    kind: Any = None,
    links: Any = None,
    start_time: Any = None,
) -> Span:
    return _under(parent)


def get_tracer(name: Any = None, version: Any = None, schema_url: Any = None, attributes: Any = None) -> Tracer:
    return Tracer()


def sdk_start(options: dict[str, str], environ: Mapping[str, str], service_name: Any, warn: Any, /) -> dict[str, Any]:
    return sdk_resolve(options, environ, service_name, warn)


def sdk_resolve(
    options: dict[str, str],
    environ: Mapping[str, str],
    service_name: Any,
    warn: Any,
    camel_case: bool = False,
    /,
) -> dict[str, Any]:
    import json

    from ._noop_status import STATUS

    for name in options.keys() - json.loads(STATUS)["settings"].keys():
        warn(f'There is no option "{name}", so it is ignored: the names are in docs/configuration.md.')
    return {
        "enabled": False,
        "backend": "noop",
        "semconv": "old",
        "service_name": service_name or "",
        "log_correlation": False,
        "shutdown_timeout": 0.0,
        "prometheus_port": 0,
        "log_level": 0,
        "report": "{}",
        "summary": "",
        "status": STATUS,
    }


def sdk_stop(timeout: Any, /) -> None:
    return None


def sdk_flush(timeout: Any, /) -> bool:
    return True


def sdk_status() -> None:
    return None


def sdk_set_enabled(enabled: bool, /) -> bool:
    return False


def sdk_set_sample_ratio(ratio: Optional[float], /) -> bool:
    return False


def sdk_set_canary_ratio(ratio: Optional[float], /) -> bool:
    return False


def sdk_take_exported() -> None:
    return None


def sdk_keywords() -> list[str]:
    return []


def init_noop_if_enabled() -> None:
    """Deprecated: says once that telemetry is on but does nothing, when it is."""
    from ._runtime import announce_noop

    announce_noop()
