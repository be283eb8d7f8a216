"""Metric families as collectors return them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional, Union

from .samples import Exemplar, NativeHistogram, Sample, Timestamp
from .validation import _validate_metric_name

METRIC_TYPES = (
    "counter",
    "gauge",
    "summary",
    "histogram",
    "gaugehistogram",
    "unknown",
    "info",
    "stateset",
)
_Time = Optional[Union[Timestamp, float]]


class Metric:
    """A family: its name, type and samples.

    Args:
        name: Name without the suffixes of its samples.
        documentation: Help text.
        typ: One of METRIC_TYPES; untyped is unknown.
        unit: Unit, appended to the name if it is missing.
    """

    def __init__(self, name: str, documentation: str, typ: str, unit: str = "") -> None:
        suffix = f"_{unit}" if unit else ""
        self.name = name if name.endswith(suffix) else name + suffix
        _validate_metric_name(self.name)
        self.documentation = documentation
        self.unit = unit
        self.type = "unknown" if typ == "untyped" else typ
        if self.type not in METRIC_TYPES:
            raise ValueError(f"Invalid metric type: {typ}")
        self.samples: list[Sample] = []

    def add_sample(
        self,
        name: str,
        labels: dict[str, str],
        value: Any,
        timestamp: _Time = None,
        exemplar: Optional[Exemplar] = None,
        native_histogram: Optional[NativeHistogram] = None,
    ) -> None:
        """Adds a sample.

        Args:
            name: Name of the sample.
            labels: Its labels.
            value: Its value.
            timestamp: Time of the value.
            exemplar: An exemplar.
            native_histogram: Value of a native histogram.
        """
        self.samples.append(Sample(name, labels, value, timestamp, exemplar, native_histogram))

    def _fields(self) -> tuple[Any, ...]:
        return self.name, self.documentation, self.type, self.unit, self.samples

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Metric) and self._fields() == other._fields()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "Metric({}, {}, {}, {}, {})".format(*self._fields())

    def _restricted_metric(self, names: Any) -> Optional[Metric]:
        samples = [sample for sample in self.samples if sample[0] in names]
        if not samples:
            return None
        metric = Metric(self.name, self.documentation, self.type)
        metric.samples = samples
        return metric

    def _start(self, labels: Any, *values: Any) -> bool:
        """Keeps the label names. Whether there is a value, for a family without labels."""
        if labels is not None and any(value is not None for value in values):
            raise ValueError("Can only specify at most one of value and labels.")
        self._labelnames = tuple(labels or ())
        return any(value is not None for value in values)

    def _labelled(self, values: Sequence[str]) -> dict[str, str]:
        return dict(zip(self._labelnames, values))


class _SingleValue(Metric):
    """A family with one sample per label set, named as the family."""

    _family_type = ""

    def __init__(
        self,
        name: str,
        documentation: str,
        value: Optional[float] = None,
        labels: Optional[Sequence[str]] = None,
        unit: str = "",
    ) -> None:
        super().__init__(name, documentation, self._family_type, unit)
        if self._start(labels, value):
            self.add_metric([], value)

    def add_metric(self, labels: Sequence[str], value: Any, timestamp: _Time = None) -> None:
        """Adds the value of a label set.

        Args:
            labels: Label values.
            value: The value.
            timestamp: Time of the value.
        """
        self.add_sample(self.name, self._labelled(labels), value, timestamp)


class UnknownMetricFamily(_SingleValue):
    """A family of unknown type."""

    _family_type = "unknown"


UntypedMetricFamily = UnknownMetricFamily


class GaugeMetricFamily(_SingleValue):
    """A family of gauges."""

    _family_type = "gauge"


class CounterMetricFamily(Metric):
    """A family of counters. The name may end in _total."""

    def __init__(
        self,
        name: str,
        documentation: str,
        value: Optional[float] = None,
        labels: Optional[Sequence[str]] = None,
        created: Optional[float] = None,
        unit: str = "",
        exemplar: Optional[Exemplar] = None,
    ) -> None:
        name = name[: -len("_total")] if name.endswith("_total") else name
        super().__init__(name, documentation, "counter", unit)
        if self._start(labels, value):
            self.add_metric([], value, created, exemplar=exemplar)

    def add_metric(
        self,
        labels: Sequence[str],
        value: Any,
        created: Optional[float] = None,
        timestamp: _Time = None,
        exemplar: Optional[Exemplar] = None,
    ) -> None:
        """Adds the value of a label set.

        Args:
            labels: Label values.
            value: The value.
            created: Unix time of the counter's start.
            timestamp: Time of the value.
            exemplar: An exemplar.
        """
        labelled = self._labelled(labels)
        self.add_sample(self.name + "_total", labelled, value, timestamp, exemplar)
        if created is not None:
            self.add_sample(self.name + "_created", labelled, created, timestamp)


class SummaryMetricFamily(Metric):
    """A family of summaries without quantiles."""

    def __init__(
        self,
        name: str,
        documentation: str,
        count_value: Optional[int] = None,
        sum_value: Optional[float] = None,
        labels: Optional[Sequence[str]] = None,
        unit: str = "",
    ) -> None:
        super().__init__(name, documentation, "summary", unit)
        if (sum_value is None) != (count_value is None):
            raise ValueError("count_value and sum_value must be provided together.")
        if self._start(labels, count_value):
            self.add_metric([], count_value, sum_value)

    def add_metric(
        self, labels: Sequence[str], count_value: Any, sum_value: Any, timestamp: _Time = None
    ) -> None:
        """Adds the values of a label set.

        Args:
            labels: Label values.
            count_value: Number of observations.
            sum_value: Their sum.
            timestamp: Time of the values.
        """
        labelled = self._labelled(labels)
        self.add_sample(self.name + "_count", labelled, count_value, timestamp)
        self.add_sample(self.name + "_sum", labelled, sum_value, timestamp)


class _Buckets(Metric):
    """A family with cumulative buckets."""

    def _add_buckets(self, labels: Sequence[str], buckets: Any, timestamp: _Time) -> Any:
        """Adds them and returns the value of the last one."""
        last = None
        for bucket, last, *exemplar in buckets:
            labelled = {**self._labelled(labels), "le": bucket}
            self.add_sample(self.name + "_bucket", labelled, last, timestamp, *exemplar[:1])
        return last


class HistogramMetricFamily(_Buckets):
    """A family of histograms. A bucket is its upper bound as text, its cumulative count, and
    maybe an exemplar."""

    def __init__(
        self,
        name: str,
        documentation: str,
        buckets: Optional[Sequence[Any]] = None,
        sum_value: Optional[float] = None,
        labels: Optional[Sequence[str]] = None,
        unit: str = "",
    ) -> None:
        super().__init__(name, documentation, "histogram", unit)
        if sum_value is not None and buckets is None:
            raise ValueError("sum value cannot be provided without buckets.")
        if self._start(labels, buckets):
            self.add_metric([], buckets, sum_value)

    def add_metric(
        self,
        labels: Sequence[str],
        buckets: Any,
        sum_value: Optional[float],
        timestamp: _Time = None,
    ) -> None:
        """Adds the values of a label set.

        Args:
            labels: Label values.
            buckets: The buckets, the last one +Inf.
            sum_value: Sum of the observations.
            timestamp: Time of the values.
        """
        count = self._add_buckets(labels, buckets, timestamp)
        # OpenMetrics has neither for a histogram with negative buckets.
        if float(buckets[0][0]) >= 0 and sum_value is not None:
            labelled = self._labelled(labels)
            self.add_sample(self.name + "_count", labelled, count, timestamp)
            self.add_sample(self.name + "_sum", labelled, sum_value, timestamp)


class GaugeHistogramMetricFamily(_Buckets):
    """A family of histograms whose buckets may fall."""

    def __init__(
        self,
        name: str,
        documentation: str,
        buckets: Optional[Sequence[tuple[str, float]]] = None,
        gsum_value: Optional[float] = None,
        labels: Optional[Sequence[str]] = None,
        unit: str = "",
    ) -> None:
        super().__init__(name, documentation, "gaugehistogram", unit)
        if self._start(labels, buckets):
            self.add_metric([], buckets, gsum_value)

    def add_metric(
        self,
        labels: Sequence[str],
        buckets: Any,
        gsum_value: Optional[float],
        timestamp: _Time = None,
    ) -> None:
        """Adds the values of a label set.

        Args:
            labels: Label values.
            buckets: The buckets, the last one +Inf.
            gsum_value: Sum of the values.
            timestamp: Time of the values.
        """
        labelled = self._labelled(labels)
        count = self._add_buckets(labels, buckets, timestamp)
        self.add_sample(self.name + "_gcount", labelled, count, timestamp)
        self.add_sample(self.name + "_gsum", labelled, gsum_value, timestamp)


class InfoMetricFamily(Metric):
    """A family of texts that describe something, as labels."""

    def __init__(
        self,
        name: str,
        documentation: str,
        value: Optional[dict[str, str]] = None,
        labels: Optional[Sequence[str]] = None,
    ) -> None:
        super().__init__(name, documentation, "info")
        if self._start(labels, value):
            self.add_metric([], value or {})

    def add_metric(
        self, labels: Sequence[str], value: dict[str, str], timestamp: _Time = None
    ) -> None:
        """Adds the texts of a label set.

        Args:
            labels: Label values.
            value: The texts by name.
            timestamp: Time of the values.
        """
        self.add_sample(self.name + "_info", {**self._labelled(labels), **value}, 1, timestamp)


class StateSetMetricFamily(Metric):
    """A family of states, of which any number are true."""

    def __init__(
        self,
        name: str,
        documentation: str,
        value: Optional[dict[str, bool]] = None,
        labels: Optional[Sequence[str]] = None,
    ) -> None:
        super().__init__(name, documentation, "stateset")
        if self._start(labels, value):
            self.add_metric([], value or {})

    def add_metric(
        self, labels: Sequence[str], value: dict[str, bool], timestamp: _Time = None
    ) -> None:
        """Adds the states of a label set.

        Args:
            labels: Label values.
            value: Whether each state is true.
            timestamp: Time of the values.
        """
        for state, is_true in sorted(value.items()):
            labelled = {**self._labelled(labels), self.name: state}
            self.add_sample(self.name, labelled, 1 if is_true else 0, timestamp)
