"""Counters, gauges, histograms and their exposition. A metric may be declared at import, before
telemetry starts. While telemetry is off, recording is a no-op that takes a few nanoseconds."""

from __future__ import annotations

import gzip
import logging
from typing import Any, Callable, Optional

from ._loader import native

METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_NO_CORE = b"# The native core of djp-telemetry is not installed: no metrics.\n"

_warned: set[str] = set()


def _warn(message: str) -> None:
    if message not in _warned and len(_warned) < 1000:
        _warned.add(message)
        logging.getLogger("djp_telemetry").warning("%s", message)


if native is None:
    from ._noop_metrics import Counter, Gauge, Histogram
else:
    Counter, Gauge, Histogram = native.Counter, native.Gauge, native.Histogram
    native._metrics_on_warning(_warn)


# Adds what only Python has to a page of the core; set by djp_telemetry.prometheus.
_complete: Optional[Callable[[bytes, str], bytes]] = None


def expose_core(accept: Any = None, accept_encoding: Any = None) -> tuple[Any, str, bool]:
    """As `expose_packed`, without the collectors of djp_telemetry.prometheus."""
    if native is None:
        return None, METRICS_CONTENT_TYPE, False
    body, content_type, packed = native._metrics_expose(accept, accept_encoding)
    return body, content_type, packed


def _expose_all(accept: Any, accept_encoding: Any) -> tuple[Any, str, bool]:
    body, content_type, _ = expose_core(accept)
    if body is None or _complete is None:
        return body, content_type, False
    body = _complete(body, content_type)
    encodings = accept_encoding
    if isinstance(encodings, bytes):
        encodings = encodings.decode("latin-1")
    from .prometheus._negotiate import accepts_gzip

    if not isinstance(encodings, str) or not accepts_gzip(encodings):
        return body, content_type, False
    return gzip.compress(body, 1), content_type, True


def expose(accept: Any = None) -> tuple[Optional[bytes], str]:
    """Returns the exposition of all metrics and its content type: Prometheus text 0.0.4 or
    1.0.0, OpenMetrics 1.0 or 2.0, or Prometheus protobuf.

    Args:
        accept: Value of the Accept header that selects the format; text 0.0.4 by default.

    Returns:
        The body, None while metrics are off, and the content type.
    """
    body, content_type, _ = expose_packed(accept, None)
    return body, content_type


def expose_packed(accept: Any, accept_encoding: Any) -> tuple[Optional[bytes], str, bool]:
    """As `expose`, compressed with gzip if the client accepts it.

    Args:
        accept: Value of the Accept header.
        accept_encoding: Value of the Accept-Encoding header.

    Returns:
        The body, the content type, and whether the body is compressed.
    """
    if _complete is None:
        return expose_core(accept, accept_encoding)
    return _expose_all(accept, accept_encoding)


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
    if native is None:
        return False
    try:
        return bool(native._metrics_listen(str(addr), int(port)))
    except Exception as error:
        _warn(
            "start_metrics_server() got an invalid port or address: "
            f"{type(error).__name__}: {error}"
        )
        return False


def generate_metrics(accept: Any = None) -> bytes:
    """Returns the exposition of all metrics; empty while metrics are off, a comment line
    without the native core.

    Args:
        accept: Value of the Accept header that selects the format.
    """
    if native is None:
        return _NO_CORE
    return expose(accept)[0] or b""


def generate_metrics_text() -> str:
    """Returns the exposition in Prometheus text 0.0.4; empty while metrics are off."""
    body = expose()[0]
    return body.decode("utf-8", "replace") if body else ""


def get_content_type(accept: Any = None) -> str:
    """Returns the content type of `generate_metrics`.

    Args:
        accept: Value of the Accept header that selects the format.
    """
    return expose(accept)[1] if accept is not None else METRICS_CONTENT_TYPE


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
