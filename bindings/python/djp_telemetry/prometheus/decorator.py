"""Signatures of decorated functions."""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple, Optional

from .._wrap import wrap


class ArgSpec(NamedTuple):
    """The positional arguments of a function."""

    args: list[str]
    varargs: Optional[str]
    varkw: Optional[str]
    defaults: Optional[tuple[Any, ...]]


def getargspec(f: Any) -> ArgSpec:
    """The positional arguments of a function, of the one inside if it is decorated.

    Args:
        f: The function.
    """
    return ArgSpec(*inspect.getfullargspec(inspect.unwrap(f))[:4])


def decorate_with(function: Any, start: Any) -> Any:
    """Runs each call of a function, also of a coroutine function or generator, inside the context
    manager that start() returns.

    Args:
        function: The function.
        start: Returns a new context manager.
    """

    def begin() -> Any:
        manager = start()
        manager.__enter__()
        return manager

    return wrap(function, begin, False)
