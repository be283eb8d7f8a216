"""How the recorders read what they are given: numbers, truth and text, whatever the type. Nothing
here raises, so that a wrong value costs its own part of a recording and no more."""

from __future__ import annotations

import math
from typing import Any

_NO = frozenset({"", "0", "false", "no", "off"})


def number(value: Any) -> float:
    """As a float; NaN for what is no number. Text that spells a number is one."""
    try:
        return float(value)
    except Exception:
        return math.nan


def seconds(value: Any) -> float:
    """A duration as a float; NaN when it is negative, infinite or no number."""
    found = number(value)
    return found if 0 <= found < math.inf else math.nan


def truth(value: Any) -> bool:
    """Like bool(), but the words for no are no. What cannot be read is no: a failure must not look
    like a success."""
    try:
        return value.strip().lower() not in _NO if isinstance(value, str) else bool(value)
    except Exception:
        return False


def text(value: Any) -> str:
    """As text; "" when that fails."""
    try:
        return value if isinstance(value, str) else str(value)
    except Exception:
        return ""


def status_code(value: Any) -> int:
    """An HTTP status as an int; 0 for what is none."""
    try:
        found = int(value)
    except Exception:
        return 0
    return found if 100 <= found <= 599 else 0
