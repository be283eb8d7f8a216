# Types of the native module; the no-op has the same surface. `make gen` writes between the marks.
from types import TracebackType
from typing import (
    Any,
    Awaitable,
    Callable,
    Dict,
    Iterable,
    List,
    Mapping,
    MutableMapping,
    Optional,
    Tuple,
    Type,
    TypeVar,
    Union,
    final,
    overload,
)

from typing_extensions import disjoint_base

from ._types import SpanKind, Status, StatusCode

__version__: str

_F = TypeVar("_F", bound=Callable[..., Any])
_C = TypeVar("_C")
_Attributes = Optional[Mapping[str, object]]
_Kind = Union[SpanKind, str, int, None]
_Time = Union[int, float, None]
_Parent = Union["Span", "SpanContext", "Context", Mapping[Any, Any], Any, None]
_Links = Optional[Iterable[Any]]

# gen:begin surface TraceFlags TraceState SpanContext Span
@final
class TraceFlags(int):
    """The trace flags as an int (W3C Trace Context)."""
    @property
    def sampled(self) -> bool:
        """Whether the sampled flag (bit 0) is set."""

@final
class TraceState(Dict[str, str]):
    """A copy of a tracestate as a dict, in the order of the header (W3C Trace Context).
    Changes do not affect the span.
    """
    def to_header(self, /) -> str:
        """Returns the value of the tracestate header."""

@final
class SpanContext:
    """The ids, flags and tracestate of a span (W3C Trace Context). Immutable.

    Args:
        trace_id: Trace id, 128 bits; 0 for none.
        span_id: Span id, 64 bits; 0 for none.
        is_remote: Whether the span belongs to another process.
        trace_flags: Trace flags, 8 bits.
        trace_state: Tracestate as a header or a TraceState; an invalid one is ignored.
    """
    def __new__(
        cls,
        trace_id: int,
        span_id: int,
        is_remote: bool = False,
        trace_flags: int = 0,
        trace_state: Union[str, TraceState, None] = None,
    ) -> SpanContext: ...
    def __copy__(self, /) -> SpanContext:
        """Returns the object itself."""
    def __deepcopy__(self, memo: Any, /) -> SpanContext:
        """Returns the object itself."""
    @property
    def trace_id(self) -> int:
        """The trace id, 128 bits; 0 if there is none."""
    @property
    def span_id(self) -> int:
        """The span id, 64 bits; 0 if there is none."""
    @property
    def trace_flags(self) -> TraceFlags:
        """The trace flags."""
    @property
    def trace_state(self) -> TraceState:
        """A copy of the tracestate."""
    @property
    def is_remote(self) -> bool:
        """Whether the span belongs to another process."""
    @property
    def is_valid(self) -> bool:
        """Whether both ids are present."""

