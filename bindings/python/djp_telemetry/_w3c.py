"""Parses and writes the header fields traceparent, tracestate and baggage without the native core.
Follows the core's rules; the same test vectors check both."""

from __future__ import annotations

import re
from typing import Any, Iterable, Optional, Sequence
from urllib.parse import quote, unquote_to_bytes

MEMBERS_MAX = 32
STATE_MAX = 1024
LONG_MEMBER = 128
ENTRIES_MAX = 180
BAGGAGE_MAX = 8192
INPUT_MAX = 65536
FIELDS = ("traceparent", "tracestate", "baggage")
VALUES_MAX = 32

_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_STATE_KEY = re.compile(r"[a-z0-9][a-z0-9_\-*/@]{0,255}")
_STATE_VALUE = re.compile(r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_OCTETS = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")
_SAFE = "!#$&'()*/:<=>?@[]^`{|}"
_BLANK = " \t"

Entry = tuple[str, str, str]  # key, decoded value, properties


def parse_traceparent(text: str) -> Optional[tuple[int, int, int]]:
    """Returns trace id, span id and flags, or None."""
    match = _PARENT.fullmatch(text.strip(_BLANK))
    if match is None or match[1] == "ff" or (match[1] == "00" and match[5] is not None):
        return None
    trace_id, span_id = int(match[2], 16), int(match[3], 16)
    return (trace_id, span_id, int(match[4], 16) & 3) if trace_id and span_id else None


def write_traceparent(trace_id: int, span_id: int, flags: int) -> str:
    return f"00-{trace_id:032x}-{span_id:016x}-{flags & 3:02x}"


def parse_tracestate(fields: Iterable[str]) -> str:
    """Returns the normalised list; empty if a member is invalid."""
    members: dict[str, str] = {}
    seen = 0
    for field in fields:
        for member in field.split(","):
            member = member.strip(_BLANK)
            if not member:
                continue
            key, equals, value = member.partition("=")
            seen += 1
            if (
                seen > MEMBERS_MAX
                or not equals
                or not _STATE_KEY.fullmatch(key)
                or not _STATE_VALUE.fullmatch(value)
            ):
                return ""
            members.setdefault(key, member)
    return _shortened(list(members.values()))


def _shortened(members: list[str]) -> str:
    """Removes long members first, then the last ones, until the list fits."""
    for at in range(len(members) - 1, -1, -1):
        if len(",".join(members)) > STATE_MAX and len(members[at]) > LONG_MEMBER:
            del members[at]
    while len(",".join(members)) > STATE_MAX:
        members.pop()
    return ",".join(members)


def _decoded(text: str) -> str:
    return unquote_to_bytes(text).decode("utf-8", "replace")


def _clean(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _properties(text: str) -> str:
    kept = []
    for item in text.split(";"):
        key, equals, value = item.partition("=")
        key, value = key.strip(_BLANK), value.strip(_BLANK)
        if _TOKEN.fullmatch(key) and _OCTETS.fullmatch(value):
            kept.append(key + equals + value)
    return ";".join(kept)


def _properties_are_valid(text: str) -> bool:
    for item in text.split(";"):
        key, _, value = item.partition("=")
        if item.strip(_BLANK) and not (
            _TOKEN.fullmatch(key.strip(_BLANK)) and _OCTETS.fullmatch(value.strip(_BLANK))
        ):
            return False
    return True


def baggage_text(entries: Sequence[Entry]) -> str:
    return ",".join(
        f"{key}={quote(value, safe=_SAFE)}{';' if more else ''}{more}"
        for key, value, more in entries
    )


def parse_baggage(fields: Iterable[str]) -> tuple[Entry, ...]:
    """Returns the entries within the limits. A repeated key keeps its first place and gets the last
    value."""
    entries: dict[str, Entry] = {}
    budget = INPUT_MAX
    for field in fields:
        for member in field.split(","):
            if len(member) >= budget:
                break
            budget -= len(member) + 1
            pair, _, more = member.partition(";")
            key, equals, value = pair.partition("=")
            key, value = key.strip(_BLANK), value.strip(_BLANK)
            if not equals or not _TOKEN.fullmatch(key) or not _OCTETS.fullmatch(value):
                continue
            if key in entries or len(entries) < ENTRIES_MAX:
                entries[key] = (key, _decoded(value), _properties(more))
    return _that_fit(entries.values())


def _that_fit(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    kept: list[Entry] = []
    size = 0
    for entry in entries:
        more = len(baggage_text((entry,))) + (1 if kept else 0)
        if size + more <= BAGGAGE_MAX:
            kept.append(entry)
            size += more
    return tuple(kept)


def set_entry(
    entries: tuple[Entry, ...], key: Any, value: Any, properties: Any
) -> tuple[Entry, ...]:
    """Returns the entries with this one set; unchanged if it is invalid or does not fit."""
    key, value = _as_text(key), _as_text(value)
    more = _as_text(properties) or ""
    if key is None or value is None or not _TOKEN.fullmatch(key) or not _properties_are_valid(more):
        return entries
    changed = {entry[0]: entry for entry in entries}
    changed[key] = (key, _clean(value), _properties(more))
    result = tuple(changed.values())
    return result if len(result) <= ENTRIES_MAX and _that_fit(result) == result else entries


def _as_text(value: Any) -> Optional[str]:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else None


# ---- carriers ----------------------------------------------------------------------------------


def _field(name: Any) -> Optional[str]:
    text = _as_text(name)
    if text is None:
        return None
    text = text.lower()
    return text[5:] if text.startswith("http_") else text


def _take(found: dict[str, list[str]], name: str, value: Any) -> None:
    for item in value if isinstance(value, (list, tuple)) else (value,):
        text = _as_text(item)
        if text is not None and len(found[name]) < VALUES_MAX:
            found[name].append(text)


def _pairs(carrier: Any) -> Iterable[Any]:
    if isinstance(carrier, (list, tuple)):
        return carrier
    return list(carrier.items()) if hasattr(carrier, "items") else ()


def read(carrier: Any, getter: Any) -> dict[str, list[str]]:
    """Returns the values of the three fields in a carrier."""
    found: dict[str, list[str]] = {name: [] for name in FIELDS}
    if getter is not None:
        get = getter if callable(getter) else getter.get
        for name in FIELDS:
            _take(found, name, get(carrier, name))
        return found
    for pair in _pairs(carrier):
        if isinstance(pair, (list, tuple)) and len(pair) == 2:
            field = _field(pair[0])
            if field in found:
                _take(found, field, pair[1])
    return found


def write(carrier: Any, setter: Any, name: str, value: str) -> None:
    if setter is not None:
        (setter if callable(setter) else setter.set)(carrier, name, value)
    elif isinstance(carrier, list):
        first = (
            carrier[0][0]
            if carrier and isinstance(carrier[0], (list, tuple)) and carrier[0]
            else None
        )
        carrier.append(
            (name.encode(), value.encode("latin-1")) if isinstance(first, bytes) else (name, value)
        )
    else:
        carrier[name] = value
