# Types of the native core's spans and propagation; the no-op has the same surface.
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

@final
class TraceFlags(int):
    @property
    def sampled(self) -> bool: ...

@final
class TraceState(Dict[str, str]):
    def to_header(self) -> str: ...

@final
class SpanContext:
    def __new__(
        cls,
        trace_id: int,
        span_id: int,
        is_remote: bool = False,
        trace_flags: int = 0,
        trace_state: Union[str, TraceState, None] = None,
    ) -> SpanContext: ...
    @property
    def trace_id(self) -> int: ...
    @property
    def span_id(self) -> int: ...
    @property
    def trace_flags(self) -> TraceFlags: ...
    @property
    def trace_state(self) -> TraceState: ...
    @property
    def is_remote(self) -> bool: ...
    @property
    def is_valid(self) -> bool: ...

@final
class Span:
    def set_attribute(self, key: str, value: object) -> None: ...
    def set_attributes(self, attributes: _Attributes) -> None: ...
    def add_event(self, name: str, attributes: _Attributes = None, timestamp: _Time = None) -> None: ...
    def add_link(self, context: Any, attributes: _Attributes = None) -> None: ...
    def record_exception(
        self, exception: BaseException, attributes: _Attributes = None, timestamp: _Time = None, escaped: bool = False
    ) -> None: ...
    def set_status(
        self, status: Union[StatusCode, Status, str, int, Any], description: Optional[str] = None
    ) -> None: ...
    def update_name(self, name: str) -> None: ...
    def end(self, end_time: _Time = None) -> None: ...
    def is_recording(self) -> bool: ...
    def get_span_context(self) -> SpanContext: ...
    @property
    def context(self) -> SpanContext: ...
    def __enter__(self) -> Span: ...
    def __exit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> None: ...
    def __aenter__(self) -> Awaitable[Span]: ...
    def __aexit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> Awaitable[None]: ...

INVALID_SPAN: Span

@final
class Baggage:
    def __new__(cls) -> Baggage: ...
    def get(self, key: str, /) -> Optional[str]: ...
    def items(self) -> Dict[str, str]: ...
    def set(self, key: str, value: str, properties: Optional[str] = None) -> Baggage: ...
    def remove(self, key: str, /) -> Baggage: ...
    def to_header(self) -> str: ...
    def __len__(self) -> int: ...

@final
class Context:
    def __new__(cls, span: _Parent = None, baggage: Optional[Baggage] = None) -> Context: ...
    @property
    def span(self) -> Span: ...
    @property
    def baggage(self) -> Baggage: ...
    def get_span_context(self) -> SpanContext: ...

@final
class SpanUse:
    def __enter__(self) -> Span: ...
    def __exit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> None: ...

@final
class SpanStarter:
    def start(self) -> Span: ...
    def __call__(self, function: _F) -> _F: ...
    def __enter__(self) -> Span: ...
    def __exit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> None: ...
    def __aenter__(self) -> Awaitable[Span]: ...
    def __aexit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> Awaitable[None]: ...

@final
class Tracer:
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
    ) -> Span: ...
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
    ) -> SpanStarter: ...

@disjoint_base
class AsgiApp:
    @property
    def app(self) -> Any: ...
    def _setup(self, *options: Any) -> None: ...
    def __call__(self, scope: Any, receive: Any, send: Any) -> Awaitable[None]: ...

def start_span(
    name: str,
    attributes: _Attributes = None,
    *,
    parent: _Parent = None,
    kind: _Kind = None,
    links: _Links = None,
    start_time: _Time = None,
) -> Span: ...
def get_tracer(
    name: Optional[str] = None,
    version: Optional[str] = None,
    schema_url: Optional[str] = None,
    attributes: _Attributes = None,
) -> Tracer: ...
def get_current_span(context: Optional[Context] = None, /) -> Span: ...
def get_current_context() -> Context: ...
def get_current_trace_id() -> str: ...
def get_current_span_id() -> str: ...
def stamp(fields: MutableMapping[str, Any], /) -> None: ...
def use_span(
    span: _Parent, end_on_exit: bool = False, record_exception: bool = True, set_status_on_exception: bool = True
) -> SpanUse: ...
def attach(context: _Parent, /) -> SpanUse: ...
def detach(token: SpanUse, /) -> None: ...
@overload
def inject(carrier: None = None, setter: Any = None, context: Optional[Context] = None) -> Dict[str, str]: ...
@overload
def inject(carrier: _C, setter: Any = None, context: Optional[Context] = None) -> _C: ...
def extract(carrier: Any, getter: Any = None) -> Context: ...
def sdk_start(
    options: Dict[str, str], environ: Mapping[str, str], service_name: Optional[str], warn: Any, /
) -> Dict[str, Any]: ...
def sdk_stop(timeout: Optional[float], /) -> Optional[Tuple[bool, Optional[str]]]: ...
def sdk_flush(timeout: Optional[float], /) -> bool: ...
def sdk_status() -> Optional[str]: ...
def sdk_take_exported() -> Optional[bytes]: ...
def sdk_guard_sigterm(handler: Callable[..., Any], /) -> bool: ...
def sdk_keywords() -> List[str]: ...
