"""The span of an outgoing HTTP request: its start, and the error with which it ends. The core
defines names, attributes and status. A request that the caller cancelled is not an error; a timeout
is."""

from __future__ import annotations

import concurrent.futures
import errno
import sys
from typing import Any, Optional

from ._loader import native

MESSAGE_MAX = 1000  # characters


def start(method: str, url: str) -> Any:
    """Starts a request below the current span, without making its span current: an object with
    span, respond() and end(). None while telemetry is off."""
    return None if native is None else native._http_call(method, url)


def _is_cancelled(error: BaseException) -> bool:
    """Whether the caller cancelled the request: a cancelled task, a closed generator, the end of
    the program. The timeouts of gevent and eventlet are not subclasses of Exception, but they are
    timeouts."""
    if not isinstance(error, Exception):
        return all(kind.__name__ != "Timeout" for kind in type(error).__mro__)
    return isinstance(error, concurrent.futures.CancelledError)


def _kind_of(error: BaseException) -> str:
    """The errno name if there is one, otherwise the class. Keeps the set of values small."""
    seen: Optional[BaseException] = error
    for _ in range(10):
        if seen is None:
            break
        code = errno.errorcode.get(seen.errno or 0) if isinstance(seen, OSError) else None
        if code is not None:
            return code
        reason = getattr(seen, "reason", None)
        seen = (
            seen.__cause__
            or seen.__context__
            or (reason if isinstance(reason, BaseException) else None)
        )
    return type(error).__qualname__


def _message_of(error: BaseException) -> str:
    try:
        return str(error)[:MESSAGE_MAX]
    except Exception:  # a class of the application
        return ""


def end(call: Any, error: Optional[BaseException]) -> None:
    """Ends a request that start() returned."""
    if error is None:
        call.end()
    elif _is_cancelled(error) or sys.is_finalizing():
        call.end(None, None, True)
    else:
        if call.span is not None:
            call.span.record_exception(error)
        call.end(_kind_of(error), _message_of(error))
