"""Calls whose first, second, third ... allocation fails in turn."""

import functools
import gc

import pytest
from growth import gives_back

MOST = 60  # allocations of a call


def starve(call, most=MOST):
    """Runs call again and again; each time another allocation of the interpreter fails. A call may
    raise MemoryError, because the interpreter itself allocates for it, and nothing else. Returns
    the results of the calls that returned."""
    call = functools.partial(call)  # C code checks that no exception is beside a result
    failing = pytest.importorskip("_testcapi")
    if not hasattr(failing, "set_nomemory"):
        pytest.skip("this interpreter cannot make an allocation fail")
    results = []
    collecting = gc.isenabled()
    gc.disable()  # a collection would count as allocations of the call
    try:
        for number in range(most):
            result = None
            failing.set_nomemory(number, number + 1)
            try:
                result = call()
            except MemoryError:
                result = MemoryError
            finally:
                failing.remove_mem_hooks()
            results.append(result)
    finally:
        if collecting:
            gc.enable()
    return [result for result in results if result is not MemoryError]


def starves_well(call, most=MOST):
    """Whether some of those calls return, and none of them keeps memory."""
    return bool(starve(call, most)) and gives_back(lambda: starve(call, most), 5)
