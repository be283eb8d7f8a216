"""Conversions of the recorders' arguments of any type to numbers, booleans and text. Nothing here
raises: an invalid value affects only its part of a recording."""

from __future__ import annotations

import math
from typing import Any

_NO = frozenset({"", "0", "false", "no", "off"})


def number(value: Any) -> float:
    """Converts to a float; NaN if that is not possible. Numeric text is converted."""
    try:
        return float(value)
    except Exception:
        return math.nan


def seconds(value: Any) -> float:
    """Converts a duration to a float; NaN if it is negative, infinite or not a number."""
    found = number(value)
    return found if 0 <= found < math.inf else math.nan


def truth(value: Any) -> bool:
    """Converts like bool(), but the words for no are False. An unreadable value is False: a failure
    must not look like a success."""
    try:
        return value.strip().lower() not in _NO if isinstance(value, str) else bool(value)
    except Exception:
        return False


def text(value: Any) -> str:
    """Converts to text; "" if that fails."""
    try:
        return value if isinstance(value, str) else str(value)
    except Exception:
        return ""


def status_code(value: Any) -> int:
    """Converts an HTTP status to an int; 0 if it is not one."""
    try:
        found = int(value)
    except Exception:
        return 0
    return found if 100 <= found <= 599 else 0
