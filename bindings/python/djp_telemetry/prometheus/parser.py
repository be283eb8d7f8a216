"""Reads the text format into metric families. It accepts more than the format allows."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import Any, Optional

from ._scan import read_labels, read_name, read_number, read_series, skip, unescape_help
from .metrics_core import Metric
from .samples import Sample
from .validation import _is_valid_legacy_metric_name

_SAMPLES = {
    "summary": ("", "_count", "_sum"),
    "histogram": ("_bucket", "_count", "_sum"),
}


def parse_labels(labels_string: str, openmetrics: bool = False) -> dict[str, str]:
    """The labels in a text without the braces.

    Args:
        labels_string: The text.
        openmetrics: As OpenMetrics demands.
    """
    text = "{" + labels_string + "}"
    try:
        labels, end = read_labels(text, 0, openmetrics)
    except ValueError:
        end = -1
        labels = {}
    if end != len(text):
        raise ValueError(f"Invalid labels: {labels_string}")
    return labels


def _parse_value(value: Any) -> float:
    return read_number("".join(value))


def _parse_value_and_timestamp(s: str) -> tuple[float, Optional[float]]:
    parts = s.split()
    if not parts:
        raise ValueError(f"a value is missing: {s!r}")
    value = read_number(parts[0])
    return value, read_number(parts[-1]) / 1000 if len(parts) > 1 else None


def _parse_sample(text: str) -> Sample:
    name, labels, at = read_series(text, is_strict=False)
    rest = text[at:]
    if rest == rest.lstrip() and "{" not in text[:at]:
        raise ValueError(f"a value is missing: {text!r}")
    value, timestamp = _parse_value_and_timestamp(rest)
    return Sample(name, labels, value, timestamp)


class _Family:
    """The family whose lines are read."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.documentation = ""
        self.type = "untyped"
        self.samples: list[Sample] = []
        self.sample_names = {name}

    def set_type(self, kind: str) -> None:
        self.type = kind
        self.sample_names = {self.name + suffix for suffix in _SAMPLES.get(kind, ("",))}

    def build(self) -> Iterator[Metric]:
        if not self.name:
            return
        name, samples = self.name, self.samples
        if self.type == "counter" and name.endswith("_total"):
            name = name[: -len("_total")]
        elif self.type == "counter":
            samples = [sample._replace(name=sample.name + "_total") for sample in samples]
        metric = Metric(name, self.documentation, self.type)
        metric.samples = samples
        yield metric


def _comment(line: str) -> Optional[tuple[str, str, str]]:
    """Kind, name and text of a HELP or TYPE line; None for other comments."""
    at = skip(line, 1)
    kind = line[at : at + 4]
    after = skip(line, at + 4)
    if kind not in ("HELP", "TYPE") or after == at + 4 or after == len(line):
        return None
    name, is_quoted, end = read_name(line, after)
    if not is_quoted and not _is_valid_legacy_metric_name(name):
        raise ValueError(f"invalid metric name: {line!r}")
    return kind, name, line[skip(line, end) :]


def text_fd_to_metric_families(fd: Iterable[str]) -> Iterator[Metric]:
    """Yields the metric families of a file.

    Args:
        fd: The file, or lines.
    """
    family = _Family()
    for raw in fd:
        line = raw.strip()
        if line.startswith("#"):
            comment = _comment(line)
            if comment is None:
                continue
            kind, name, text = comment
            if name != family.name:
                yield from family.build()
                family = _Family(name)
            if kind == "HELP":
                family.documentation = unescape_help(text)
            elif text:
                family.set_type(text)
            else:
                raise ValueError(f"a type is missing: {line!r}")
        elif line:
            sample = _parse_sample(line)
            if family.name and sample.name in family.sample_names:
                family.samples.append(sample)
                continue
            yield from family.build()
            family = _Family()
            alone = Metric(sample.name, "", "untyped")
            alone.samples = [sample]
            yield alone
    yield from family.build()


def text_string_to_metric_families(text: str) -> Iterator[Metric]:
    """Yields the metric families of a text.

    Args:
        text: The text.
    """
    yield from text_fd_to_metric_families(io.StringIO(text))