@final
class Span:
    """One operation. `start_span` and `Tracer.start_span` make spans. After its end, and if
    nothing is recorded, its methods do nothing. No method fails for a value: an
    unsupported one is dropped and counted in `spans.dropped_attributes` of the status. In
    `with` or `async with` the span is current; at the end of the block it ends, and an
    exception is recorded and raised again.
    """
    def set_attribute(self, key: str, value: object) -> None:
        """Sets an attribute. A later value of the same key replaces the earlier one.

        Args:
            key: Name of the attribute, not empty.
            value: Text, number, boolean, bytes, None, or a list or mapping of these
                (OpenTelemetry AnyValue).
        """
    def set_attributes(self, attributes: _Attributes) -> None:
        """Sets each attribute of a mapping, as `set_attribute` does.

        Args:
            attributes: Mapping of names to values; None is empty.
        """
    def add_event(self, name: str, attributes: _Attributes = None, timestamp: _Time = None) -> None:
        """Adds an event.

        Args:
            name: Name of the event.
            attributes: Attributes of the event.
            timestamp: Nanoseconds since 1970 as an int, or seconds as a float; now by
                default.
        """
    def add_link(self, context: Any, attributes: _Attributes = None) -> None:
        """Adds a link to another span. A span context without valid ids is ignored.

        Args:
            context: A span, SpanContext or Context.
            attributes: Attributes of the link.
        """
    def record_exception(
        self,
        exception: BaseException,
        attributes: _Attributes = None,
        timestamp: _Time = None,
        escaped: bool = False,
    ) -> None:
        """Adds an event `exception` with exception.type, exception.message and
        exception.stacktrace (OpenTelemetry semantic conventions). A stack trace is cut at
        32,768 characters. The status of the span is not changed.

        Args:
            exception: The exception.
            attributes: Additional attributes of the event.
            timestamp: As for `add_event`.
            escaped: Whether the exception leaves the span; recorded as exception.escaped.
        """
    def set_status(
        self, status: Union[StatusCode, Status, str, int, Any], description: Optional[str] = None
    ) -> None:
        """Sets the status. OK is final: later calls change nothing. An unknown status is dropped
        and counted.

        Args:
            status: unset, ok or error, as a word, a number or a `StatusCode`; or an object
                with a code and a description.
            description: Description of an error; ignored with another status.
        """
    def update_name(self, name: str) -> None:
        """Changes the name of the span.

        Args:
            name: The new name.
        """
    def end(self, end_time: _Time = None) -> None:
        """Ends the span. Only the first call counts.

        Args:
            end_time: Nanoseconds since 1970 as an int, or seconds as a float; now by default.
        """
    def is_recording(self, /) -> bool:
        """Whether the span records what it is given: it has not ended and recording is on."""
    def get_span_context(self, /) -> SpanContext:
        """Returns the ids, flags and tracestate of the span (W3C Trace Context)."""
    @property
    def context(self) -> SpanContext:
        """The ids, flags and tracestate of the span, as `get_span_context` returns them."""
    def __enter__(self, /) -> Span:
        """Makes the span current."""
    def __exit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> None:
        """Records an exception, ends the span and makes the previous span current. Does not
        suppress the exception.
        """
    def __aenter__(self, /) -> Awaitable[Span]:
        """Makes the span current."""
    def __aexit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> Awaitable[None]:
        """Records an exception, ends the span and makes the previous span current. Does not
        suppress the exception.
        """

# gen:end

INVALID_SPAN: Span

# gen:begin surface Baggage Context SpanUse SpanStarter Tracer
@final
class Baggage:
    """Name and value pairs that are propagated with a trace (W3C Baggage). Immutable:
    changes return new baggage.

    Args:
        header: Value of a baggage header; malformed members are ignored.
    """
    def __new__(cls, header: Union[str, bytes, None] = None) -> Baggage: ...
    def __copy__(self, /) -> Baggage:
        """Returns the object itself."""
    def __deepcopy__(self, memo: Any, /) -> Baggage:
        """Returns the object itself."""
    def get(self, key: str, /) -> Optional[str]:
        """Returns the value of an entry, or None.

        Args:
            key: Name of the entry.
        """
    def items(self, /) -> Dict[str, str]:
        """Returns all entries as a new dict."""
    def set(self, key: str, value: str, properties: Optional[str] = None) -> Baggage:
        """Returns baggage with the entry set. An invalid name or value, or a limit (180 entries,
        8,192 bytes), leaves it unchanged.

        Args:
            key: Name of the entry.
            value: Value of the entry; percent-encoded in the header.
            properties: Properties of the entry, as in the header.
        """
    def remove(self, key: str, /) -> Baggage:
        """Returns baggage without the entry.

        Args:
            key: Name of the entry.
        """
    def to_header(self, /) -> str:
        """Returns the value of the baggage header."""
    def __len__(self, /) -> int:
        """Number of entries."""

