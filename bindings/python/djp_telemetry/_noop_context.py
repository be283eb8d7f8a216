"""What the package without its native core still does: trace context and baggage that came from outside are current
where the program makes them so, and go on to whoever is called. Nothing is recorded and no id is made."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Iterator, Mapping, MutableMapping, Optional

from . import _w3c

_PUBLIC = "djp_telemetry"  # the home of the types' names, so that pickles mean the same with and without the core


class TraceFlags(int):
    """The W3C trace flags: an int."""

    __slots__ = ()
    __module__ = _PUBLIC

    @property
    def sampled(self) -> bool:
        return bool(self & 1)


class TraceState(dict):  # type: ignore[type-arg]
    """A copy of a W3C tracestate: a dict in the list's order."""

    __module__ = _PUBLIC

    def to_header(self) -> str:
        return ",".join(f"{key}={value}" for key, value in self.items())


class _Constant:
    """Never changes, so that a copy is the object itself."""

    __slots__ = ()

    def __copy__(self, /) -> Any:
        return self

    def __deepcopy__(self, memo: Any, /) -> Any:
        return self


def _number(value: Any, bits: int) -> int:
    return int(value) if isinstance(value, int) and 0 <= value < 1 << bits else 0


class SpanContext(_Constant):
    """The identity of a span, immutable. Without the native core only foreign ones have ids."""

    __slots__ = ("_ids", "_remote", "_state")
    __module__ = _PUBLIC

    def __init__(
        self, trace_id: int, span_id: int, is_remote: bool = False, trace_flags: int = 0, trace_state: Any = None
    ) -> None:
        ids = _number(trace_id, 128), _number(span_id, 64)
        if not isinstance(trace_id, int) or not isinstance(span_id, int):
            ids = 0, 0
        flags = int(trace_flags) & 255 if isinstance(trace_flags, int) else 0
        self._ids = (*ids, flags)
        self._remote = bool(is_remote)
        header = trace_state.to_header() if hasattr(trace_state, "to_header") else trace_state
        self._state = _w3c.parse_tracestate([header]) if isinstance(header, str) else ""

    @property
    def trace_id(self) -> int:
        return self._ids[0]

    @property
    def span_id(self) -> int:
        return self._ids[1]

    @property
    def trace_flags(self) -> TraceFlags:
        return TraceFlags(self._ids[2])

    @property
    def trace_state(self) -> TraceState:
        return TraceState(item.split("=", 1) for item in self._state.split(",") if item)

    @property
    def is_remote(self) -> bool:
        return self._remote

    @property
    def is_valid(self) -> bool:
        return bool(self._ids[0] and self._ids[1])

    def _key(self) -> Any:
        return self._ids, self._remote, self._state

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SpanContext) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._ids)

    def __repr__(self) -> str:
        trace_id, span_id, flags = self._ids
        return (
            f"SpanContext(trace_id=0x{trace_id:032x}, span_id=0x{span_id:016x}, trace_flags={flags}, "
            f"is_remote={self._remote})"
        )

    def __reduce__(self) -> Any:
        return SpanContext, (*self._ids[:2], self._remote, self._ids[2], self._state or None)


class Done:
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
    """A span that records nothing; it may carry somebody else's identity."""

    __slots__ = ("__weakref__", "_context", "_entry")

    def __init__(self, context: Optional[SpanContext] = None) -> None:
        self._context = context or INVALID_CONTEXT
        self._entry: Optional[_Entry] = None

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
        return self._context

    @property
    def context(self) -> SpanContext:
        return self._context

    def __enter__(self, /) -> Span:
        if self is not INVALID_SPAN and self._entry is None:
            self._entry = _enter(_current, self)
        return self

    def __exit__(self, exc_type: Any, exc: Any, traceback: Any, /) -> None:
        entry, self._entry = self._entry, None
        _leave(_current, entry)

    def __aenter__(self, /) -> Any:
        return Done(self.__enter__())

    def __aexit__(self, exc_type: Any, exc: Any, traceback: Any, /) -> Any:
        self.__exit__(exc_type, exc, traceback)
        return Done(None)


