"""Reads the parts of a line that the text format and OpenMetrics have in common."""

from __future__ import annotations

import re
from typing import Optional

from .validation import _is_valid_legacy_metric_name, _validate_labelname

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_BARE = re.compile(r'[^\s{}",=]+')
_ESCAPE = re.compile(r'\\([\\n"])')
_HELP_ESCAPE = re.compile(r"\\([\\n])")
_BLANK = re.compile(r"[ \t]*")
METRIC_NAME = "__name__"


def _character(match: re.Match[str]) -> str:
    return "\n" if match.group(1) == "n" else match.group(1)


def unescape(text: str) -> str:
    """A label value or quoted name without its escapes. Unknown escapes stay.

    Args:
        text: The text between the quotes.
    """
    return _ESCAPE.sub(_character, text) if "\\" in text else text


def unescape_help(text: str) -> str:
    """A help text of the text format without its escapes.

    Args:
        text: The text.
    """
    return _HELP_ESCAPE.sub(_character, text) if "\\" in text else text


def skip(text: str, at: int) -> int:
    """The place after blanks.

    Args:
        text: The line.
        at: Where they may begin.
    """
    return _BLANK.match(text, at).end()  # type: ignore[union-attr]


def read_name(text: str, at: int) -> tuple[str, bool, int]:
    """A name, whether it was in quotes, and the place after it.

    Args:
        text: The line.
        at: Where it begins.
    """
    quoted = _QUOTED.match(text, at)
    if quoted:
        return unescape(quoted.group(1)), True, quoted.end()
    bare = _BARE.match(text, at)
    if bare is None:
        raise ValueError(f"a name is missing at {at}: {text!r}")
    return bare.group(), False, bare.end()


def _read_pair(text: str, at: int, labels: dict[str, str]) -> int:
    """One label, or the name of the metric in quotes."""
    name, is_quoted, at = read_name(text, at)
    at = skip(text, at)
    if not text.startswith("=", at):
        if not is_quoted:
            raise ValueError(f"a label has no value: {text!r}")
        _add(labels, METRIC_NAME, name, text)
        return at
    if not is_quoted and not _is_valid_legacy_metric_name(name):
        raise ValueError(f"a label's name needs quotes: {text!r}")
    if name != METRIC_NAME:
        _validate_labelname(name)
    value = _QUOTED.match(text, skip(text, at + 1))
    if value is None:
        raise ValueError(f"a label's value is not in quotes: {text!r}")
    _add(labels, name, unescape(value.group(1)), text)
    return skip(text, value.end())


def _add(labels: dict[str, str], name: str, value: str, text: str) -> None:
    if name in labels:
        raise ValueError(f"a label appears twice: {text!r}")
    labels[name] = value


def read_labels(text: str, at: int, is_strict: bool) -> tuple[dict[str, str], int]:
    """Labels in braces, and the place after these. The name of the metric, if it is in the braces,
    is the label __name__.

    Args:
        text: The line.
        at: Where the braces open.
        is_strict: As OpenMetrics demands: no comma at the beginning or end.
    """
    labels: dict[str, str] = {}
    at = skip(text, at + 1)
    if not is_strict and text.startswith(",", at) and not labels:
        at = skip(text, at + 1)
    while not text.startswith("}", at):
        at = _read_pair(text, at, labels)
        if text.startswith(",", at):
            at = skip(text, at + 1)
            if is_strict and text.startswith("}", at):
                raise ValueError(f"a comma before the closing brace: {text!r}")
        elif not text.startswith("}", at):
            raise ValueError(f"labels without a comma or the closing brace: {text!r}")
    return labels, at + 1


def read_series(text: str, is_strict: bool) -> tuple[str, dict[str, str], int]:
    """Name and labels of a sample, and the place after them.

    Args:
        text: The line.
        is_strict: As OpenMetrics demands.
    """
    name: Optional[str] = None
    at = 0
    if not text.startswith("{"):
        name, is_quoted, at = read_name(text, 0)
        if is_quoted or not _is_valid_legacy_metric_name(name):
            raise ValueError(f"invalid metric name: {text!r}")
    labels: dict[str, str] = {}
    opened = at if is_strict else skip(text, at)
    if text.startswith("{", opened):
        labels, at = read_labels(text, opened, is_strict)
    inside = labels.pop(METRIC_NAME, None)
    if (name is None) == (inside is None):
        raise ValueError(f"the line needs one metric name: {text!r}")
    return name or inside or "", labels, at


def read_number(text: str) -> float:
    """A number; int if it is whole.

    Args:
        text: Its text.
    """
    if "_" in text or text != text.strip():
        raise ValueError(f"Invalid value: {text!r}")
    try:
        return int(text)
    except ValueError:
        return float(text)
