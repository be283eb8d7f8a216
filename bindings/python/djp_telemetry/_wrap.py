"""Wraps functions in an operation (a span, a timer). The operation ends when the function returns
or, if the result is an awaitable, a future or a generator, when that is done. An operation has
__enter__ and __exit__."""

from __future__ import annotations

import functools
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, AsyncGenerator, Callable, Generator

from ._loader import impl

Begin = Callable[[], Any]

_PLAIN = frozenset((type(None), bool, int, float, str, bytes, list, tuple, dict, set))
_CO_ITERABLE_COROUTINE = 0x100


def wrap(function: Any, begin: Begin, carried: bool) -> Any:
    """Wraps each call of function in an operation that begin() starts. carried: the operation is a
    span that is current only while code of the function runs."""
    import inspect  # here, because most programs need not pay for it at start

    if isinstance(function, (staticmethod, classmethod)):
        return type(function)(wrap(function.__func__, begin, carried))
    if isinstance(function, property):
        return function.getter(wrap(function.fget, begin, carried))
    if isinstance(function, functools.cached_property):
        return functools.cached_property(wrap(function.func, begin, carried))
    run = function
    if not inspect.isroutine(function) and not isinstance(function, (functools.partial, type)):
        run = getattr(function, "__call__", function)  # noqa: B004 (its kind is what counts)
    if inspect.isasyncgenfunction(run):
        return _async_generator_function(function, begin, carried)
    if inspect.iscoroutinefunction(run):
        return _coroutine_function(function, begin, carried)
    if inspect.isgeneratorfunction(run) and not _makes_awaitables(run):
        return _generator_function(function, begin, carried)
    return _function(function, begin, carried)


def _makes_awaitables(function: Any) -> bool:
    """Whether types.coroutine() made a coroutine function of this generator function."""
    function = getattr(function, "__func__", function)
    return bool(
        getattr(getattr(function, "__code__", None), "co_flags", 0) & _CO_ITERABLE_COROUTINE
    )


def _end(operation: Any, error: BaseException) -> None:
    operation.__exit__(type(error), error, error.__traceback__)


def _function(function: Any, begin: Begin, carried: bool) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        operation = begin()
        if carried:
            operation.__enter__()
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            _end(operation, error)
            raise
        if type(result) not in _PLAIN:
            impl.detach(operation)  # the span continues without being current here
            going_on = _going_on(result, operation, carried)
            if going_on is not None:
                return going_on
        operation.__exit__(None, None, None)
        return result

    return wrapper


def _coroutine_function(function: Any, begin: Begin, carried: bool) -> Any:
    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        operation = begin()
        if carried:
            operation.__enter__()
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            _end(operation, error)
            raise
        operation.__exit__(None, None, None)
        return result

    return wrapper


# ---- results that go on ------------------------------------------------------------------------


def _going_on(result: Any, operation: Any, carried: bool) -> Any:
    """Returns a replacement for a result that is not done yet; the replacement ends the operation.
    None for any other result."""
    try:
        kind = type(result)
        if kind is GeneratorType and not result.gi_code.co_flags & _CO_ITERABLE_COROUTINE:
            return _generator_function(lambda: result, lambda: operation, carried)()
        if kind is AsyncGeneratorType:
            return _async_generator_function(lambda: result, lambda: operation, carried)()
        if hasattr(kind, "add_done_callback"):
            return result if _ends_with_future(result, operation) else None
        if kind in (CoroutineType, GeneratorType):
            return _coroutine_function(lambda: result, lambda: operation, carried)()
        if not hasattr(kind, "__await__"):
            return None
        # A coroutine that is not one of the interpreter.
        if hasattr(kind, "send") and not hasattr(kind, "__aenter__"):
            return _coroutine_function(lambda: result, lambda: operation, carried)()
        return Awaitable(result, operation, carried)
    except Exception:  # a class of the program that raises on attribute access
        return None


def _ends_with_future(future: Any, operation: Any) -> bool:
    """Ends the operation when the future is done. The future itself is returned, because other code
    may cancel it or never await it."""

    def done(_: Any) -> None:
        try:
            error = None if future.cancelled() else future.exception()
        except BaseException as problem:
            error = problem
        if error is None:
            operation.__exit__(None, None, None)
        else:
            _end(operation, error)

    try:
        future.add_done_callback(done)
    except Exception:
        return False
    return True


class Awaitable:
    """Wraps another awaitable, which may also be an asynchronous context manager (requests of
    aiohttp). Either use ends the operation. All other attributes are those of the original."""

    __slots__ = ("_carried", "_operation", "_original")

    def __init__(self, original: Any, operation: Any, carried: bool) -> None:
        self._original = original
        self._operation = operation
        self._carried = carried

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return type(self._original)

    def __await__(self) -> Any:
        return _coroutine_function(
            lambda: self._original, lambda: self._operation, self._carried
        )().__await__()

    async def __aenter__(self) -> Any:
        if self._carried:
            self._operation.__enter__()
        try:
            return await self._original.__aenter__()
        except BaseException as error:
            _end(self._operation, error)
            raise

    async def __aexit__(self, kind: Any, error: Any, traceback: Any) -> Any:
        try:
            result = await self._original.__aexit__(kind, error, traceback)
        except BaseException as problem:
            _end(self._operation, problem)
            raise
        self._operation.__exit__(kind, error, traceback)
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)


# ---- generators --------------------------------------------------------------------------------


class _Frame:
    """The span that is current inside a generator, saved while other code runs."""

    __slots__ = ("_kept", "_outside")

    def __init__(self, operation: Any, carried: bool) -> None:
        self._kept = operation if carried else None
        self._outside: Any = None

    def __enter__(self) -> None:
        if self._kept is not None:
            self._outside = impl.switch(self._kept)

    def __exit__(self, *exception: Any) -> None:
        if self._kept is not None:
            self._kept = impl.switch(self._outside)


def _generator_function(function: Any, begin: Begin, carried: bool) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        operation = begin()
        try:
            result = yield from _drive(_Frame(operation, carried), function(*args, **kwargs))
        except BaseException as error:
            _end(operation, error)
            raise
        operation.__exit__(None, None, None)
        return result

    return wrapper


def _drive(frame: _Frame, generator: Any) -> Generator[Any, Any, Any]:
    step, value = generator.send, None
    while True:
        try:
            with frame:
                item = step(value)
        except StopIteration as stop:
            return stop.value
        try:
            value = yield item
            step = generator.send
        except GeneratorExit:
            with frame:
                generator.close()
            raise
        except BaseException as error:
            step, value = generator.throw, error


def _async_generator_function(function: Any, begin: Begin, carried: bool) -> Any:
    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        operation = begin()
        frame = _Frame(operation, carried)
        try:
            generator = function(*args, **kwargs)
            step, value = generator.asend, None
            while True:
                try:
                    with frame:
                        item = await step(value)
                except StopAsyncIteration:
                    break
                try:
                    value = yield item
                    step = generator.asend
                except GeneratorExit:
                    with frame:
                        await generator.aclose()
                    raise
                except BaseException as error:
                    step, value = generator.athrow, error
        except BaseException as error:
            _end(operation, error)
            raise
        operation.__exit__(None, None, None)

    return wrapper
