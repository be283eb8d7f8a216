"""Reads one line of OpenMetrics: a sample with its exemplar, or the value of a native histogram."""

from __future__ import annotations

import math
import re
from typing import Any, Optional, Union

from .._scan import METRIC_NAME, read_labels, read_number, read_series
from ..samples import BucketSpan, Exemplar, NativeHistogram, Sample, Timestamp

EXEMPLAR_RUNES_MAX = 128
_DECIMAL = re.compile(r"([+-]?\d+)\.(\d+)\Z")
_SPANS = re.compile(r"(positive|negative)_spans:\[(\d+:\d+(?:,\d+:\d+)*)\]")
_DELTAS = re.compile(r"(positive|negative)_deltas:\[(-?\d+(?:,-?\d+)*)\]")
_FIELD = re.compile(r"(\w+):\s*([^,}]+)")


def read_time(text: str) -> Union[float, Timestamp]:
    """A timestamp, with nanoseconds if it is a decimal number.

    Args:
        text: Its text.
    """
    if not text or text != text.strip() or "_" in text:
        raise ValueError(f"Invalid timestamp: {text!r}")
    try:
        return Timestamp(int(text), 0)
    except ValueError:
        pass
    decimal = _DECIMAL.match(text)
    if decimal:
        return Timestamp(int(decimal.group(1)), int(decimal.group(2)[:9].ljust(9, "0")))
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"Invalid timestamp: {text!r}")
    return number


def _read_exemplar(text: str) -> Exemplar:
    """An exemplar, from its braces on."""
    if not text.startswith("{"):
        raise ValueError(f"an exemplar has no labels: {text!r}")
    labels, at = read_labels(text, 0, is_strict=True)
    if METRIC_NAME in labels and len(labels) == 1 and "=" not in text[:at]:
        raise ValueError(f"an exemplar has a name: {text!r}")
    if sum(len(name) + len(value) for name, value in labels.items()) > EXEMPLAR_RUNES_MAX:
        raise ValueError(f"Exemplar labels are too long: {text!r}")
    if not text.startswith(" ", at):
        raise ValueError(f"an exemplar has no value: {text!r}")
    value, *time = text[at + 1 :].split(" ")
    if len(time) > 1:
        raise ValueError(f"text after an exemplar: {text!r}")
    return Exemplar(labels, read_number(value), read_time(time[0]) if time else None)


def read_sample(line: str) -> Sample:
    """A sample.

    Args:
        line: The line.
    """
    _check_commas(line)
    name, labels, at = read_series(line, is_strict=True)
    if not line.startswith(" ", at):
        raise ValueError(f"a value is missing: {line!r}")
    rest, mark, exemplar_text = line[at + 1 :].partition(" # ")
    value, *time = rest.split(" ")
    if len(time) > 1 or "#" in rest:
        raise ValueError(f"invalid text after the value: {line!r}")
    exemplar = _read_exemplar(exemplar_text) if mark else None
    when = read_time(time[0]) if time else None
    return Sample(name, labels, read_number(value), when, exemplar)


def _check_commas(line: str) -> None:
    """A comma stands between labels, never before the first one."""
    opened = line.find("{")
    if opened >= 0 and line[opened + 1 :].lstrip(" ").startswith(","):
        raise ValueError(f"leading comma: {line!r}")


def _spans(pairs: Optional[str]) -> Optional[tuple[BucketSpan, ...]]:
    if pairs is None:
        return None
    return tuple(BucketSpan(*map(int, pair.split(":"))) for pair in pairs.split(","))


def _deltas(numbers: Optional[str]) -> Optional[tuple[int, ...]]:
    return None if numbers is None else tuple(map(int, numbers.split(",")))


def read_native_value(text: str) -> NativeHistogram:
    """The value of a native histogram.

    Args:
        text: Its text, in braces.
    """
    fields = dict(_FIELD.findall(text))
    spans = dict(_SPANS.findall(text))
    deltas = dict(_DELTAS.findall(text))
    try:
        return NativeHistogram(
            count_value=int(fields["count"]),
            sum_value=float(fields["sum"]),
            schema=int(fields["schema"]),
            zero_threshold=float(fields["zero_threshold"]),
            zero_count=int(fields["zero_count"]),
            pos_spans=_spans(spans.get("positive")),
            neg_spans=_spans(spans.get("negative")),
            pos_deltas=_deltas(deltas.get("positive")),
            neg_deltas=_deltas(deltas.get("negative")),
        )
    except KeyError as error:
        raise ValueError(f"a native histogram has no {error}: {text!r}") from None


def read_native_sample(line: str, suffixes: tuple[str, ...]) -> Optional[Sample]:
    """The sample of a native histogram; None if the line is another sample.

    Args:
        line: The line.
        suffixes: Those that its name must not have.
    """
    name, labels, at = read_series(line, is_strict=True)
    if not line.startswith(" {", at):
        return None
    if name.endswith(suffixes):
        raise ValueError(f"the name of a native histogram has a suffix: {line!r}")
    if "}" not in line[at + 2 :]:
        raise ValueError(f"the value of a native histogram is not closed: {line!r}")
    value = read_native_value(line[at + 1 :])
    has_labels: Any = labels if labels else None
    return Sample(name, has_labels, None, None, None, value)