@final
class Context:
    """A span and baggage, as they are current or as headers carried them. Immutable.

    Args:
        span: A span, SpanContext or Context; none by default.
        baggage: The baggage; empty by default.
    """
    def __new__(cls, span: _Parent = None, baggage: Optional[Baggage] = None) -> Context: ...
    def __copy__(self, /) -> Context:
        """Returns the object itself."""
    def __deepcopy__(self, memo: Any, /) -> Context:
        """Returns the object itself."""
    @property
    def span(self) -> Span:
        """The span. It has no ids if the context has no span."""
    @property
    def baggage(self) -> Baggage:
        """The baggage (W3C Baggage)."""
    def get_span_context(self, /) -> SpanContext:
        """Returns the SpanContext of the span."""

@final
class SpanUse:
    """Context manager that makes a span current; `use_span` and `attach` return it."""
    def __enter__(self, /) -> Span:
        """Makes the span current."""
    def __exit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> None:
        """Makes the previous span current."""

@final
class SpanStarter:
    """Context manager and decorator that `Tracer.start_as_current_span` returns. It starts a
    span each time it is entered, or for each call of the function that it decorates.
    """
    def start(self, /) -> Span:
        """Starts one span without making it current."""
    def __call__(self, function: _F) -> _F:
        """Decorates a function, coroutine function or generator: each call is a span."""
    def __enter__(self, /) -> Span:
        """Starts a span and makes it current."""
    def __exit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> None:
        """Ends the span as `Span.__exit__` does."""
    def __aenter__(self, /) -> Awaitable[Span]:
        """Starts a span and makes it current."""
    def __aexit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> Awaitable[None]:
        """Ends the span as `Span.__exit__` does."""

@final
class Tracer:
    """Starts spans under an instrumentation scope. `get_tracer` makes tracers."""
    def start_span(
        self,
        name: str,
        context: _Parent = None,
        kind: _Kind = None,
        attributes: _Attributes = None,
        links: _Links = None,
        start_time: _Time = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
        *,
        parent: _Parent = None,
    ) -> Span:
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
    def start_as_current_span(
        self,
        name: str,
        context: _Parent = None,
        kind: _Kind = None,
        attributes: _Attributes = None,
        links: _Links = None,
        start_time: _Time = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
        *,
        parent: _Parent = None,
    ) -> SpanStarter:
        """Returns a context manager that starts a span, makes it current and ends it. As a
        decorator of a function, coroutine function or generator it makes each call a span.
        Arguments as for `Tracer.start_span`.
        """

# gen:end

@disjoint_base
class AsgiApp:
    @property
    def app(self) -> Any: ...
    def _setup(self, *options: Any) -> None: ...
    def _leave_recording(self) -> None: ...
    def __call__(self, scope: Any, receive: Any, send: Any) -> Awaitable[None]: ...

# gen:begin surface start_span get_tracer get_current_span get_current_context
def start_span(
    name: str,
    attributes: _Attributes = None,
    *,
    parent: _Parent = None,
    kind: _Kind = None,
    links: _Links = None,
    start_time: _Time = None,
) -> Span:
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

def get_tracer(
    name: Optional[str] = None,
    version: Optional[str] = None,
    schema_url: Optional[str] = None,
    attributes: _Attributes = None,
) -> Tracer:
    """Returns a tracer for an instrumentation scope. A process can use 1,023 different
    scopes; spans of further ones are recorded without a scope.

    Args:
        name: Name of the scope, usually of the library.
        version: Version of the scope.
        schema_url: URL of the schema of the attribute names.
        attributes: Attributes of the scope.
    """

def get_current_span(context: Optional[Context] = None, /) -> Span:
    """Returns the current span; without one, a span that has no ids and records nothing.

    Args:
        context: A Context whose span is returned instead.
    """

def get_current_context() -> Context:
    """Returns the current span and baggage as a Context."""

# gen:end
# gen:begin surface get_current_trace_id get_current_span_id stamp use_span attach detach
def get_current_trace_id() -> str:
    """Returns the trace id of the current span as 32 lower-case hexadecimal digits; empty
    without a span.
    """

def get_current_span_id() -> str:
    """Returns the span id of the current span as 16 lower-case hexadecimal digits; empty
    without a span.
    """

def stamp(fields: MutableMapping[str, Any], /) -> None:
    """Adds trace_id and span_id of the current span to a dict unless it has them.

    Args:
        fields: The dict of a log record.
    """

