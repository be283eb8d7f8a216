"""Exits of forked children that run no atexit hook. Pools exit through os._exit: multiprocessing
after its finalizers, billiard (Celery) and others immediately. If telemetry is active in the
parent, the child first exports its spans, within shutdown_timeout."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any, Callable

log = logging.getLogger("djp_telemetry")

_leave: Callable[[], Any] = lambda: None  # noqa: E731
_registered: set[str] = set()
_key = type("Key", (), {})()  # key of the registry of fork hooks, which holds a weak reference
_os_exit = os._exit
_forked = False


def set_end(end: Callable[[], Any]) -> None:
    """Sets the function that exports the remaining spans; it does not raise. Called when telemetry
    starts."""
    global _leave
    _leave = end
    register()
    _watch_exit()


def finalize(_: Any = None) -> None:
    """Registers the export in a child of multiprocessing. The child exits through os._exit and runs
    only these finalizers, after its queues are joined."""
    for util in _utils():
        try:
            util.Finalize(None, _leave, exitpriority=-10)
        except Exception as error:
            log.debug("no exit hook in %s: %r", util.__name__, error)


def register() -> None:
    """Registers finalize() for children that multiprocessing or billiard forks later. billiard
    loads its helpers only in the child."""
    if "billiard" in sys.modules or "multiprocessing" in sys.modules:
        import multiprocessing.util  # noqa: F401 (its registry is billiard's, too)
    for util in _utils():
        if util.__name__ not in _registered:
            _registered.add(util.__name__)
            try:
                util.register_after_fork(_key, finalize)
            except Exception as error:
                log.debug("no fork hook in %s: %r", util.__name__, error)


def _utils() -> list[Any]:
    return [
        sys.modules[name]
        for name in ("multiprocessing.util", "billiard.util")
        if name in sys.modules
    ]


def _exit(status: int) -> None:
    """Replaces os._exit in a forked child; pools call it when a child is done."""
    os._exit = _os_exit
    try:
        _leave()
    finally:
        _os_exit(status)


def _watch_exit() -> None:
    if _forked and os._exit is _os_exit:
        os._exit = _exit  # type: ignore[assignment]


def after_fork(active: bool) -> None:
    """Runs in the child before multiprocessing prepares it. multiprocessing discards earlier
    finalizers and then calls the registered functions. active: telemetry of the parent continues in
    the child."""
    global _forked
    _forked = True
    if active:
        register()
        _watch_exit()
