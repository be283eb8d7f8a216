"""Baggage: name and value pairs that travel with a trace across services. Setting returns a Context; attach() makes
it current."""

from __future__ import annotations

from typing import Any, Optional

from ._loader import impl

__all__ = ["attach", "clear", "detach", "get_all", "get_baggage", "remove_baggage", "set_baggage"]


def _context(context: Any) -> Any:
    return impl.get_current_context() if context is None else context


def get_baggage(name: str, context: Any = None) -> Optional[str]:
    """The value of an entry of the context (the current one by default) or None."""
    value: Optional[str] = _context(context).baggage.get(name)
    return value


def get_all(context: Any = None) -> dict[str, str]:
    """All entries as a new dict."""
    entries: dict[str, str] = _context(context).baggage.items()
    return entries


def set_baggage(name: str, value: str, context: Any = None) -> Any:
    """A Context like the given one with the entry set. A name or value that cannot be baggage changes nothing."""
    base = _context(context)
    return impl.Context(base.span, base.baggage.set(name, value))


def remove_baggage(name: str, context: Any = None) -> Any:
    """A Context like the given one without the entry."""
    base = _context(context)
    return impl.Context(base.span, base.baggage.remove(name))


def clear(context: Any = None) -> Any:
    """A Context like the given one without baggage."""
    return impl.Context(_context(context).span)


def attach(context: Any) -> Any:
    """Makes the context current until detach() gets the token that this returns."""
    return impl.attach(context)


def detach(token: Any) -> None:
    """Undoes attach()."""
    impl.detach(token)
