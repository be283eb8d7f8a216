"""The whole surface without the native core: every call is accepted, nothing is recorded, nothing raises. A test
compares its names and signatures with the native module's. Also the seam that older code imports:
init_noop_if_enabled()."""

from __future__ import annotations

from typing import Any, Callable, Iterator, Mapping, MutableMapping, Optional

from ._version import __version__ as __version__

__all__ = ["init_noop_if_enabled"]


class TraceFlags(int):
    """The W3C trace flags: an int."""

    __slots__ = ()

    @property
    def sampled(self) -> bool:
        return bool(self & 1)


class TraceState(dict):  # type: ignore[type-arg]
    """A copy of a W3C tracestate: a dict in the list's order."""

    def to_header(self) -> str:
        return ",".join(f"{key}={value}" for key, value in self.items())


class SpanContext:
    """The identity of a span: here always without ids."""

    __slots__ = ()

    def __init__(
        self, trace_id: int, span_id: int, is_remote: bool = False, trace_flags: int = 0, trace_state: Any = None
    ) -> None:
        pass

    @property
    def trace_id(self) -> int:
        return 0

    @property
    def span_id(self) -> int:
        return 0

    @property
    def trace_flags(self) -> TraceFlags:
        return TraceFlags(0)

    @property
    def trace_state(self) -> TraceState:
        return TraceState()

    @property
    def is_remote(self) -> bool:
        return False

    @property
    def is_valid(self) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SpanContext)

    def __hash__(self) -> int:
        return 0


class _Done:
    """An awaitable that is done at once."""

    __slots__ = ("_result",)

    def __init__(self, result: Any) -> None:
        self._result = result

    def __await__(self) -> Iterator[Any]:
        return self

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        raise StopIteration(self._result)


class Span:
    """A span that records nothing."""

    __slots__ = ("__weakref__",)

    def set_attribute(self, key: str, value: Any) -> None:
        pass

    def set_attributes(self, attributes: Optional[Mapping[str, Any]]) -> None:
        pass

    def add_event(self, name: str, attributes: Optional[Mapping[str, Any]] = None, timestamp: Any = None) -> None:
        pass

    def add_link(self, context: Any, attributes: Optional[Mapping[str, Any]] = None) -> None:
        pass

    def record_exception(
        self,
        exception: BaseException,
        attributes: Optional[Mapping[str, Any]] = None,
        timestamp: Any = None,
        escaped: bool = False,
    ) -> None:
        pass

    def set_status(self, status: Any, description: Optional[str] = None) -> None:
        pass

    def update_name(self, name: str) -> None:
        pass

    def end(self, end_time: Any = None) -> None:
        pass

    def is_recording(self, /) -> bool:
        return False

    def get_span_context(self, /) -> SpanContext:
        return _CONTEXT

    @property
    def context(self) -> SpanContext:
        return _CONTEXT

    def __enter__(self, /) -> Span:
        return self

    def __exit__(self, exc_type: Any, exc: Any, traceback: Any, /) -> None:
        pass

    def __aenter__(self, /) -> Any:
        return _Done(self)

    def __aexit__(self, exc_type: Any, exc: Any, traceback: Any, /) -> Any:
        return _Done(None)


_CONTEXT = SpanContext(0, 0)
INVALID_SPAN = Span()


class Baggage:
    """Baggage that is always empty."""

    __slots__ = ()

    def get(self, key: str, /) -> Optional[str]:
        return None

    def items(self, /) -> dict[str, str]:
        return {}

    def set(self, key: str, value: str, properties: Optional[str] = None) -> Baggage:
        return self

    def remove(self, key: str, /) -> Baggage:
        return self

    def to_header(self, /) -> str:
        return ""

    def __len__(self) -> int:
        return 0


class Context:
    """What crossed a process border: here always nothing."""

    __slots__ = ()

    def __init__(self, span: Any = None, baggage: Any = None) -> None:
        pass

    @property
    def span(self) -> Span:
        return INVALID_SPAN

    @property
    def baggage(self) -> Baggage:
        return Baggage()

    def get_span_context(self, /) -> SpanContext:
        return _CONTEXT


class SpanUse:
    """Makes a span current inside `with`: here nothing changes."""

    __slots__ = ()

    def __enter__(self, /) -> Span:
        return INVALID_SPAN

    def __exit__(self, exc_type: Any, exc: Any, traceback: Any, /) -> None:
        pass


class SpanStarter:
    """A context manager and decorator around a span."""

    __slots__ = ()

    def start(self, /) -> Span:
        return INVALID_SPAN

    def __enter__(self, /) -> Span:
        return INVALID_SPAN

    def __exit__(self, exc_type: Any, exc: Any, traceback: Any, /) -> None:
        pass

    def __aenter__(self, /) -> Any:
        return _Done(INVALID_SPAN)

    def __aexit__(self, exc_type: Any, exc: Any, traceback: Any, /) -> Any:
        return _Done(None)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return function


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
        return INVALID_SPAN

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
        return SpanStarter()


def start_span(
    name: str,
    attributes: Any = None,
    *,
    parent: Any = None,
    kind: Any = None,
    links: Any = None,
    start_time: Any = None,
) -> Span:
    return INVALID_SPAN


def get_tracer(name: Any = None, version: Any = None, schema_url: Any = None, attributes: Any = None) -> Tracer:
    return Tracer()


def get_current_span(context: Any = None, /) -> Span:
    return INVALID_SPAN


def get_current_context() -> Context:
    return Context()


def get_current_trace_id() -> str:
    return ""


def get_current_span_id() -> str:
    return ""


def stamp(fields: MutableMapping[str, Any], /) -> None:
    fields.setdefault("trace_id", "")
    fields.setdefault("span_id", "")


def use_span(
    span: Any, end_on_exit: bool = False, record_exception: bool = True, set_status_on_exception: bool = True
) -> SpanUse:
    return SpanUse()


def attach(context: Any, /) -> SpanUse:
    return SpanUse()


def detach(token: Any, /) -> None:
    pass


def inject(carrier: Any = None, setter: Any = None, context: Any = None) -> Any:
    return {} if carrier is None else carrier


def extract(carrier: Any, getter: Any = None) -> Context:
    return Context()


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
