"""Decorators of the metric helpers (time, track_inprogress, count_exceptions). Each call gets a
separate guard, so that calls may overlap. A generator is measured from its first step to its end,
an awaitable until it is done."""

from __future__ import annotations

from typing import Any

from ._wrap import wrap


def decorate(guard: Any, function: Any) -> Any:
    """Runs each call of function inside a new copy of guard."""

    def begin() -> Any:
        own = guard.fresh()
        own.__enter__()
        return own

    return wrap(function, begin, False)
