"""Chooses between the native core and the no-op of the same surface. Every way in which loading can fail ends in the
no-op with the reason kept: importing this package never fails because of a missing, damaged or foreign binary."""

from __future__ import annotations

import os
from types import ModuleType
from typing import Any, Optional

from . import noop
from ._version import __version__


def _load() -> tuple[Optional[ModuleType], str]:
    if os.environ.get("DJP_TELEMETRY_NATIVE", "").strip().lower() in ("off", "0", "false", "no"):
        return None, "DJP_TELEMETRY_NATIVE=off"
    try:
        from . import _native
    except Exception as error:  # a damaged file raises ImportError, OSError or SystemError
        return None, f"the native core could not be loaded: {type(error).__name__}: {error}"
    if _native.__version__ != __version__:
        return None, f"the native core is version {_native.__version__}, the package {__version__}"
    return _native, ""


native, reason = _load()
impl: Any = noop if native is None else native
name = "noop" if native is None else "native"
