"""Baggage: name and value pairs that travel with a trace across services. Setting an entry returns
a Context; attach() makes it current."""

from __future__ import annotations

from typing import Any, Optional

from ._loader import impl

__all__ = ["attach", "clear", "detach", "get_all", "get_baggage", "remove_baggage", "set_baggage"]


def _context(context: Any) -> Any:
    return impl.get_current_context() if context is None else context


def get_baggage(name: str, context: Any = None) -> Optional[str]:
    """Returns the value of a baggage entry, or None.

    Args:
        name: Name of the entry.
        context: The Context; the current one by default.
    """
    value: Optional[str] = _context(context).baggage.get(name)
    return value


def get_all(context: Any = None) -> dict[str, str]:
    """Returns all baggage entries as a new dict.

    Args:
        context: The Context; the current one by default.
    """
    entries: dict[str, str] = _context(context).baggage.items()
    return entries


def set_baggage(name: str, value: str, context: Any = None) -> Any:
    """Returns a Context with the baggage entry set, for `attach`. An invalid name or value
    leaves the baggage unchanged (W3C Baggage).

    Args:
        name: Name of the entry.
        value: Value of the entry.
        context: The Context; the current one by default.
    """
    base = _context(context)
    return impl.Context(base.span, base.baggage.set(name, value))


def remove_baggage(name: str, context: Any = None) -> Any:
    """Returns a Context without the baggage entry.

    Args:
        name: Name of the entry.
        context: The Context; the current one by default.
    """
    base = _context(context)
    return impl.Context(base.span, base.baggage.remove(name))


def clear(context: Any = None) -> Any:
    """Returns a Context without baggage.

    Args:
        context: The Context; the current one by default.
    """
    return impl.Context(_context(context).span)


def attach(context: Any) -> Any:
    """Makes a Context current until `detach` is called.

    Args:
        context: The Context.

    Returns:
        A token for `detach`.
    """
    return impl.attach(context)


def detach(token: Any) -> None:
    """Makes the context current that was current before `attach`.

    Args:
        token: What `attach` returned.
    """
    impl.detach(token)
