"""Reads OpenMetrics into metric families, and refuses what is not OpenMetrics."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import Optional

from .._scan import read_name, unescape
from ..metrics_core import Metric
from ..samples import Sample
from ..validation import _is_valid_legacy_metric_name
from ._lines import read_native_sample, read_sample
from ._rules import SUFFIXES, Groups, check_histograms, check_sample, group_of

_END = "# EOF"


class _Family:
    """The family whose lines are read."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.details: dict[str, str] = {}  # by HELP, TYPE and UNIT
        self.samples: list[Sample] = []
        self._groups = Groups()

    @property
    def type(self) -> Optional[str]:
        return self.details.get("TYPE")

    def has(self, sample_name: str) -> bool:
        suffixes = SUFFIXES.get(self.type or "", ("",))
        return any(sample_name == self.name + suffix for suffix in suffixes)

    def describe(self, kind: str, text: str) -> None:
        if self.samples:
            raise ValueError(f"Received metadata after samples: {kind} {self.name}")
        if kind in self.details:
            raise ValueError(f"More than one {kind} for metric: {self.name}")
        self.details[kind] = text

    def add(self, sample: Sample) -> None:
        if sample.native_histogram is not None:
            self.samples.append(sample)
            return
        check_sample(sample, self.name, self.type)
        if self._groups.accept(sample, group_of(sample, self.name, self.type), self.type):
            self.samples.append(sample)

    def build(self, seen: set[str]) -> Metric:
        kind = self.type or "unknown"
        names = {self.name + suffix for suffix in (*SUFFIXES.get(kind, ()), "")}
        if names & seen:
            raise ValueError(f"Clashing name: {names & seen}")
        seen |= names
        unit = self.details.get("UNIT", "")
        if unit and not self.name.endswith(f"_{unit}"):
            raise ValueError(f"Unit does not match metric name: {self.name}")
        if unit and kind in ("info", "stateset"):
            raise ValueError(f"Units not allowed for this metric type: {self.name}")
        if kind in ("histogram", "gaugehistogram"):
            check_histograms(self.samples, self.name)
        metric = Metric(self.name, self.details.get("HELP", ""), kind, unit)
        metric.samples = self.samples
        return metric


def _metadata(line: str) -> tuple[str, str, str]:
    """Kind, name and text of a HELP, TYPE or UNIT line."""
    kind = line[2:6]
    if line[1:2] != " " or kind not in ("HELP", "TYPE", "UNIT") or line[6:7] != " ":
        raise ValueError(f"Invalid line: {line!r}")
    name, is_quoted, at = read_name(line, 7)
    if not is_quoted and not _is_valid_legacy_metric_name(name):
        raise ValueError(f"invalid metric name: {line!r}")
    if line[at : at + 1] != " ":
        raise ValueError(f"Invalid line: {line!r}")
    text = line[at + 1 :]
    if kind == "TYPE" and text == "untyped":
        raise ValueError(f"Invalid TYPE for metric: {line!r}")
    return kind, name, unescape(text) if kind == "HELP" else text


def _sample(line: str, family: Optional[_Family]) -> Sample:
    if family is not None and family.type == "histogram":
        native = read_native_sample(line, SUFFIXES["histogram"])
        if native is not None:
            return native
    return read_sample(line)


def _lines(fd: Iterable[str]) -> Iterator[str]:
    """Yields the lines before the end, and checks that it is the end."""
    is_end = False
    for raw in fd:
        line = raw[:-1] if raw.endswith("\n") else raw
        if is_end:
            raise ValueError(f"Received line after # EOF: {line!r}")
        is_end = line == _END
        if not line:
            raise ValueError("Received blank line")
        if not is_end:
            yield line
    if not is_end:
        raise ValueError("Missing # EOF at end")


def text_fd_to_metric_families(fd: Iterable[str]) -> Iterator[Metric]:
    """Yields the metric families of a file. Raises ValueError at what is not OpenMetrics.

    Args:
        fd: The file, or lines.
    """
    family: Optional[_Family] = None
    seen: set[str] = set()
    for line in _lines(fd):
        if line.startswith("#"):
            kind, name, text = _metadata(line)
            if family is None or name != family.name:
                if family is not None:
                    yield family.build(seen)
                family = _Family(name)
            family.describe(kind, text)
            continue
        sample = _sample(line, family)
        if family is None or (sample.native_histogram is None and not family.has(sample.name)):
            if family is not None:
                yield family.build(seen)
            family = _Family(sample.name)
        family.add(sample)
    if family is not None:
        yield family.build(seen)


def text_string_to_metric_families(text: str) -> Iterator[Metric]:
    """Yields the metric families of a text. Raises ValueError at what is not OpenMetrics.

    Args:
        text: The text.
    """
    yield from text_fd_to_metric_families(io.StringIO(text))
