"""Decorating with the helpers of metrics (time, track_inprogress, count_exceptions): every call gets a guard of its
own, so that a function may run many times at once. A generator is measured from its first step to its end."""

from __future__ import annotations

import functools
import inspect
from typing import Any


def decorate(guard: Any, function: Any) -> Any:
    """function, each call of which runs inside a fresh copy of guard."""
    if inspect.iscoroutinefunction(function):
        return _coroutine(guard, function)
    if inspect.isasyncgenfunction(function):
        return _async_generator(guard, function)
    if inspect.isgeneratorfunction(function):
        return _generator(guard, function)

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with guard.fresh():
            return function(*args, **kwargs)

    return wrapper


def _coroutine(guard: Any, function: Any) -> Any:
    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        with guard.fresh():
            return await function(*args, **kwargs)

    return wrapper


def _generator(guard: Any, function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with guard.fresh():
            return (yield from function(*args, **kwargs))

    return wrapper


def _async_generator(guard: Any, function: Any) -> Any:
    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        with guard.fresh():
            async for item in function(*args, **kwargs):
                yield item

    return wrapper