def use_span(
    span: _Parent,
    end_on_exit: bool = False,
    record_exception: bool = True,
    set_status_on_exception: bool = True,
) -> SpanUse:
    """Returns a context manager that makes a span, SpanContext or Context current. An
    exception is recorded on the span and raised again.

    Args:
        span: The span, SpanContext or Context.
        end_on_exit: Whether the end of the block ends the span.
        record_exception: Whether an exception that leaves the block is recorded as an
            event.
        set_status_on_exception: Whether such an exception sets the status to error.
    """

def attach(context: _Parent, /) -> SpanUse:
    """Makes a context current until `detach` is called.

    Args:
        context: A Context, span or SpanContext.

    Returns:
        A token for `detach`.
    """

def detach(token: Union[SpanUse, Span], /) -> None:
    """Makes the context current that was current before `attach`. A span that was entered is
    left and stays open. Another object is ignored.

    Args:
        token: What `attach` returned, or an entered span.
    """

# gen:end
# gen:begin surface inject extract
@overload
def inject(
    carrier: None = None, setter: Any = None, context: Optional[Context] = None
) -> Dict[str, str]:
    """Writes traceparent, tracestate (W3C Trace Context) and baggage (W3C Baggage) into a
    carrier. An error of the carrier is ignored.

    Args:
        carrier: A mutable mapping of headers; a new one by default.
        setter: Sets a header of a carrier of another type: set(carrier, name, value).
        context: The context to write; the current one by default.

    Returns:
        The carrier.
    """

@overload
def inject(carrier: _C, setter: Any = None, context: Optional[Context] = None) -> _C: ...
def extract(carrier: Any, getter: Any = None) -> Context:
    """Extracts trace context (W3C Trace Context) and baggage (W3C Baggage) from a carrier.
    Never fails. The carrier is a mapping of str or bytes, or the list of header pairs of
    an ASGI scope.

    Args:
        carrier: The headers.
        getter: Reads a header of a carrier of another type: get(carrier, name).

    Returns:
        A Context; its span is invalid (null in Node) if no valid header was found.
    """

# gen:end
def switch(frame: Any, /) -> Tuple[Any, Any]: ...
def sdk_start(
    options: Dict[str, str], environ: Mapping[str, str], service_name: Optional[str], warn: Any, /
) -> Dict[str, Any]: ...
def sdk_resolve(
    options: Dict[str, str],
    environ: Mapping[str, str],
    service_name: Optional[str],
    warn: Any,
    camel_case: bool = False,
    /,
) -> Dict[str, Any]: ...
def sdk_stop(timeout: Optional[float], /) -> Optional[Tuple[bool, Optional[str]]]: ...
def sdk_start_metrics() -> None: ...
def sdk_flush(timeout: Optional[float], /) -> bool: ...
def sdk_status() -> Optional[str]: ...
def sdk_set_enabled(enabled: bool, /) -> bool: ...
def sdk_set_sample_ratio(ratio: Optional[float], /) -> bool: ...
def sdk_set_canary_ratio(ratio: Optional[float], /) -> bool: ...
def sdk_take_exported() -> Optional[bytes]: ...
def sdk_take_signals() -> None: ...
def sdk_keywords() -> List[str]: ...

@disjoint_base
class Instrument:
    def _counter_inc(self, amount: float = 1, exemplar: Any = None) -> None: ...
    def _gauge_inc(self, amount: float = 1) -> None: ...
    def _gauge_dec(self, amount: float = 1) -> None: ...
    def _gauge_set(self, value: float) -> None: ...
    def _observe(self, amount: float, exemplar: Any = None) -> None: ...
    def _find(self, *values: object, **names: object) -> Any: ...
    def _discard(self) -> None: ...
    def _divide(self, names: Any, children: Any) -> None: ...
    def _open(self, kind: int, bounds: bytes, core: Any) -> None: ...
    def _read(self) -> Any: ...
    @property
    def _core(self) -> Any: ...
