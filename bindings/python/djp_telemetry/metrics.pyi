from types import TracebackType
from typing import (
    Any,
    Callable,
    Iterable,
    Literal,
    Mapping,
    Optional,
    Sequence,
    TypeVar,
    Union,
    final,
)

__all__ = [
    "METRICS_CONTENT_TYPE",
    "Counter",
    "Gauge",
    "Histogram",
    "expose",
    "expose_packed",
    "generate_metrics",
    "generate_metrics_text",
    "get_content_type",
    "start_metrics_server",
]

METRICS_CONTENT_TYPE: str

_F = TypeVar("_F", bound=Callable[..., Any])
_Exceptions = Union[type[BaseException], tuple[type[BaseException], ...]]
_MultiprocessMode = Literal[
    "all",
    "liveall",
    "min",
    "livemin",
    "max",
    "livemax",
    "sum",
    "livesum",
    "mostrecent",
    "livemostrecent",
]

# gen:begin surface _Guard Counter Gauge Histogram metrics.expose metrics.expose_packed
@final
class _Guard:
    """Context manager and decorator that records in a metric."""
    def __enter__(self, /) -> _Guard:
        """Begins."""
    def __exit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> bool:
        """Records. Does not suppress the exception."""
    def __call__(self, function: _F, /) -> _F:
        """Decorates a function: each call is recorded until its result is done."""
    def fresh(self, /) -> _Guard:
        """Returns an independent guard of the same metric."""
    def labels(self, *values: object, **names: object) -> None:
        """Selects the series to record in.

        Args:
            values: Label values in the order of the declaration.
            names: Label values by name.
        """

@final
class Counter:
    """A sum that only increases. `_total` is appended to the name if it is missing
    (OpenMetrics). Equal declarations are one metric. A declaration that is invalid or
    conflicts with another one records nothing and logs a warning.

    Args:
        name: Name of the metric (Prometheus).
        documentation: Help text.
        labelnames: Label names.
        namespace: First part of the name.
        subsystem: Second part of the name.
        unit: Unit, appended to the name if it is missing.
        registry: Accepted for compatibility with prometheus_client; ignored.
    """
    def __new__(
        cls,
        name: str,
        documentation: str = "",
        labelnames: Union[Iterable[str], str] = (),
        namespace: str = "",
        subsystem: str = "",
        unit: str = "",
        registry: object = None,
    ) -> Counter: ...
    @property
    def name(self) -> str:
        """The name as declared."""
    @property
    def labelnames(self) -> tuple[str, ...]:
        """The declared label names."""
    @property
    def value(self) -> float:
        """The present value over all threads; the sum of a histogram; 0 while metrics are off."""
    def labels(self, *values: object, **names: object) -> Counter:
        """Returns the series of a label set. Keep it where it is used often. Labels that do not
        match the declaration are dropped and counted.

        Args:
            values: Label values in the order of the declaration.
            names: Label values by name.
        """
    def remove(self, *values: object) -> None:
        """Removes the series of a label set.

        Args:
            values: Label values in the order of the declaration.
        """
    def clear(self, /) -> None:
        """Removes all series. A metric without labels starts again at 0."""
    def inc(self, amount: float = 1, exemplar: Optional[Mapping[str, str]] = None) -> None:
        """Adds an amount. A negative, infinite or non-numeric amount is dropped and counted.

        Args:
            amount: A finite number of 0 or more; 1 by default.
            exemplar: trace_id and span_id of an exemplar; those of the current sampled span
                by default.
        """
    def count_exceptions(self, exception: Optional[_Exceptions] = None) -> _Guard:
        """Returns a context manager and decorator that adds 1 for each exception and raises it
        again.

        Args:
            exception: A class of exceptions or a tuple of classes; Exception by default.
        """

@final
class Gauge:
    """A value that increases and decreases. Declarations as for `Counter`.

    Args:
        multiprocess_mode: How the values of several processes become one, as in
            prometheus_client; an unknown mode is refused like an invalid name.
    """
    def __new__(
        cls,
        name: str,
        documentation: str = "",
        labelnames: Union[Iterable[str], str] = (),
        namespace: str = "",
        subsystem: str = "",
        unit: str = "",
        registry: object = None,
        multiprocess_mode: _MultiprocessMode = "all",
    ) -> Gauge: ...
    @property
    def name(self) -> str:
        """The name as declared."""
    @property
    def labelnames(self) -> tuple[str, ...]:
        """The declared label names."""
    @property
    def value(self) -> float:
        """The present value over all threads; the sum of a histogram; 0 while metrics are off."""
    def labels(self, *values: object, **names: object) -> Gauge:
        """Returns the series of a label set. Keep it where it is used often. Labels that do not
        match the declaration are dropped and counted.

        Args:
            values: Label values in the order of the declaration.
            names: Label values by name.
        """
    def remove(self, *values: object) -> None:
        """Removes the series of a label set.

        Args:
            values: Label values in the order of the declaration.
        """
    def clear(self, /) -> None:
        """Removes all series. A metric without labels starts again at 0."""
    def inc(self, amount: float = 1) -> None:
        """Adds an amount.

        Args:
            amount: A number; 1 by default.
        """
    def dec(self, amount: float = 1) -> None:
        """Subtracts an amount.

        Args:
            amount: A number; 1 by default.
        """
    def set(self, value: float) -> None:
        """Replaces the value.

        Args:
            value: Any number, including infinities and NaN.
        """
    def set_to_current_time(self, /) -> None:
        """Sets the value to the time in seconds since 1970 (UTC)."""
    def track_inprogress(self, /) -> _Guard:
        """Returns a context manager and decorator that adds 1 at its start and subtracts it at
        its end.
        """
    def time(self, /) -> _Guard:
        """Returns a context manager and decorator that sets its duration in seconds."""
    def set_function(self, f: Callable[[], float], /) -> None:
        """Calls a function for the value before each exposition that this language makes. An
        exception leaves the value unchanged.

        Args:
            f: Function without arguments that returns the value.
        """

