"""Numbers as Prometheus writes them."""

from __future__ import annotations

import math
from typing import Any, Union

INF = math.inf
MINUS_INF = -math.inf
NaN = math.nan
_PLAIN_DIGITS = 6  # numbers with more digits before the point get an exponent, as in Go


def floatToGoString(d: Any) -> str:
    """The text of a number in an exposition.

    Args:
        d: The number.
    """
    number = float(d)
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    text = repr(number)
    whole, point, rest = text.partition(".")
    if number > 0 and point and len(whole) > _PLAIN_DIGITS:
        digits = f"{whole[0]}.{whole[1:]}{rest}".rstrip("0.")
        return f"{digits}e+{len(whole) - 1:02d}"
    return text


def parse_version(version_str: str) -> tuple[Union[int, str], ...]:
    """The parts of a version, numbers as int.

    Args:
        version_str: Parts with points between them.
    """
    return tuple(int(part) if part.isdecimal() else part for part in version_str.split("."))
