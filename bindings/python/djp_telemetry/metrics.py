"""Counters, gauges, histograms and their exposition. A metric may be declared at import, before telemetry starts: until
then, and while telemetry is off, recording is a no-op that costs a few nanoseconds."""

from __future__ import annotations

import logging
from typing import Any, Optional

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


def expose(accept: Any = None) -> tuple[Optional[bytes], str]:
    """The exposition in the format that an Accept header asks for, and its content type. None while metrics are off."""
    body, content_type, _ = expose_packed(accept, None)
    return body, content_type


def expose_packed(accept: Any, accept_encoding: Any) -> tuple[Optional[bytes], str, bool]:
    """The same, compressed where an Accept-Encoding header takes gzip: the last part says whether."""
    if native is None:
        return None, METRICS_CONTENT_TYPE, False
    body, content_type, packed = native._metrics_expose(accept, accept_encoding)
    return body, content_type, packed


def start_metrics_server(port: int = 8001, addr: str = "0.0.0.0") -> bool:
    """Opens a listener for GET /metrics on addr (all addresses of this machine by default, as a scrape from another
    container needs) and port, 1 to 65535. To be called after init_telemetry(); it ends with shutdown(). True when it
    listens; False, with one warning, when the port cannot be had, and without one while metrics are off. Never
    raises."""
    if native is None:
        return False
    try:
        return bool(native._metrics_listen(str(addr), int(port)))
    except Exception as error:
        _warn(f"start_metrics_server() got a port or an address that is none: {type(error).__name__}: {error}")
        return False


def generate_metrics(accept: Any = None) -> bytes:
    """The exposition; b"" while metrics are off, a comment line when the native core is missing."""
    if native is None:
        return _NO_CORE
    return expose(accept)[0] or b""


def generate_metrics_text() -> str:
    """The Prometheus text; "" while metrics are off."""
    body = expose()[0]
    return body.decode("utf-8", "replace") if body else ""


def get_content_type(accept: Any = None) -> str:
    """The content type that generate_metrics(accept) answers with."""
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
