"""The values that collectors exchange: samples, timestamps, exemplars and native histograms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Optional, Union


class Timestamp:
    """A time in whole seconds and nanoseconds since 1970 (UTC).

    Args:
        sec: Seconds.
        nsec: Nanoseconds, 0 to 999,999,999.
    """

    def __init__(self, sec: float, nsec: float) -> None:
        if not 0 <= nsec < 1e9:
            raise ValueError(f"Invalid value for nanoseconds in Timestamp: {nsec}")
        self.sec = int(sec)
        self.nsec = int(-nsec if sec < 0 else nsec)

    def _key(self) -> tuple[int, int]:
        return self.sec, self.nsec

    def __str__(self) -> str:
        return f"{self.sec}.{self.nsec:09d}"

    def __repr__(self) -> str:
        return f"Timestamp({self.sec}, {self.nsec})"

    def __float__(self) -> float:
        return self.sec + self.nsec / 1e9

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Timestamp) and self._key() == other._key()

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __gt__(self, other: Timestamp) -> bool:
        return self._key() > other._key()

    def __lt__(self, other: Timestamp) -> bool:
        return self._key() < other._key()

    __hash__ = None  # type: ignore[assignment]


class BucketSpan(NamedTuple):
    """Consecutive buckets of a native histogram."""

    offset: int
    length: int


class Exemplar(NamedTuple):
    """An example of a recording: its labels, such as the ids of a trace, and its value."""

    labels: dict[str, str]
    value: float
    timestamp: Optional[Union[float, Timestamp]] = None


class NativeHistogram(NamedTuple):
    """A histogram with exponential buckets."""

    count_value: float
    sum_value: float
    schema: int
    zero_threshold: float
    zero_count: float
    pos_spans: Optional[Sequence[BucketSpan]] = None
    neg_spans: Optional[Sequence[BucketSpan]] = None
    pos_deltas: Optional[Sequence[int]] = None
    neg_deltas: Optional[Sequence[int]] = None
    nh_exemplars: Optional[Sequence[Exemplar]] = None


class Sample(NamedTuple):
    """One line of an exposition."""

    name: str
    labels: dict[str, str]
    value: Any
    timestamp: Optional[Union[float, Timestamp]] = None
    exemplar: Optional[Exemplar] = None
    native_histogram: Optional[NativeHistogram] = None
