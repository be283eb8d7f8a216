"""The decorator of the metric helpers: a separate guard for each call of any function."""

import asyncio

import pytest
from djp_telemetry import _guard


class Guard:
    """Counts entering and leaving; each copy has a number."""

    def __init__(self, log, number=0):
        self.log, self.number = log, number

    def fresh(self):
        self.log.append(("fresh",))
        return Guard(self.log, len(self.log))

    def __enter__(self):
        self.log.append(("enter", self.number))

    def __exit__(self, kind, error, traceback):
        self.log.append(("exit", self.number, kind))


def test_each_call_has_a_separate_guard():
    log = []

    @_guard.decorate.__get__(Guard(log))
    def function(depth):
        """doc"""
        return function(depth - 1) + 1 if depth else 0

    assert function(1) == 1 and function.__doc__ == "doc"
    assert log == [
        ("fresh",),
        ("enter", 1),
        ("fresh",),
        ("enter", 3),
        ("exit", 3, None),
        ("exit", 1, None),
    ]


def test_an_exception_reaches_the_guard_and_the_caller():
    log = []

    def fails():
        raise KeyError("k")

    with pytest.raises(KeyError):
        _guard.decorate(Guard(log), fails)()
    assert log[-1] == ("exit", 1, KeyError)


def test_a_coroutine_and_a_generator_are_guarded_until_their_end():
    log = []

    async def coroutine():
        await asyncio.sleep(0)
        log.append("inside")
        return 7

    def generator():
        yield 1
        log.append("inside")

    assert asyncio.run(_guard.decorate(Guard(log), coroutine)()) == 7
    assert log == [("fresh",), ("enter", 1), "inside", ("exit", 1, None)]
    log.clear()
    assert list(_guard.decorate(Guard(log), generator)()) == [1]
    assert log == [("fresh",), ("enter", 1), "inside", ("exit", 1, None)]
