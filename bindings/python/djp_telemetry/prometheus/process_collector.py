"""Metrics of the process, read from /proc."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from typing import Any, Callable, Union

from .metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from .registry import REGISTRY, Collector

_PAGESIZE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
# Fields of /proc/PID/stat after the name in parentheses.
_UTIME, _STIME, _START, _VIRTUAL, _RESIDENT = 11, 12, 19, 20, 21


class ProcessCollector(Collector):
    """Collects these metrics.

    Args:
        namespace: First part of the names.
        pid: Returns the process id, or "self".
        proc: The proc file system.
        registry: The registry to register in; None: none.
    """

    def __init__(
        self,
        namespace: str = "",
        pid: Callable[[], Union[int, str]] = lambda: "self",
        proc: str = "/proc",
        registry: Any = REGISTRY,
    ) -> None:
        self._namespace = namespace
        self._pid = pid
        self._proc = proc
        self._pagesize = _PAGESIZE
        self._prefix = f"{namespace}_process_" if namespace else "process_"
        self._ticks = 100.0
        with contextlib.suppress(ValueError, TypeError, AttributeError, OSError):
            self._ticks = float(os.sysconf("SC_CLK_TCK"))
        self._btime = 0.0
        with contextlib.suppress(OSError):
            self._btime = self._boot_time()
        if registry:
            registry.register(self)

    def _boot_time(self) -> float:
        with open(os.path.join(self._proc, "stat"), "rb") as file:
            return next((float(line.split()[1]) for line in file if line[:6] == b"btime "), 0.0)

    def _gauge(self, name: str, documentation: str, value: float) -> Metric:
        return GaugeMetricFamily(self._prefix + name, documentation, value=value)

    def _of_stat(self, folder: str) -> Iterator[Metric]:
        with open(os.path.join(folder, "stat"), "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        yield self._gauge(
            "virtual_memory_bytes", "Virtual memory size in bytes.", float(fields[_VIRTUAL])
        )
        yield self._gauge(
            "resident_memory_bytes",
            "Resident memory size in bytes.",
            float(fields[_RESIDENT]) * self._pagesize,
        )
        yield self._gauge(
            "start_time_seconds",
            "Start time of the process since unix epoch in seconds.",
            float(fields[_START]) / self._ticks + self._btime,
        )
        yield CounterMetricFamily(
            self._prefix + "cpu_seconds_total",
            "Total user and system CPU time spent in seconds.",
            value=float(fields[_UTIME]) / self._ticks + float(fields[_STIME]) / self._ticks,
        )

    def _of_files(self, folder: str) -> Iterator[Metric]:
        yield self._gauge(
            "open_fds",
            "Number of open file descriptors.",
            len(os.listdir(os.path.join(folder, "fd"))),
        )
        with open(os.path.join(folder, "limits"), "rb") as file:
            limit = next((line for line in file if line.startswith(b"Max open file")), None)
        if limit is not None:
            yield self._gauge(
                "max_fds",
                "Maximum number of open file descriptors.",
                float(limit.split()[3]),
            )

    def collect(self) -> Iterable[Metric]:
        """The metrics of the present moment; those that cannot be read are left out."""
        metrics: list[Metric] = []
        if not self._btime:
            return metrics
        folder = os.path.join(self._proc, str(self._pid()).strip())
        for part in (self._of_stat, self._of_files):
            with contextlib.suppress(OSError):
                metrics.extend(part(folder))
        return metrics


PROCESS_COLLECTOR = ProcessCollector()
