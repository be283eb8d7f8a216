"""Metrics of Python itself: the garbage collector and the version. The collector calls the core
after each run, so nothing is read at a scrape and there is no timer."""

from __future__ import annotations

import gc
import platform
import sys
from typing import Any, Mapping

from ._loader import native

_GENERATIONS = ("0", "1", "2")
_COUNTS = (
    "python_gc_collections",
    "python_gc_objects_collected",
    "python_gc_objects_uncollectable",
)


def begin(settings: Mapping[str, Any]) -> None:
    """Begins to record, if the setting runtime_metrics is on. The counts begin at zero."""
    end()
    if native is None or not settings.get("runtime_metrics"):
        return
    for name in _COUNTS:
        for generation in _GENERATIONS:
            native._runtime_record(name, (generation,), 0.0)
    gc.callbacks.append(native._runtime_collected)
    describe()


def end() -> None:
    if native is not None and native._runtime_collected in gc.callbacks:
        gc.callbacks.remove(native._runtime_collected)


def describe() -> None:
    """Records the version. Again in a forked child, because the series lives as long as a process
    that recorded it."""
    if native is None or native._runtime_collected not in gc.callbacks:
        return
    major, minor, level = (str(part) for part in sys.version_info[:3])
    labels = (platform.python_version(), platform.python_implementation(), major, minor, level)
    native._runtime_record("python_info", labels, 1.0)
