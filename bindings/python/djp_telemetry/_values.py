"""Converts values without an OTLP type to text or arrays: dates, paths, sets and others. The native
core calls this for values that it cannot convert. Only methods of the standard library's classes
run, never those of a subclass; the exception is the repr() of a dataclass. An attribute that cannot
be converted is logged once, by its key."""

from __future__ import annotations

import logging
import sys
from collections import deque
from types import MappingProxyType
from typing import Any, Callable

DEPTH_MAX = 30
NODES_MAX = 20000
REPORTED_MAX = 1000
_HEAP_TYPE = 1 << 9

_reported: set[str] = set()


class _Unsupported(Exception):
    """The value, or a part of it, cannot be converted."""


def _moment(value: Any) -> str:
    datetime = sys.modules["datetime"]
    precision = "microseconds" if value.microsecond % 1000 else "milliseconds"
    base = datetime.datetime if isinstance(value, datetime.datetime) else datetime.time
    text: str = base.isoformat(value, timespec=precision)
    return text[:-6] + "Z" if text.endswith("+00:00") else text


def _duration(value: Any) -> str:
    """Formats as ISO 8601, as Temporal.Duration of JavaScript does."""
    microseconds = (value.days * 86400 + value.seconds) * 1_000_000 + value.microseconds
    sign = "-" if microseconds < 0 else ""
    seconds, microseconds = divmod(abs(microseconds), 1_000_000)
    days, seconds = divmod(seconds, 86400)
    hours, seconds = divmod(seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    time = f"{hours}H" if hours else ""
    time += f"{minutes}M" if minutes else ""
    if seconds or microseconds:
        time += f"{seconds}{f'.{microseconds:06d}'.rstrip('0') if microseconds else ''}S"
    if not days and not time:
        time = "0S"
    return f"{sign}P{f'{days}D' if days else ''}{'T' if time else ''}{time}"


def _array(value: Any) -> Any:
    if value.size > NODES_MAX:
        raise _Unsupported
    return value.tolist()


# Types that are looked up only if their module is loaded; otherwise no such value exists.
_FORMS: tuple[tuple[str, str, Callable[[Any], Any]], ...] = (
    ("enum", "Enum", lambda value: value._value_),
    ("uuid", "UUID", lambda value: sys.modules["uuid"].UUID.__str__(value)),
    ("datetime", "datetime", _moment),
    ("datetime", "date", lambda value: sys.modules["datetime"].date.isoformat(value)),
    ("datetime", "time", _moment),
    ("datetime", "timedelta", _duration),
    ("pathlib", "PurePath", lambda value: sys.modules["pathlib"].PurePath.__str__(value)),
    ("decimal", "Decimal", lambda value: sys.modules["decimal"].Decimal.__str__(value)),
    ("fractions", "Fraction", lambda value: sys.modules["fractions"].Fraction.__str__(value)),
    ("ipaddress", "_IPAddressBase", str),
    ("numpy", "ndarray", _array),
)


def _is_c_number(kind: type) -> bool:
    """Whether the core reads the value as a number: scalars of numpy and others."""
    return not kind.__flags__ & _HEAP_TYPE and (
        hasattr(kind, "__index__") or hasattr(kind, "__float__")
    )


class _Reader:
    """Reads one value and all nested values, within limits."""

    def __init__(self) -> None:
        self.left = NODES_MAX

    def read(self, value: Any, depth: int = 0) -> Any:
        kind = type(value)
        self.left -= 1
        if self.left < 0:
            raise _Unsupported
        if value is None or issubclass(kind, (str, int, float, bytes, bytearray)):
            return value
        if depth > DEPTH_MAX:
            return None
        if issubclass(kind, (list, tuple, set, frozenset, deque, range)):
            return self._items(value, depth)
        if issubclass(kind, (dict, MappingProxyType)):
            return self._members(value, depth)
        return self._form(value, kind, depth)

    def _items(self, value: Any, depth: int) -> list[Any]:
        if len(value) > self.left:
            raise _Unsupported
        return [self.read(item, depth + 1) for item in tuple(value)]

    def _members(self, value: Any, depth: int) -> dict[str, Any]:
        if len(value) > self.left or any(not isinstance(key, str) for key in tuple(value)):
            raise _Unsupported
        return {key: self.read(item, depth + 1) for key, item in tuple(value.items())}

    def _form(self, value: Any, kind: type, depth: int) -> Any:
        if kind is complex:
            return repr(value)
        if kind is memoryview:
            return value.tobytes()
        for module, name, convert in _FORMS:
            base = getattr(sys.modules.get(module), name, None)
            if isinstance(base, type) and issubclass(kind, base):
                try:
                    return self.read(convert(value), depth + 1)
                except _Unsupported:
                    if module == "enum":
                        return value._name_
                    raise
        if any("__dataclass_fields__" in vars(base) for base in kind.__mro__):
            return repr(value)
        if _is_c_number(kind):
            return value
        raise _Unsupported


def tell(key: str, value: Any) -> None:
    """Logs an attribute that was not converted, once."""
    if key in _reported or len(_reported) >= REPORTED_MAX:
        return
    _reported.add(key)
    logging.getLogger("djp_telemetry").warning(
        "The attribute %.200s is dropped: a value of the type %.200s, or a part of it, is not "
        "supported. Use text, a number, or a list or mapping of these.",
        key,
        type(value).__name__,
    )


def plain(key: str, value: Any) -> Any:
    """Converts the value for the core; None if that is not possible."""
    try:
        return _Reader().read(value)
    except Exception:  # also an exception of a class of the program
        tell(key, value)
        return None


def plain_items(attributes: dict[Any, Any]) -> tuple[dict[str, Any], int]:
    """Returns the converted attributes and the number of the others."""
    kept: dict[str, Any] = {}
    dropped = 0
    for key, value in tuple(attributes.items()):
        if not isinstance(key, str):
            dropped += 1
            continue
        form = plain(key, value)
        if form is not None:
            kept[key] = form
        elif value is not None:
            dropped += 1
    return kept, dropped
