"""The public surface without the native core: every call is accepted, nothing is recorded and
nothing raises. Trace context and baggage are propagated (_noop_context). A test compares names and
signatures with the native module. init_noop_if_enabled() is for older code."""

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
    """Context manager and decorator that `Tracer.start_as_current_span` returns. It starts a
    span each time it is entered, or for each call of the function that it decorates.
    """

    __slots__ = ("_entered", "_parent")

    def __init__(self, parent: Any = None) -> None:
        self._parent = parent
        self._entered: Optional[Span] = None

    def start(self, /) -> Span:
        """Starts one span without making it current."""
        return _under(self._parent)

    def __enter__(self, /) -> Span:
        """Starts a span and makes it current."""
        self._entered = self.start()
        return self._entered.__enter__()

    def __exit__(self, exc_type: Any, exc: Any, traceback: Any, /) -> None:
        """Ends the span as `Span.__exit__` does."""
        span, self._entered = self._entered, None
        if span is not None:
            span.__exit__(exc_type, exc, traceback)

    def __aenter__(self, /) -> Any:
        """Starts a span and makes it current."""
        return _Done(self.__enter__())

    def __aexit__(self, exc_type: Any, exc: Any, traceback: Any, /) -> Any:
        """Ends the span as `Span.__exit__` does."""
        self.__exit__(exc_type, exc, traceback)
        return _Done(None)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Decorates a function, coroutine function or generator: each call is a span."""
        if self._parent is None:
            return function
        from ._decorators import decorate

        decorated: Callable[..., Any] = decorate(function, self.start)
        return decorated


def _under(parent: Any) -> Span:
    """Returns the span of a start here. It records nothing and carries the context of the parent
    that the caller named to outgoing requests."""
    if parent is None:
        return INVALID_SPAN
    context = _span_of(parent).get_span_context()
    return Span(context) if context.is_valid else INVALID_SPAN


class Tracer:
    """Starts spans under an instrumentation scope. `get_tracer` makes tracers."""

    __slots__ = ()

    # gen:begin noop Tracer
    def start_span(
        self,
        name: Any,
        context: Any = None,
        kind: Any = None,
        attributes: Any = None,
        links: Any = None,
        start_time: Any = None,
        record_exception: Any = True,
        set_status_on_exception: Any = True,
        end_on_exit: Any = True,
        *,
        parent: Any = None,
    ) -> Any:
        """Starts a span, which the caller ends. Arguments as for `start_span` of the package.
        The span is current only inside `with`.

        Args:
            name: Name of the span.
            context: The parent; the current span by default.
            kind: internal, server, client, producer or consumer, as a word or a SpanKind.
            attributes: Attributes of the span.
            links: Links to other spans: contexts, or pairs of a context and attributes.
            start_time: Nanoseconds since 1970 as an int, or seconds as a float; now by
                default.
            record_exception: Whether an exception that leaves the block is recorded as an
                event.
            set_status_on_exception: Whether such an exception sets the status to error.
            end_on_exit: Whether the end of the block ends the span.
            parent: The same as context.
        """
        return _under(context if parent is None else parent)

    def start_as_current_span(
        self,
        name: Any,
        context: Any = None,
        kind: Any = None,
        attributes: Any = None,
        links: Any = None,
        start_time: Any = None,
        record_exception: Any = True,
        set_status_on_exception: Any = True,
        end_on_exit: Any = True,
        *,
        parent: Any = None,
    ) -> Any:
        """Returns a context manager that starts a span, makes it current and ends it. As a
        decorator of a function, coroutine function or generator it makes each call a span.
        Arguments as for `Tracer.start_span`.
        """
        return SpanStarter(context if parent is None else parent)

    # gen:end


# gen:begin noop start_span get_tracer
def start_span(
    name: Any,
    attributes: Any = None,
    *,
    parent: Any = None,
    kind: Any = None,
    links: Any = None,
    start_time: Any = None,
) -> Any:
    """Starts a span, which the caller ends. Never fails for a value. `with start_span(...)
    as span:` makes it current and ends it; an exception is recorded and raised again.

    Args:
        name: Name of the span; an empty or invalid one becomes `unnamed`.
        attributes: Attributes of the span.
        parent: A span, SpanContext or Context, also one of OpenTelemetry; the current
            span by default.
        kind: internal, server, client, producer or consumer, as a word or a SpanKind.
        links: Links to other spans: contexts, or pairs of a context and attributes.
        start_time: Nanoseconds since 1970 as an int, or seconds as a float; now by
            default.
    """
    return _under(parent)


def get_tracer(
    name: Any = None, version: Any = None, schema_url: Any = None, attributes: Any = None
) -> Any:
    """Returns a tracer for an instrumentation scope. A process can use 1,023 different
    scopes; spans of further ones are recorded without a scope.

    Args:
        name: Name of the scope, usually of the library.
        version: Version of the scope.
        schema_url: URL of the schema of the attribute names.
        attributes: Attributes of the scope.
    """
    return Tracer()


# gen:end


def sdk_start(
    options: dict[str, str], environ: Mapping[str, str], service_name: Any, warn: Any, /
) -> dict[str, Any]:
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
        warn(
            f'There is no option "{name}", so it is ignored: '
            "the names are in docs/configuration.md."
        )
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


def sdk_start_metrics() -> None:
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
    """Deprecated. Logs once that telemetry is enabled but records nothing, if that is so."""
    from ._runtime import announce_noop

    announce_noop()
