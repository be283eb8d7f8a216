"""Path normalisation without the native core. Follows the core's rules; the same test vectors check
both."""

from __future__ import annotations

import re

_SEGMENTS_MAX = 12
_SEGMENT_MAX = 64
_TEMPLATE = re.compile(r"\.+|\{[A-Za-z]+\}")
_ROUTE_WORD = re.compile(r"[A-Za-z0-9\-_.~:]*")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_LONG_HEX = re.compile(r"[0-9A-Fa-f]{16,}")
_VERSION = re.compile(r"[vV][0-9][0-9.]*")


def _segment(text: str) -> str:
    if not text or _TEMPLATE.fullmatch(text):
        return text
    if text.startswith("tenant-") and len(text) > 7:
        return "tenant-{id}"
    digits = sum("0" <= c <= "9" for c in text)
    if len(text) > _SEGMENT_MAX or not _ROUTE_WORD.fullmatch(text) or digits == len(text):
        return "{id}"
    if _UUID.fullmatch(text) or _LONG_HEX.fullmatch(text):
        return "{id}"
    if len(text) <= 8 and _VERSION.fullmatch(text):
        return text
    if "." in text:
        return "{file}"
    return "{id}" if digits > 3 or (digits and len(text) >= 20) else text


def normalise(path: str) -> str:
    """Replaces identifiers in a path."""
    segments = re.split("[?#]", path, maxsplit=1)[0].split("/")
    shown = "/".join(_segment(segment) for segment in segments[:_SEGMENTS_MAX])
    return shown + "/..." if len(segments) > _SEGMENTS_MAX else shown
