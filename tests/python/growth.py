"""Memory and references that a call leaves behind, for tests of leaks. A call is repeated, so that
a leak is a growth; it uses new objects each time, because a second reference to a shared object
takes no memory."""

import contextlib
import ctypes
import gc
import itertools
import sys
import tracemalloc

ROUNDS = 100
LEAST = 16  # bytes: no object is smaller
NOISE = 512  # bytes that the interpreter's lists of free objects may take
_number = itertools.count()


def new(text):
    """A text that no other object shares."""
    return text + str(next(_number) % 10)


def repeat(call, rounds):
    for _ in range(rounds):
        call()


def traced():
    """Bytes of the interpreter's allocators; tracemalloc is on."""
    return tracemalloc.get_traced_memory()[0]


class _Heap(ctypes.Structure):
    """struct mallinfo2: mapped is its fifth member, used its eighth."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in ("a", "b", "c", "d", "mapped", "f", "g", "used", "i", "j")
    ]


def heap():
    """Bytes in use of malloc: the core's memory and large objects of the interpreter. None where
    the C library does not tell."""
    try:
        tell = ctypes.CDLL(None).mallinfo2
    except (AttributeError, OSError, TypeError):
        return None
    tell.restype = _Heap
    now = tell()
    return now.used + now.mapped


def growth(call, rounds=ROUNDS, measure=traced):
    """Bytes that each call leaves behind: the least of some measurements, the last ones without
    garbage."""
    least = None
    for attempt in range(4):
        rounds *= 2 if attempt else 1  # what other threads allocate meanwhile weighs less
        repeat(call, max(rounds // 10, 1))
        if attempt:
            gc.collect()
        before = measure()
        repeat(call, rounds)
        if attempt:
            gc.collect()
        grown = (measure() - before - NOISE) // rounds
        least = grown if least is None else min(least, grown)
        if least < LEAST:
            break
    return least


@contextlib.contextmanager
def _tracing():
    on = tracemalloc.is_tracing()
    if not on:
        tracemalloc.start()
    try:
        yield
    finally:
        if not on:
            tracemalloc.stop()


def gives_back(call, rounds=ROUNDS, measure=traced):
    """Whether repeated calls free all that they allocate. Calls must not warn or export."""
    if measure is traced:
        with _tracing():
            return growth(call, rounds) < LEAST
    return growth(call, rounds, measure) < LEAST


def references(call, *objects, rounds=ROUNDS):
    """How many references to each object each call adds, rounded to whole ones."""
    repeat(call, 10)
    gc.collect()
    before = [sys.getrefcount(item) for item in objects]
    repeat(call, rounds)
    gc.collect()
    return [round((sys.getrefcount(item) - n) / rounds) for item, n in zip(objects, before)]