class Baggage(_Constant):
    """Name and value pairs that travel with a trace, none or those of a header. Immutable."""

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
        return self.items().get(key) if isinstance(key, str) else None

    def items(self, /) -> dict[str, str]:
        return {key: value for key, value, _ in self._entries}

    def set(self, key: str, value: str, properties: Optional[str] = None) -> Baggage:
        return self._with(_w3c.set_entry(self._entries, key, value, properties))

    def remove(self, key: str, /) -> Baggage:
        return self._with(tuple(entry for entry in self._entries if entry[0] != key))

    def to_header(self, /) -> str:
        return _w3c.baggage_text(self._entries)

    def __len__(self) -> int:
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
    """What crossed a process border: a span and baggage. Immutable."""

    __slots__ = ("_baggage", "_span")
    __module__ = _PUBLIC

    def __init__(self, span: Any = None, baggage: Any = None) -> None:
        self._span = span_of(span)
        self._baggage = baggage if isinstance(baggage, Baggage) else Baggage()

    @property
    def span(self) -> Span:
        return self._span

    @property
    def baggage(self) -> Baggage:
        return self._baggage

    def get_span_context(self, /) -> SpanContext:
        return self._span.get_span_context()

    def __repr__(self) -> str:
        return f"Context(span={self._span!r}, baggage={self._baggage!r})"

    def __reduce__(self) -> Any:
        return Context, (self.get_span_context(), self._baggage)


INVALID_CONTEXT: Any = SpanContext(0, 0)
INVALID_SPAN = Span()


def span_of(target: Any) -> Span:
    """The span that a caller means by a span, a SpanContext, a Context or a foreign object; without ids when none."""
    if isinstance(target, Span):
        return target
    if isinstance(target, Context):
        return target.span
    try:
        if isinstance(target, dict):
            found = [span_of(value) for value in target.values() if hasattr(value, "get_span_context")]
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
    except Exception:  # an object of the program that is no parent
        return INVALID_SPAN
    return Span(context) if context is not None and context.is_valid else INVALID_SPAN


# ---- what is current ---------------------------------------------------------------------------------------


class _Entry:
    """One thing that is current, and what was before."""

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
    """Back to what was before; where something else is current, entry is taken out from beneath it."""
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
    """Makes a span current inside `with`."""

    __slots__ = ("_baggage_entry", "_entry", "_target")

    def __init__(self, target: Any = None) -> None:
        self._target = target
        self._entry: Optional[_Entry] = None
        self._baggage_entry: Optional[_Entry] = None

    def __enter__(self, /) -> Span:
        span = span_of(self._target)
        if self._entry is None:
            self._entry = _enter(_current, span)
            if isinstance(self._target, Context):
                self._baggage_entry = _enter(_baggage, self._target.baggage)
        return span

    def __exit__(self, exc_type: Any, exc: Any, traceback: Any, /) -> None:
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
    return context.span if isinstance(context, Context) else current_span()


def get_current_context() -> Context:
    return Context(current_span(), current_baggage())


def get_current_trace_id() -> str:
    context = current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else ""


def get_current_span_id() -> str:
    context = current_span().get_span_context()
    return f"{context.span_id:016x}" if context.is_valid else ""


def stamp(fields: MutableMapping[str, Any], /) -> None:
    fields.setdefault("trace_id", get_current_trace_id())
    fields.setdefault("span_id", get_current_span_id())


def use_span(
    span: Any, end_on_exit: bool = False, record_exception: bool = True, set_status_on_exception: bool = True
) -> SpanUse:
    return SpanUse(span)


def attach(context: Any, /) -> SpanUse:
    use = SpanUse(context)
    use.__enter__()
    return use


def detach(token: Any, /) -> None:
    if isinstance(token, (Span, SpanUse)):
        token.__exit__(None, None, None)


def switch(frame: Any, /) -> Any:
    before = _current.get(), _baggage.get()
    if isinstance(frame, tuple):
        _current.set(frame[0])
        _baggage.set(frame[1])
    elif frame is not INVALID_SPAN:
        _current.set(_Entry(frame, None))
    return before


# ---- between processes -------------------------------------------------------------------------------------


def inject(carrier: Any = None, setter: Any = None, context: Any = None) -> Any:
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
    except Exception:  # a carrier of the program that refuses
        return carrier
    return carrier


def extract(carrier: Any, getter: Any = None) -> Context:
    try:
        found = _w3c.read(carrier, getter)
    except Exception:  # a carrier of the program that cannot be read
        return Context()
    parents = found["traceparent"]
    ids = _w3c.parse_traceparent(parents[0]) if len(parents) == 1 else None
    span = INVALID_SPAN
    if ids is not None:
        span = Span(SpanContext(ids[0], ids[1], True, ids[2], _w3c.parse_tracestate(found["tracestate"])))
    baggage = Baggage()
    return Context(span, baggage._with(_w3c.parse_baggage(found["baggage"])))
