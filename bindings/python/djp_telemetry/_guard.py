"""Decorating with the helpers of metrics (time, track_inprogress, count_exceptions): every call
gets a guard of its own, so that a function may run many times at once. A generator is measured from
its first step to its end, an awaitable until it is done."""

from __future__ import annotations

from typing import Any

from ._wrap import wrap


def decorate(guard: Any, function: Any) -> Any:
    """function, each call of which runs inside a fresh copy of guard."""

    def begin() -> Any:
        own = guard.fresh()
        own.__enter__()
        return own

    return wrap(function, begin, False)