@final
class Histogram:
    """Observations counted in buckets. Declarations as for `Counter`.

    Args:
        buckets: Upper bounds in ascending order; +Inf may be left out.
        exponential: True keeps base-2 exponential buckets too, False only the explicit
            ones; the setting `histogram_aggregation` by default.
    """
    def __new__(
        cls,
        name: str,
        documentation: str = "",
        labelnames: Union[Iterable[str], str] = (),
        namespace: str = "",
        subsystem: str = "",
        unit: str = "",
        registry: object = None,
        buckets: Optional[Sequence[float]] = None,
        exponential: Optional[bool] = None,
    ) -> Histogram: ...
    @property
    def name(self) -> str:
        """The name as declared."""
    @property
    def labelnames(self) -> tuple[str, ...]:
        """The declared label names."""
    @property
    def value(self) -> float:
        """The present value over all threads; the sum of a histogram; 0 while metrics are off."""
    def labels(self, *values: object, **names: object) -> Histogram:
        """Returns the series of a label set. Keep it where it is used often. Labels that do not
        match the declaration are dropped and counted.

        Args:
            values: Label values in the order of the declaration.
            names: Label values by name.
        """
    def remove(self, *values: object) -> None:
        """Removes the series of a label set.

        Args:
            values: Label values in the order of the declaration.
        """
    def clear(self, /) -> None:
        """Removes all series. A metric without labels starts again at 0."""
    @property
    def count(self) -> int:
        """Number of observations over all threads; 0 while metrics are off."""
    def observe(self, amount: float, exemplar: Optional[Mapping[str, str]] = None) -> None:
        """Counts an observation. NaN and a value that is not a number are dropped and counted.

        Args:
            amount: The observation, in the unit of the metric.
            exemplar: As for `Counter.inc`.
        """
    def time(self, /) -> _Guard:
        """Returns a context manager and decorator that observes its duration in seconds."""

def expose(accept: Optional[Union[str, bytes]] = None) -> tuple[Optional[bytes], str]:
    """Returns the exposition of all metrics and its content type: Prometheus text 0.0.4 or
    1.0.0, OpenMetrics 1.0 or 2.0, or Prometheus protobuf.

    Args:
        accept: Value of the Accept header that selects the format; text 0.0.4 by default.

    Returns:
        The body, None while metrics are off, and the content type.
    """

def expose_packed(accept: object, accept_encoding: object) -> tuple[Optional[bytes], str, bool]:
    """As `expose`, compressed with gzip if the client accepts it.

    Args:
        accept: Value of the Accept header.
        accept_encoding: Value of the Accept-Encoding header.

    Returns:
        The body, the content type, and whether the body is compressed.
    """

# gen:end
# gen:begin surface metrics.generate_metrics metrics.generate_metrics_text
def generate_metrics(accept: Optional[Union[str, bytes]] = None) -> bytes:
    """Returns the exposition of all metrics; empty while metrics are off, a comment line
    without the native core.

    Args:
        accept: Value of the Accept header that selects the format.
    """

def generate_metrics_text() -> str:
    """Returns the exposition in Prometheus text 0.0.4; empty while metrics are off."""

# gen:end
# gen:begin surface metrics.get_content_type metrics.start_metrics_server
def get_content_type(accept: Optional[Union[str, bytes]] = None) -> str:
    """Returns the content type of `generate_metrics`.

    Args:
        accept: Value of the Accept header that selects the format.
    """

def start_metrics_server(port: int = 8001, addr: str = "0.0.0.0") -> bool:
    """Opens a Prometheus endpoint that serves GET /metrics until `shutdown`. Telemetry must
    be started before. Never raises; a failure logs one warning.

    Args:
        port: Port, 1 to 65,535.
        addr: Address; all addresses of the host by default, as a scraper in another
            container needs it.

    Returns:
        True if the endpoint is open; False if it cannot be opened or metrics are off.
    """

# gen:end
