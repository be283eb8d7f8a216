"""Exceptions that mean only that the client disconnected. The core calls this only for a
disconnected client, so that a failure of the service with the same name is not attributed to the
client."""

from __future__ import annotations

_NAMES = frozenset(
    (
        "ClientDisconnect",
        "ClientDisconnected",
        "MessageAborted",
        "RequestAborted",
        "RequestCancelled",
        "WebSocketDisconnect",
        "WebSocketDisconnectError",
        "WebSocketDisconnected",
    )
)
# Class and message, for frameworks without a class for it.
_WORDS = frozenset(
    (
        ("RuntimeError", "No response returned."),
        ("InternalServerException", "client disconnected prematurely"),
    )
)
_DEPTH = 8


def client_left(error: BaseException) -> bool:
    """True for such an exception, for one raised from it, and for a group of only these."""
    try:
        return _client_left(error, _DEPTH)
    except Exception:  # an exception of the application may raise when it is read
        return False


def _client_left(error: object, depth: int) -> bool:
    if depth == 0 or not isinstance(error, BaseException):
        return False
    name = type(error).__name__
    members = getattr(error, "exceptions", None)
    if name.endswith("ExceptionGroup") and isinstance(members, (tuple, list)):
        return bool(members) and all(_client_left(item, depth - 1) for item in members)
    # Starlette raises a RuntimeError of such a name for calls in the wrong order.
    if name in _NAMES and not isinstance(error, RuntimeError):
        return True
    words = getattr(error, "detail", None) or (error.args[0] if error.args else "")
    return (name, words) in _WORDS or _client_left(error.__cause__, depth - 1)
