"""The numbers of metrics as objects. By default a metric holds its numbers in the native core and
`metric._value` is a view of them. If ValueClass is replaced before a metric is made, the metric
uses objects of that class."""

from __future__ import annotations

import os
import threading
import warnings
from typing import Any, Callable

from .mmap_dict import MmapedDict, mmap_key

_multi_process_cleanups: list[Callable[[], None]] = []


def close_all_multiprocess_files() -> None:
    """Closes the files of every class that MultiProcessValue() made."""
    while _multi_process_cleanups:
        _multi_process_cleanups.pop()()


class MutexValue:
    """A number of this process. The arguments name its sample."""

    _multiprocess = False

    def __init__(
        self,
        typ: Any,
        metric_name: Any,
        name: Any,
        labelnames: Any,
        labelvalues: Any,
        help_text: Any,
        **kwargs: Any,
    ) -> None:
        self._value = 0.0
        self._exemplar: Any = None
        self._lock = threading.RLock()

    def inc(self, amount: float) -> None:
        """Adds an amount.

        Args:
            amount: The amount.
        """
        with self._lock:
            self._value += amount

    def set(self, value: float, timestamp: Any = None) -> None:
        """Replaces the number.

        Args:
            value: The number.
            timestamp: Ignored.
        """
        self._value = value

    def set_exemplar(self, exemplar: Any) -> None:
        """Replaces the exemplar.

        Args:
            exemplar: The exemplar.
        """
        self._exemplar = exemplar

    def get(self) -> float:
        """The number."""
        return self._value

    def get_exemplar(self) -> Any:
        """The exemplar."""
        return self._exemplar


class _Files:
    """The files of one class of values: one for each type of metric, of one process. The lock is
    reentrant, so that a signal handler may record, and new after a fork."""

    def __init__(self, process_identifier: Callable[[], Any]) -> None:
        self._identify = process_identifier
        self._process = process_identifier()
        self._open: dict[str, MmapedDict] = {}
        self.values: list[Any] = []
        self.lock = threading.RLock()

    def of(self, kind: str) -> MmapedDict:
        """The file of a type."""
        if kind not in self._open:
            folder = os.environ["PROMETHEUS_MULTIPROC_DIR"]
            self._open[kind] = MmapedDict(os.path.join(folder, f"{kind}_{self._process}.db"))
        return self._open[kind]

    def close(self) -> None:
        """Closes the files."""
        for file in self._open.values():
            file.close()
        self._open.clear()

    def discard(self) -> None:
        """Closes the files for good."""
        self.close()
        self.values.clear()

    def follow(self) -> None:
        """A forked process begins with its own files."""
        process = self._identify()
        if process != self._process:
            self._process = process
            self.close()
            for value in self.values:
                value._attach()


class _MmapedValue:
    """A number in a file. Each class that MultiProcessValue() makes has its own files."""

    _multiprocess = True
    _files: Any

    def __init__(
        self,
        typ: str,
        metric_name: str,
        name: str,
        labelnames: Any,
        labelvalues: Any,
        help_text: str,
        multiprocess_mode: str = "",
        **kwargs: Any,
    ) -> None:
        _adopt_old_variable()
        self._kind = f"{typ}_{multiprocess_mode}" if typ == "gauge" else typ
        self._key = mmap_key(metric_name, name, labelnames, labelvalues, help_text)
        with self._files.lock:
            self._files.follow()
            self._attach()
            self._files.values.append(self)

    def _attach(self) -> None:
        self._value, self._timestamp = self._files.of(self._kind).read_value(self._key)

    def _write(self) -> None:
        self._files.of(self._kind).write_value(self._key, self._value, self._timestamp)

    def inc(self, amount: float) -> None:
        with self._files.lock:
            self._files.follow()
            self._value += amount
            self._timestamp = 0.0
            self._write()

    def set(self, value: float, timestamp: Any = None) -> None:
        with self._files.lock:
            self._files.follow()
            self._value = value
            self._timestamp = timestamp or 0.0
            self._write()

    def set_exemplar(self, exemplar: Any) -> None:
        return None  # the files have no place for exemplars

    def get(self) -> float:
        with self._files.lock:
            self._files.follow()
            return self._value

    def get_exemplar(self) -> Any:
        return None

    @classmethod
    def close_all_files(cls) -> None:
        with cls._files.lock:
            cls._files.discard()


def MultiProcessValue(process_identifier: Callable[[], Any] = os.getpid) -> Any:
    """A class of numbers in files that MultiProcessCollector reads, in the format of
    prometheus_client. The native core shares its metrics without these files.

    Args:
        process_identifier: Returns what is different in each process that runs.
    """
    files = _Files(process_identifier)
    _multi_process_cleanups.append(files.discard)
    return type("MmapedValue", (_MmapedValue,), {"_files": files})


def _adopt_old_variable() -> None:
    """The directory under the old name of its variable."""
    old = os.environ.get("prometheus_multiproc_dir")  # noqa: SIM112
    if old and "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = old
        warnings.warn(
            "prometheus_multiproc_dir is deprecated: set PROMETHEUS_MULTIPROC_DIR.",
            DeprecationWarning,
            stacklevel=3,
        )


def get_value_class() -> Any:
    """The class of numbers for the environment. With the native core it is always MutexValue,
    which metrics replace by the core."""
    from .._loader import native

    _adopt_old_variable()
    if native is None and "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        return MultiProcessValue()
    return MutexValue


ValueClass = get_value_class()
