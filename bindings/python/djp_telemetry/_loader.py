"""Loads the native core, or the no-op with the same surface. If loading fails, the no-op is used
and the reason is stored: importing the package never fails because of a missing, damaged or
incompatible binary."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from types import ModuleType
from typing import Any, Optional

from . import noop
from ._version import __version__


def _cut_short(path: str) -> bool:
    """Whether an ELF file ends before one of its segments. An interrupted copy leaves such a file.
    Mapping it does not raise: it kills the process with SIGBUS."""
    with open(path, "rb") as file:
        head = file.read(64)
        # not 64-bit little-endian: left to the system's loader
        if len(head) < 64 or head[:6] != b"\x7fELF\x02\x01":
            return False

        def number(data: bytes, at: int, size: int) -> int:
            return int.from_bytes(data[at : at + size], "little")

        size = os.fstat(file.fileno()).st_size
        file.seek(number(head, 32, 8))
        for _ in range(number(head, 56, 2)):
            entry = file.read(56)
            loaded = number(entry, 0, 4) == 1
            if len(entry) < 56 or (loaded and number(entry, 8, 8) + number(entry, 32, 8) > size):
                return True
    return False


def _check() -> None:
    if "djp_telemetry._native" in sys.modules:
        return
    from importlib.machinery import PathFinder

    folder = os.path.dirname(__file__)
    spec = PathFinder.find_spec("djp_telemetry._native", [folder])
    if spec is None:
        with (
            suppress(OSError),
            open(os.path.join(folder, "_native_missing.txt"), encoding="utf-8") as file,
        ):
            raise ImportError(file.read().strip())  # the reason that the installation wrote
    elif spec.origin and _cut_short(spec.origin):
        raise ImportError(f"{spec.origin} is not complete; install djp-telemetry again")


def _load() -> tuple[Optional[ModuleType], str]:
    if os.environ.get("DJP_TELEMETRY_NATIVE", "").strip().lower() in ("off", "0", "false", "no"):
        return None, "DJP_TELEMETRY_NATIVE=off"
    try:
        _check()
        from . import _native
    except Exception as error:  # a damaged file raises ImportError, OSError or SystemError
        name = "" if type(error) is ImportError else f"{type(error).__name__}: "
        return None, f"the native core could not be loaded: {name}{error}"
    if _native.__version__ != __version__:
        return None, f"the native core is version {_native.__version__}, the package {__version__}"
    return _native, ""


def _named_by_the_core() -> None:
    """Never called. Lists the modules that the native core imports by name, for programs that
    freeze a package (PyInstaller)."""
    from . import _decorators, _exceptions, _guard, _values  # noqa: F401


native, reason = _load()
impl: Any = noop if native is None else native
name = "noop" if native is None else "native"
