"""Functions wrapped in a span, whatever kind of function they are. A span of a generator is current only while the
generator's own code runs, never in the code that iterates over it."""

from __future__ import annotations

import functools
from typing import Any, AsyncGenerator, Callable, Generator, Optional, TypeVar, overload

from ._loader import impl

F = TypeVar("F", bound=Callable[..., Any])


def decorate(function: Any, start: Callable[[], Any]) -> Any:
    """function, each call of which runs in a span of its own; start() begins one."""
    import inspect  # here, because it takes milliseconds that most programs need not pay at start

    if isinstance(function, (staticmethod, classmethod)):
        return type(function)(decorate(function.__func__, start))
    if inspect.isasyncgenfunction(function):
        return _async_generator(function, start)
    if inspect.iscoroutinefunction(function):
        return _coroutine(function, start)
    if inspect.isgeneratorfunction(function):
        return _generator(function, start)
    return _plain(function, start)


def _plain(function: Any, start: Callable[[], Any]) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with start():
            return function(*args, **kwargs)

    return wrapper


def _coroutine(function: Any, start: Callable[[], Any]) -> Any:
    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        with start():
            return await function(*args, **kwargs)

    return wrapper


def _drive(span: Any, generator: Any) -> Generator[Any, Any, Any]:
    step, value = generator.send, None
    while True:
        token = impl.attach(span)
        try:
            item = step(value)
        except StopIteration as stop:
            return stop.value
        finally:
            impl.detach(token)
        try:
            value = yield item
            step = generator.send
        except GeneratorExit:
            token = impl.attach(span)
            try:
                generator.close()
            finally:
                impl.detach(token)
            raise
        except BaseException as error:
            step, value = generator.throw, error


def _generator(function: Any, start: Callable[[], Any]) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        span = start()
        try:
            result = yield from _drive(span, function(*args, **kwargs))
        except BaseException as error:
            span.__exit__(type(error), error, error.__traceback__)
            raise
        span.__exit__(None, None, None)
        return result

    return wrapper


async def _step(span: Any, step: Any, value: Any) -> Any:
    token = impl.attach(span)
    try:
        return await step(value)
    finally:
        impl.detach(token)


def _async_generator(function: Any, start: Callable[[], Any]) -> Any:
    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        span = start()
        try:
            generator = function(*args, **kwargs)
            step, value = generator.asend, None
            while True:
                try:
                    item = await _step(span, step, value)
                except StopAsyncIteration:
                    break
                try:
                    value = yield item
                    step = generator.asend
                except GeneratorExit:
                    await _step(span, lambda _: generator.aclose(), None)
                    raise
                except BaseException as error:
                    step, value = generator.athrow, error
        except BaseException as error:
            span.__exit__(type(error), error, error.__traceback__)
            raise
        span.__exit__(None, None, None)

    return wrapper


@overload
def traced(name: F) -> F: ...


@overload
def traced(name: Optional[str] = None, *, attributes: Any = None, kind: Any = None) -> Callable[[F], F]: ...


def traced(name: Any = None, *, attributes: Any = None, kind: Any = None) -> Any:
    """Decorator: each call of the function is a span, named after the function unless a name is given. Takes
    functions, coroutine functions, generators of both kinds, static and class methods. An exception is recorded and
    raised again as it is. attributes and kind: as in start_span()."""
    if callable(name) or isinstance(name, (staticmethod, classmethod)):
        return traced()(name)

    def decorator(function: Any) -> Any:
        inner = getattr(function, "__func__", function)
        title = name or getattr(inner, "__qualname__", None) or type(inner).__name__
        tracer = impl.get_tracer(getattr(inner, "__module__", None))
        return decorate(function, tracer.start_as_current_span(title, kind=kind, attributes=attributes).start)

    return decorator
