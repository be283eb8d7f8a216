"""What OpenMetrics demands of the samples of a family."""

from __future__ import annotations

import math
from typing import Any, Optional

from ..samples import Sample

SUFFIXES = {
    "counter": ("_total", "_created"),
    "summary": ("", "_count", "_sum", "_created"),
    "histogram": ("_count", "_sum", "_bucket", "_created"),
    "gaugehistogram": ("_gcount", "_gsum", "_bucket"),
    "info": ("_info",),
}
_NOT_NAN = ("_total", "_sum", "_count", "_bucket", "_gcount", "_gsum")
_NOT_NEGATIVE = ("_total", "_sum", "_count", "_bucket", "_gcount")
_WHOLE = ("_bucket", "_count", "_gcount")


def _is_bound(text: Optional[str]) -> bool:
    """Whether the text is a bound of a bucket: a number, and +Inf in that spelling."""
    if text is None or text == "NaN":
        return False
    return float(text) != math.inf or text == "+Inf"


def _check_label(sample: Sample, name: str, kind: Optional[str]) -> None:
    """The label that the type of the family demands."""
    labels = sample.labels
    if kind == "stateset" and name not in labels:
        raise ValueError(f"Stateset missing label: {sample}")
    if sample.name == f"{name}_bucket" and not _is_bound(labels.get("le")):
        raise ValueError(f"Invalid le label: {sample}")
    if kind == "summary" and sample.name == name:
        quantile = labels.get("quantile")
        if not _is_bound(quantile) or not 0 <= float(quantile or "") <= 1:
            raise ValueError(f"Invalid quantile label: {sample}")


def _check_value(sample: Sample, name: str, kind: Optional[str]) -> None:
    value = sample.value
    suffix = sample.name[len(name) :]
    if kind == "stateset" and value not in (0, 1):
        raise ValueError(f"Stateset samples can only have values zero and one: {sample}")
    if kind == "info" and value != 1:
        raise ValueError(f"Info samples can only have value one: {sample}")
    if kind == "summary" and not suffix and value < 0:
        raise ValueError(f"Quantile values cannot be negative: {sample}")
    if suffix in _NOT_NAN and math.isnan(value):
        raise ValueError(f"Counter-like samples cannot be NaN: {sample}")
    if suffix in _NOT_NEGATIVE and value < 0:
        raise ValueError(f"Counter-like samples cannot be negative: {sample}")
    if suffix in _WHOLE and not isinstance(value, int) and not value.is_integer():
        raise ValueError(f"Counts must be whole: {sample}")


def check_sample(sample: Sample, name: str, kind: Optional[str]) -> None:
    """Raises ValueError if a sample is not valid in its family.

    Args:
        sample: The sample.
        name: Name of the family.
        kind: Its type.
    """
    _check_label(sample, name, kind)
    _check_value(sample, name, kind)
    has_place = (kind == "counter" and sample.name.endswith("_total")) or (
        kind in ("histogram", "gaugehistogram") and sample.name.endswith("_bucket")
    )
    if sample.exemplar and not has_place:
        raise ValueError(f"Only buckets and counters can have exemplars: {sample}")


def group_of(sample: Sample, name: str, kind: Optional[str]) -> tuple[Any, ...]:
    """What the samples of one metric have in common.

    Args:
        sample: The sample.
        name: Name of the family.
        kind: Its type.
    """
    labels = sample.labels
    own = None
    if kind == "info":
        labels = {}
    elif kind == "summary" and sample.name == name:
        own = "quantile"
    elif kind == "stateset":
        own = name
    elif kind in ("histogram", "gaugehistogram") and sample.name == f"{name}_bucket":
        own = "le"
    return tuple(sorted(pair for pair in labels.items() if pair[0] != own))


class Groups:
    """The samples of each metric of a family follow each other, and their times do not decrease."""

    def __init__(self) -> None:
        self._present: Any = None
        self._time: Any = None
        self._seen: set[Any] = set()
        self._series: set[Any] = set()

    def accept(self, sample: Sample, group: Any, kind: Optional[str]) -> bool:
        """Whether the sample is new; False for a repetition at the same time.

        Args:
            sample: The sample.
            group: Its group.
            kind: Type of the family.
        """
        time = sample.timestamp
        if self._present is None or group != self._present:
            if group in self._seen:
                raise ValueError(f"Invalid metric grouping: {sample}")
            self._series = set()
        else:
            if (time is None) != (self._time is None):
                raise ValueError(f"Mix of timestamp presence within a group: {sample}")
            if self._time is not None and self._time > time and kind != "info":
                raise ValueError(f"Timestamps went backwards within a group: {sample}")
        series = (sample.name, tuple(sorted(sample.labels.items())))
        is_new = time != self._time or series not in self._series
        self._series.add(series)
        self._seen.add(group)
        self._present, self._time = group, time
        return is_new


class _Buckets:
    """One histogram: the samples of one label set at one time."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._bound: Optional[float] = None
        self._value: Any = 0
        self._has_negative_bounds = False
        self._others: dict[str, Any] = {}

    def add(self, sample: Sample) -> None:
        suffix = sample.name[len(self._name) :]
        if suffix != "_bucket":
            self._others[suffix] = sample.value
            return
        bound = float(sample.labels["le"])
        self._has_negative_bounds |= bound < 0
        if self._bound is not None and bound <= self._bound:
            raise ValueError(f"Buckets out of order: {self._name}")
        if sample.value < self._value:
            raise ValueError(f"Bucket values out of order: {self._name}")
        self._bound, self._value = bound, sample.value

    def check(self) -> None:
        count = self._others.get("_count", self._others.get("_gcount"))
        has_sum, has_gsum = "_sum" in self._others, "_gsum" in self._others
        problems = {
            "+Inf bucket missing": self._bound != math.inf,
            "Count does not match +Inf value": count is not None and count != self._value,
            "_sum without _count": (has_sum or has_gsum) and count is None,
            "_count without _sum": count is not None and not (has_sum or has_gsum),
            "Cannot have _sum with negative buckets": self._has_negative_bounds and has_sum,
            "Cannot have negative _gsum with non-negative buckets": has_gsum
            and self._others["_gsum"] < 0
            and not self._has_negative_bounds,
        }
        for problem, is_present in problems.items():
            if is_present:
                raise ValueError(f"{problem}: {self._name}")


def check_histograms(samples: list[Sample], name: str) -> None:
    """Raises ValueError if the histograms of a family are not whole.

    Args:
        samples: The samples of the family.
        name: Its name.
    """
    present: Any = None
    buckets: Optional[_Buckets] = None
    for sample in samples:
        if sample.name == name:
            continue  # a native histogram
        key = (group_of(sample, name, "histogram"), sample.timestamp)
        if buckets is None or key != present:
            if buckets is not None:
                buckets.check()
            present, buckets = key, _Buckets(name)
        buckets.add(sample)
    if buckets is not None:
        buckets.check()
