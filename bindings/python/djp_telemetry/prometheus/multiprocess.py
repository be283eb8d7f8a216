"""The numbers of several processes from files in a directory, in the format of prometheus_client.
Metrics of the native core need no files: every process shows the numbers of all."""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Iterable
from typing import Any, Optional

from . import _sharing
from .metrics import Gauge
from .metrics_core import Metric
from .mmap_dict import MmapedDict
from .registry import REGISTRY
from .samples import Sample
from .utils import floatToGoString
from .values import _adopt_old_variable

Labels = tuple[tuple[str, str], ...]
_LIVE_GAUGE_MULTIPROCESS_MODES = {m for m in Gauge._MULTIPROC_MODES if m.startswith("live")}
_SHARED_MODES = ("min", "max", "sum", "mostrecent")


def _without(labels: Labels, name: str) -> Labels:
    return tuple(pair for pair in labels if pair[0] != name)


class _Gauges:
    """The values of one gauge of several processes as one, by the mode of the family."""

    def __init__(self, mode: str) -> None:
        self._mode = mode.replace("live", "", 1) if mode != "all" else mode
        self._values: dict[tuple[str, Labels], float] = {}
        self._times: dict[tuple[str, Labels], float] = {}

    def add(self, sample: Any) -> None:
        name, labels, value = sample.name, sample.labels, sample.value
        if self._mode in _SHARED_MODES:
            labels = _without(labels, "pid")
        key = (name, labels)
        present = self._values.get(key)
        if present is None or self._mode not in _SHARED_MODES:
            self._values[key] = value
            self._times[key] = float(sample.timestamp or 0)
        elif self._mode == "mostrecent":
            if float(sample.timestamp or 0) > self._times[key]:
                self._values[key] = value
                self._times[key] = float(sample.timestamp)
        elif self._mode == "sum":
            self._values[key] = present + value
        else:
            self._values[key] = (min if self._mode == "min" else max)(present, value)

    def samples(self) -> list[Sample]:
        return [Sample(name, dict(labels), value) for (name, labels), value in self._values.items()]


class _Sums:
    """The sums of counters, summaries and histograms."""

    def __init__(self, name: str, accumulate: bool) -> None:
        self._name = name
        self._accumulate = accumulate
        # By the labels of the series: sums and, for a histogram, counts of the buckets.
        self._series: dict[Labels, tuple[dict[str, float], dict[float, float]]] = {}

    def add(self, sample: Any) -> None:
        bound = dict(sample.labels).get("le") if sample.name == f"{self._name}_bucket" else None
        labels = sample.labels if bound is None else _without(sample.labels, "le")
        sums, buckets = self._series.setdefault(labels, ({}, {}))
        if bound is None:
            sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
        else:
            buckets[float(bound)] = buckets.get(float(bound), 0.0) + sample.value

    def samples(self) -> list[Sample]:
        found: list[Sample] = []
        for labels, (sums, buckets) in self._series.items():
            found.extend(Sample(name, dict(labels), value) for name, value in sums.items())
            count = 0.0
            for bound in sorted(buckets):
                count += buckets[bound]
                value = count if self._accumulate else buckets[bound]
                with_bound = {**dict(labels), "le": floatToGoString(bound)}
                found.append(Sample(f"{self._name}_bucket", with_bound, value))
            if buckets and self._accumulate:
                found.append(Sample(f"{self._name}_count", dict(labels), count))
        return found


class MultiProcessCollector:
    """Collects the files of a directory, and the metrics of the native core.

    Args:
        registry: The registry to register in; None: none.
        path: The directory; PROMETHEUS_MULTIPROC_DIR by default.
    """

    def __init__(self, registry: Any, path: Optional[str] = None) -> None:
        if path is None:
            _adopt_old_variable()
            path = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        if not path or not os.path.isdir(path):
            raise ValueError("env PROMETHEUS_MULTIPROC_DIR is not set or not a directory")
        self._path = path
        _sharing.begin()
        if registry:
            registry.register(self)

    @staticmethod
    def merge(files: Iterable[str], accumulate: bool = True) -> Any:
        """The metrics of some files.

        Args:
            files: The files.
            accumulate: A bucket contains the counts of lower ones, as in an exposition.
        """
        metrics = MultiProcessCollector._read_metrics(files)
        return MultiProcessCollector._accumulate_metrics(metrics, accumulate)

    @staticmethod
    def _read_metrics(files: Iterable[str]) -> dict[str, Any]:
        metrics: dict[str, Any] = {}
        keys: dict[str, Any] = {}
        for path in files:
            kind, *rest = os.path.basename(path)[: -len(".db")].split("_")
            try:
                entries = MmapedDict.read_all_values_from_file(path)
            except FileNotFoundError:
                if kind == "gauge" and rest[0].startswith("live"):
                    continue  # mark_process_dead() removed it meanwhile
                raise
            for key, value, timestamp, _ in entries:
                if key not in keys:
                    keys[key] = json.loads(key)
                family, name, labels, documentation = keys[key]
                pairs = tuple(sorted(labels.items()))
                metric: Any = metrics.get(family) or Metric(family, documentation, kind)
                metrics[family] = metric
                if kind == "gauge":
                    metric._multiprocess_mode = rest[0]
                    metric.add_sample(name, (*pairs, ("pid", rest[1])), value, timestamp)
                else:
                    metric.add_sample(name, pairs, value)
        return metrics

    @staticmethod
    def _accumulate_metrics(metrics: dict[str, Any], accumulate: bool) -> Any:
        for metric in metrics.values():
            total: Any = (
                _Gauges(metric._multiprocess_mode)
                if metric.type == "gauge"
                else _Sums(metric.name, accumulate)
            )
            for sample in metric.samples:
                total.add(sample)
            metric.samples = total.samples()
        return metrics.values()

    def collect(self) -> Any:
        """The metrics of the present moment."""
        files = glob.glob(os.path.join(glob.escape(self._path), "*.db"))
        metrics = list(self.merge(files, accumulate=True))
        found = {metric.name for metric in metrics}
        shared = REGISTRY._core.all_families()
        return metrics + [metric for metric in shared if metric.name not in found]


def mark_process_dead(pid: Any, path: Optional[str] = None) -> None:
    """Removes the files of the live gauges of a process that has ended. The native core finds
    ended processes itself.

    Args:
        pid: The process id.
        path: The directory; PROMETHEUS_MULTIPROC_DIR by default.
    """
    if path is None:
        path = os.environ.get(
            "PROMETHEUS_MULTIPROC_DIR",
            os.environ.get("prometheus_multiproc_dir"),  # noqa: SIM112
        )
    for mode in _LIVE_GAUGE_MULTIPROCESS_MODES if path else ():
        for file in glob.glob(os.path.join(glob.escape(path or ""), f"gauge_{mode}_{pid}.db")):
            os.remove(file)
