"""Wraps functions of every kind in a span. The span of a generator is current only while the
generator's code runs, never in the code that iterates over it."""

from __future__ import annotations

import functools
from typing import Any, Callable, Optional, TypeVar, overload

from ._loader import impl
from ._wrap import wrap

F = TypeVar("F", bound=Callable[..., Any])
_DESCRIPTORS = (staticmethod, classmethod, property, functools.cached_property)


def _function_of(function: Any) -> Any:
    for part in ("__func__", "fget", "func"):
        if isinstance(function, _DESCRIPTORS) and hasattr(function, part):
            return getattr(function, part)
    return getattr(function, "__func__", function)


def decorate(function: Any, start: Callable[[], Any]) -> Any:
    """Wraps each call of function in a separate span, which start() begins."""
    return wrap(function, start, True)


@overload
def traced(name: F) -> F: ...


@overload
def traced(
    name: Optional[str] = None, *, attributes: Any = None, kind: Any = None
) -> Callable[[F], F]: ...


def traced(name: Any = None, *, attributes: Any = None, kind: Any = None) -> Any:
    """Makes each call of a function a span. The span ends when the function returns or, if
    the result is an awaitable, promise, future or generator, when that is done. An
    exception is recorded and passed on unchanged. As a decorator it takes functions,
    coroutine functions, generators, static methods, class methods and properties.

    Args:
        name: Name of the span; the name of the function by default.
        attributes: Attributes of each span.
        kind: As for `start_span`.
    """
    if callable(name) or isinstance(name, _DESCRIPTORS):
        return traced()(name)

    def decorator(function: Any) -> Any:
        inner = _function_of(function)
        title = name or getattr(inner, "__qualname__", None) or type(inner).__name__
        tracer = impl.get_tracer(getattr(inner, "__module__", None))
        return decorate(
            function, tracer.start_as_current_span(title, kind=kind, attributes=attributes).start
        )

    return decorator
