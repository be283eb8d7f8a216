"""Numbers by name in a file, in the format of prometheus_client: the used size, then for each
number the size of its name, the name padded with spaces, the number and a time."""

from __future__ import annotations

import json
import mmap
import os
import struct
from collections.abc import Iterator, Sequence
from typing import Any

_INITIAL_MMAP_SIZE = 1 << 16
_HEADER = 8
_SIZE = struct.Struct("i")
_PAIR = struct.Struct("dd")


def _padded(size: int) -> int:
    """The size of a name of that many bytes with its padding, which is 1 to 8 bytes long."""
    return size + 8 - (size + _SIZE.size) % 8


def _entries(data: Any, used: int) -> Iterator[tuple[str, float, float, int]]:
    """Yields each name, number, time and the place of the number."""
    at = _HEADER
    while at < used:
        (size,) = _SIZE.unpack_from(data, at)
        start = at + _SIZE.size
        place = start + _padded(size)
        if size < 0 or at + size > used or place + _PAIR.size > used:
            raise RuntimeError(f"The file is damaged at byte {at}: a name ends after {used} bytes.")
        yield (data[start : start + size].decode("utf-8"), *_PAIR.unpack_from(data, place), place)
        at = place + _PAIR.size


class MmapedDict:
    """The numbers of one file.

    Args:
        filename: The file, made if it does not exist.
        read_mode: Only reads an existing file.
    """

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        self._fname = filename
        self._f: Any = open(filename, "rb" if read_mode else "a+b")  # noqa: SIM115
        self._capacity = os.fstat(self._f.fileno()).st_size
        if self._capacity == 0:
            self._capacity = _INITIAL_MMAP_SIZE
            self._f.truncate(self._capacity)
        access = mmap.ACCESS_READ if read_mode else mmap.ACCESS_WRITE
        self._m: Any = mmap.mmap(self._f.fileno(), self._capacity, access=access)
        self._positions: dict[str, int] = {}
        (self._used,) = _SIZE.unpack_from(self._m, 0)
        if self._used == 0:
            self._use(_HEADER)
        elif not read_mode:
            self._positions = {key: place for key, _, _, place in _entries(self._m, self._used)}

    def _use(self, used: int) -> None:
        self._used = used
        self._m[: _SIZE.size] = _SIZE.pack(used)

    @staticmethod
    def read_all_values_from_file(filename: str) -> Iterator[tuple[str, float, float, int]]:
        """The names, numbers, times and places of a file.

        Args:
            filename: The file.
        """
        with open(filename, "rb") as file:
            data = file.read()
        used = _SIZE.unpack_from(data, 0)[0] if len(data) >= _SIZE.size else 0
        return _entries(data, min(used, len(data)))

    def _init_value(self, key: str) -> None:
        name = key.encode("utf-8")
        entry = _SIZE.pack(len(name)) + name.ljust(_padded(len(name))) + _PAIR.pack(0.0, 0.0)
        end = self._used + len(entry)
        if end > self._capacity:
            while end > self._capacity:
                self._capacity *= 2
            self._m.close()
            self._f.truncate(self._capacity)
            self._m = mmap.mmap(self._f.fileno(), self._capacity)
        self._m[self._used : end] = entry
        self._use(end)
        self._positions[key] = end - _PAIR.size

    def _place(self, key: str) -> int:
        if key not in self._positions:
            self._init_value(key)
        return self._positions[key]

    def read_all_values(self) -> Iterator[tuple[str, float, float]]:
        """Yields the names, numbers and times."""
        for key, value, timestamp, _ in _entries(self._m, self._used):
            yield key, value, timestamp

    def read_value(self, key: str) -> tuple[float, float]:
        """The number and time of a name, made if it does not exist.

        Args:
            key: The name.
        """
        value, timestamp = _PAIR.unpack_from(self._m, self._place(key))
        return value, timestamp

    def write_value(self, key: str, value: float, timestamp: float) -> None:
        """Sets the number and time of a name.

        Args:
            key: The name.
            value: The number.
            timestamp: The time.
        """
        place = self._place(key)
        self._m[place : place + _PAIR.size] = _PAIR.pack(value, timestamp)

    def close(self) -> None:
        """Closes the file."""
        if self._f:
            self._m.close()
            self._f.close()
            self._m = self._f = None


def mmap_key(
    metric_name: str,
    name: str,
    labelnames: Sequence[str],
    labelvalues: Sequence[str],
    help_text: str,
) -> str:
    """The name of a sample in a file.

    Args:
        metric_name: Name of the family.
        name: Name of the sample.
        labelnames: Label names.
        labelvalues: Label values.
        help_text: Help text.
    """
    labels = dict(zip(labelnames, labelvalues))
    return json.dumps([metric_name, name, labels, help_text], sort_keys=True)
