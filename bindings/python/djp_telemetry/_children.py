"""The ends of forked children that no atexit hook sees. Pools leave through os._exit: those of
multiprocessing after their finalizers, billiard's (Celery) and others' at once. Where the parent
has telemetry, what the child recorded is sent first, within the usual time."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any, Callable

log = logging.getLogger("djp_telemetry")

_leave: Callable[[], Any] = lambda: None  # noqa: E731
_registered: set[str] = set()
_key = type("Key", (), {})()  # of the registry of fork hooks, which holds it weakly
_os_exit = os._exit
_forked = False


def set_end(end: Callable[[], Any]) -> None:
    """end() sends what is left and does not raise. Called when telemetry starts."""
    global _leave
    _leave = end
    register()
    _watch_exit()


def finalize(_: Any = None) -> None:
    """Runs in a child of multiprocessing, which leaves through os._exit: only its own finalizers
    run, after its queues were joined."""
    for util in _utils():
        try:
            util.Finalize(None, _leave, exitpriority=-10)
        except Exception as error:
            log.debug("no exit hook in %s: %r", util.__name__, error)


def register() -> None:
    """Children that multiprocessing or billiard forks from now on get their finalizer. billiard
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
    """os._exit of a forked child: pools call it when a child is done."""
    os._exit = _os_exit
    try:
        _leave()
    finally:
        _os_exit(status)


def _watch_exit() -> None:
    if _forked and os._exit is _os_exit:
        os._exit = _exit  # type: ignore[assignment]


def after_fork(active: bool) -> None:
    """Runs in the child before multiprocessing prepares it, which forgets earlier finalizers and
    then calls what is registered. active: whether telemetry of the parent goes on here."""
    global _forked
    _forked = True
    if active:
        register()
        _watch_exit()
