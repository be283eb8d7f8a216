"""Context propagation without the native core. Extracted trace context and baggage become current
where the program attaches them, and are injected into outgoing requests. Nothing is recorded and no
id is generated."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Iterator, MutableMapping, Optional

from . import _w3c

# The module of the types, so that pickles are the same with and without the core.
_PUBLIC = "djp_telemetry"


class TraceFlags(int):
    """The trace flags as an int (W3C Trace Context)."""

    __slots__ = ()
    __module__ = _PUBLIC

    # gen:begin noop TraceFlags
    @property
    def sampled(self) -> Any:
        """Whether the sampled flag (bit 0) is set."""
        return bool(self & 1)

    # gen:end


class TraceState(dict):  # type: ignore[type-arg]
    """A copy of a tracestate as a dict, in the order of the header (W3C Trace Context).
    Changes do not affect the span.
    """

    __module__ = _PUBLIC

    def to_header(self) -> str:
        """Returns the value of the tracestate header."""
        return ",".join(f"{key}={value}" for key, value in self.items())


class _Constant:
    """Immutable: a copy is the object itself."""

    __slots__ = ()

    def __copy__(self, /) -> Any:
        return self

    def __deepcopy__(self, memo: Any, /) -> Any:
        return self


def _number(value: Any, bits: int) -> int:
    return int(value) if isinstance(value, int) and 0 <= value < 1 << bits else 0


class SpanContext(_Constant):
    """The ids, flags and tracestate of a span (W3C Trace Context). Immutable.

    Args:
        trace_id: Trace id, 128 bits; 0 for none.
        span_id: Span id, 64 bits; 0 for none.
        is_remote: Whether the span belongs to another process.
        trace_flags: Trace flags, 8 bits.
        trace_state: Tracestate as a header or a TraceState; an invalid one is ignored.
    """

    __slots__ = ("_ids", "_remote", "_state")
    __module__ = _PUBLIC

    def __init__(
        self,
        trace_id: int,
        span_id: int,
        is_remote: bool = False,
        trace_flags: int = 0,
        trace_state: Any = None,
    ) -> None:
        ids = _number(trace_id, 128), _number(span_id, 64)
        if not isinstance(trace_id, int) or not isinstance(span_id, int):
            ids = 0, 0
        flags = int(trace_flags) & 255 if isinstance(trace_flags, int) else 0
        self._ids = (*ids, flags)
        self._remote = bool(is_remote)
        header = trace_state.to_header() if hasattr(trace_state, "to_header") else trace_state
        self._state = _w3c.parse_tracestate([header]) if isinstance(header, str) else ""

    # gen:begin noop SpanContext
    @property
    def trace_id(self) -> Any:
        """The trace id, 128 bits; 0 if there is none."""
        return self._ids[0]

    @property
    def span_id(self) -> Any:
        """The span id, 64 bits; 0 if there is none."""
        return self._ids[1]

    @property
    def trace_flags(self) -> Any:
        """The trace flags."""
        return TraceFlags(self._ids[2])

    @property
    def is_remote(self) -> Any:
        """Whether the span belongs to another process."""
        return self._remote

    @property
    def is_valid(self) -> Any:
        """Whether both ids are present."""
        return bool(self._ids[0] and self._ids[1])

    # gen:end

    @property
    def trace_state(self) -> TraceState:
        """A copy of the tracestate."""
        return TraceState(item.split("=", 1) for item in self._state.split(",") if item)

    def _key(self) -> Any:
        return self._ids, self._remote, self._state

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SpanContext) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._ids)

    def __repr__(self) -> str:
        trace_id, span_id, flags = self._ids
        return (
            f"SpanContext(trace_id=0x{trace_id:032x}, span_id=0x{span_id:016x}, "
            f"trace_flags={flags}, "
            f"is_remote={self._remote})"
        )

    def __reduce__(self) -> Any:
        return SpanContext, (*self._ids[:2], self._remote, self._ids[2], self._state or None)


class Done:
    """An awaitable that is already done."""

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
    """One operation. `start_span` and `Tracer.start_span` make spans. After its end, and if
    nothing is recorded, its methods do nothing. No method fails for a value: an
    unsupported one is dropped and counted in `spans.dropped_attributes` of the status. In
    `with` or `async with` the span is current; at the end of the block it ends, and an
    exception is recorded and raised again.
    """

    __slots__ = ("__weakref__", "_context", "_entry")

    def __init__(self, context: Optional[SpanContext] = None) -> None:
        self._context = context or INVALID_CONTEXT
        self._entry: Optional[_Entry] = None

    # gen:begin noop Span
    def set_attribute(self, key: Any, value: Any) -> Any:
        """Sets an attribute. A later value of the same key replaces the earlier one.

        Args:
            key: Name of the attribute, not empty.
            value: Text, number, boolean, bytes, None, or a list or mapping of these
                (OpenTelemetry AnyValue).
        """
        return None

    def set_attributes(self, attributes: Any) -> Any:
        """Sets each attribute of a mapping, as `set_attribute` does.

        Args:
            attributes: Mapping of names to values; None is empty.
        """
        return None

    def add_event(self, name: Any, attributes: Any = None, timestamp: Any = None) -> Any:
        """Adds an event.

        Args:
            name: Name of the event.
            attributes: Attributes of the event.
            timestamp: Nanoseconds since 1970 as an int, or seconds as a float; now by
                default.
        """
        return None

    def add_link(self, context: Any, attributes: Any = None) -> Any:
        """Adds a link to another span. A span context without valid ids is ignored.

        Args:
            context: A span, SpanContext or Context.
            attributes: Attributes of the link.
        """
        return None

    def record_exception(
        self, exception: Any, attributes: Any = None, timestamp: Any = None, escaped: Any = False
    ) -> Any:
        """Adds an event `exception` with exception.type, exception.message and
        exception.stacktrace (OpenTelemetry semantic conventions). A stack trace is cut at
        32,768 characters. The status of the span is not changed.

        Args:
            exception: The exception.
            attributes: Additional attributes of the event.
            timestamp: As for `add_event`.
            escaped: Whether the exception leaves the span; recorded as exception.escaped.
        """
        return None

    def set_status(self, status: Any, description: Any = None) -> Any:
        """Sets the status. OK is final: later calls change nothing. An unknown status is dropped
        and counted.

        Args:
            status: unset, ok or error, as a word, a number or a `StatusCode`; or an object
                with a code and a description.
            description: Description of an error; ignored with another status.
        """
        return None

    def update_name(self, name: Any) -> Any:
        """Changes the name of the span.

        Args:
            name: The new name.
        """
        return None

    def end(self, end_time: Any = None) -> Any:
        """Ends the span. Only the first call counts.

        Args:
            end_time: Nanoseconds since 1970 as an int, or seconds as a float; now by default.
        """
        return None

    def is_recording(self, /) -> Any:
        """Whether the span records what it is given: it has not ended and recording is on."""
        return False

    def get_span_context(self, /) -> Any:
        """Returns the ids, flags and tracestate of the span (W3C Trace Context)."""
        return self._context

    @property
    def context(self) -> Any:
        """The ids, flags and tracestate of the span, as `get_span_context` returns them."""
        return self._context

    # gen:end

    def __enter__(self, /) -> Span:
        """Makes the span current."""
        if self is not INVALID_SPAN and self._entry is None:
            self._entry = _enter(_current, self)
        return self

    def __exit__(self, exc_type: Any, exc: Any, traceback: Any, /) -> None:
        """Records an exception, ends the span and makes the previous span current. Does not
        suppress the exception.
        """
        entry, self._entry = self._entry, None
        _leave(_current, entry)

    def __aenter__(self, /) -> Any:
        """Makes the span current."""
        return Done(self.__enter__())

    def __aexit__(self, exc_type: Any, exc: Any, traceback: Any, /) -> Any:
        """Records an exception, ends the span and makes the previous span current. Does not
        suppress the exception.
        """
        self.__exit__(exc_type, exc, traceback)
        return Done(None)


class Baggage(_Constant):
    """Name and value pairs that are propagated with a trace (W3C Baggage). Immutable:
    changes return new baggage.

    Args:
        header: Value of a baggage header; malformed members are ignored.
    """

    __slots__ = ("_entries",)
    __module__ = _PUBLIC
    _entries: tuple[_w3c.Entry, ...]

    def __init__(self, header: Any = None) -> None:
        text = header.decode("utf-8", "replace") if isinstance(header, bytes) else header
        self._entries = _w3c.parse_baggage([text]) if isinstance(text, str) else ()

    def _with(self, entries: tuple[_w3c.Entry, ...]) -> Baggage:
        if entries is self._entries:
            return self
        changed = Baggage()
        changed._entries = entries
        return changed

    def get(self, key: str, /) -> Optional[str]:
        """Returns the value of an entry, or None.

        Args:
            key: Name of the entry.
        """
        return self.items().get(key) if isinstance(key, str) else None

    def items(self, /) -> dict[str, str]:
        """Returns all entries as a new dict."""
        return {key: value for key, value, _ in self._entries}

    def set(self, key: str, value: str, properties: Optional[str] = None) -> Baggage:
        """Returns baggage with the entry set. An invalid name or value, or a limit (180 entries,
        8,192 bytes), leaves it unchanged.

        Args:
            key: Name of the entry.
            value: Value of the entry; percent-encoded in the header.
            properties: Properties of the entry, as in the header.
        """
        return self._with(_w3c.set_entry(self._entries, key, value, properties))

    def remove(self, key: str, /) -> Baggage:
        """Returns baggage without the entry.

        Args:
            key: Name of the entry.
        """
        return self._with(tuple(entry for entry in self._entries if entry[0] != key))

    def to_header(self, /) -> str:
        """Returns the value of the baggage header."""
        return _w3c.baggage_text(self._entries)

    def __len__(self) -> int:
        """Number of entries."""
        return len(self._entries)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Baggage) and self._entries == other._entries

    def __hash__(self) -> int:
        return hash(self._entries)

    def __repr__(self) -> str:
        return f"<Baggage {self.items()!r}>"

    def __reduce__(self) -> Any:
        return Baggage, (self.to_header(),)


class Context(_Constant):
    """A span and baggage, as they are current or as headers carried them. Immutable.

    Args:
        span: A span, SpanContext or Context; none by default.
        baggage: The baggage; empty by default.
    """

    __slots__ = ("_baggage", "_span")
    __module__ = _PUBLIC

    def __init__(self, span: Any = None, baggage: Any = None) -> None:
        self._span = span_of(span)
        self._baggage = baggage if isinstance(baggage, Baggage) else Baggage()

    # gen:begin noop Context
    @property
    def span(self) -> Any:
        """The span. It has no ids if the context has no span."""
        return self._span

    @property
    def baggage(self) -> Any:
        """The baggage (W3C Baggage)."""
        return self._baggage

    def get_span_context(self, /) -> Any:
        """Returns the SpanContext of the span."""
        return self._span.get_span_context()

    # gen:end

    def __repr__(self) -> str:
        return f"Context(span={self._span!r}, baggage={self._baggage!r})"

    def __reduce__(self) -> Any:
        return Context, (self.get_span_context(), self._baggage)


INVALID_CONTEXT: Any = SpanContext(0, 0)
INVALID_SPAN = Span()


def span_of(target: Any) -> Span:
    """The span of a span, a SpanContext, a Context or a foreign object; a span without ids if there
    is none."""
    if isinstance(target, Span):
        return target
    if isinstance(target, Context):
        return target.span
    try:
        if isinstance(target, dict):
            found = [
                span_of(value) for value in target.values() if hasattr(value, "get_span_context")
            ]
            return found[0] if found else INVALID_SPAN
        get = getattr(target, "get_span_context", None)
        context = get() if get is not None else target
        if context is not None and not isinstance(context, SpanContext):
            context = SpanContext(
                context.trace_id,
                context.span_id,
                getattr(context, "is_remote", False),
                getattr(context, "trace_flags", 0),
                getattr(context, "trace_state", None),
            )
    except Exception:  # an object of the program that is not a parent
        return INVALID_SPAN
    return Span(context) if context is not None and context.is_valid else INVALID_SPAN


# ---- what is current ---------------------------------------------------------------------------


class _Entry:
    """A current object, and the object that was current before."""

    __slots__ = ("below", "value")

    def __init__(self, value: Any, below: Optional[_Entry]) -> None:
        self.value = value
        self.below = below


_Variable = ContextVar[Optional[_Entry]]
_current: _Variable = ContextVar("djp_telemetry.current_span", default=None)
_baggage: _Variable = ContextVar("djp_telemetry.baggage", default=None)


def _enter(variable: _Variable, value: Any) -> _Entry:
    entry = _Entry(value, variable.get())
    variable.set(entry)
    return entry


def _leave(variable: _Variable, entry: Optional[_Entry]) -> None:
    """Makes the previous object current. If another object is current, removes entry from beneath
    it."""
    above = variable.get()
    if entry is None or above is None:
        return
    if above is entry:
        variable.set(entry.below)
        return
    while above.below is not None and above.below is not entry:
        above = above.below
    if above.below is entry:
        above.below = entry.below


class SpanUse:
    """Context manager that makes a span current; `use_span` and `attach` return it."""

    __slots__ = ("_baggage_entry", "_entry", "_target")

    def __init__(self, target: Any = None) -> None:
        self._target = target
        self._entry: Optional[_Entry] = None
        self._baggage_entry: Optional[_Entry] = None

    def __enter__(self, /) -> Span:
        """Makes the span current."""
        span = span_of(self._target)
        if self._entry is None:
            self._entry = _enter(_current, span)
            if isinstance(self._target, Context):
                self._baggage_entry = _enter(_baggage, self._target.baggage)
        return span

    def __exit__(self, exc_type: Any, exc: Any, traceback: Any, /) -> None:
        """Makes the previous span current."""
        entry, baggage_entry = self._entry, self._baggage_entry
        self._entry = self._baggage_entry = None
        _leave(_baggage, baggage_entry)
        _leave(_current, entry)


def current_span() -> Span:
    entry = _current.get()
    return INVALID_SPAN if entry is None else entry.value


def current_baggage() -> Baggage:
    entry = _baggage.get()
    return Baggage() if entry is None else entry.value


def get_current_span(context: Any = None, /) -> Span:
    """Returns the current span; without one, a span that has no ids and records nothing.

    Args:
        context: A Context whose span is returned instead.
    """
    return context.span if isinstance(context, Context) else current_span()


def get_current_context() -> Context:
    """Returns the current span and baggage as a Context."""
    return Context(current_span(), current_baggage())


def get_current_trace_id() -> str:
    """Returns the trace id of the current span as 32 lower-case hexadecimal digits; empty
    without a span.
    """
    context = current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else ""


def get_current_span_id() -> str:
    """Returns the span id of the current span as 16 lower-case hexadecimal digits; empty
    without a span.
    """
    context = current_span().get_span_context()
    return f"{context.span_id:016x}" if context.is_valid else ""


def stamp(fields: MutableMapping[str, Any], /) -> None:
    """Adds trace_id and span_id of the current span to a dict unless it has them.

    Args:
        fields: The dict of a log record.
    """
    fields.setdefault("trace_id", get_current_trace_id())
    fields.setdefault("span_id", get_current_span_id())


def use_span(
    span: Any,
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
    return SpanUse(span)


def attach(context: Any, /) -> SpanUse:
    """Makes a context current until `detach` is called.

    Args:
        context: A Context, span or SpanContext.

    Returns:
        A token for `detach`.
    """
    use = SpanUse(context)
    use.__enter__()
    return use


def detach(token: Any, /) -> None:
    """Makes the context current that was current before `attach`. A span that was entered is
    left and stays open. Another object is ignored.

    Args:
        token: What `attach` returned, or an entered span.
    """
    if isinstance(token, (Span, SpanUse)):
        token.__exit__(None, None, None)


def switch(frame: Any, /) -> Any:
    """Makes a span, or the result of an earlier call, current. Returns the object that was
    current."""
    before = _current.get(), _baggage.get()
    if isinstance(frame, tuple):
        _current.set(frame[0])
        _baggage.set(frame[1])
    elif frame is not INVALID_SPAN:
        _current.set(_Entry(frame, None))
    return before


# ---- between processes -------------------------------------------------------------------------


def inject(carrier: Any = None, setter: Any = None, context: Any = None) -> Any:
    """Writes traceparent, tracestate (W3C Trace Context) and baggage (W3C Baggage) into a
    carrier. An error of the carrier is ignored.

    Args:
        carrier: A mutable mapping of headers; a new one by default.
        setter: Sets a header of a carrier of another type: set(carrier, name, value).
        context: The context to write; the current one by default.

    Returns:
        The carrier.
    """
    carrier = {} if carrier is None else carrier
    span, baggage = current_span(), current_baggage()
    if isinstance(context, Context):
        span, baggage = context.span, context.baggage
    elif isinstance(context, Span):
        span = context
    ids = span.get_span_context()
    try:
        if ids.is_valid:
            parent = _w3c.write_traceparent(ids.trace_id, ids.span_id, ids.trace_flags)
            _w3c.write(carrier, setter, "traceparent", parent)
            if ids._state:
                _w3c.write(carrier, setter, "tracestate", ids._state)
        if len(baggage):
            _w3c.write(carrier, setter, "baggage", baggage.to_header())
    except Exception:  # a carrier of the program that cannot be written
        return carrier
    return carrier


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
    try:
        found = _w3c.read(carrier, getter)
    except Exception:  # a carrier of the program that cannot be read
        return Context()
    parents = found["traceparent"]
    ids = _w3c.parse_traceparent(parents[0]) if len(parents) == 1 else None
    span = INVALID_SPAN
    if ids is not None:
        span = Span(
            SpanContext(ids[0], ids[1], True, ids[2], _w3c.parse_tracestate(found["tracestate"]))
        )
    baggage = Baggage()
    return Context(span, baggage._with(_w3c.parse_baggage(found["baggage"])))
