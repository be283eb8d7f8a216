"""The native part of a metric in plain Python, for an installation without the native core."""

from __future__ import annotations

import bisect
import math
import struct
import threading
from typing import Any

COUNTER, GAUGE, HISTOGRAM = 1, 2, 3


class Instrument:
    """Holds the numbers of a metric. See bindings/python/src/instrument.c, whose methods it has."""

    _core = None
    _kind = 0

    def _open(self, kind: int, bounds: bytes, core: Any) -> None:
        self._guard = threading.RLock()
        self._number = 0.0
        self._bounds = struct.unpack(f"{len(bounds) // 8}d", bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._kind = kind

    def _divide(self, names: tuple[str, ...], children: Any) -> None:
        self._label_names = names

    def _discard(self) -> None:
        return None

    def _find(self, *values: Any, **names: Any) -> Any:
        return self._labels_rare(*values, **names)  # type: ignore[attr-defined]

    def _read(self) -> Any:
        with self._guard:
            if self._kind == HISTOGRAM:
                return self._number, tuple(self._counts)
            return self._number

    def _instrument_add(self, amount: float) -> None:
        with self._guard:
            self._number += amount

    def _counter_inc(self, amount: Any = 1, *rest: Any, **names: Any) -> None:
        plain = self._kind == COUNTER and type(amount) in (int, float) and not rest and not names
        if plain and 0 <= amount < math.inf:
            self._instrument_add(amount)
        else:
            self._inc_rare(amount, *rest, **names)  # type: ignore[attr-defined]

    def _gauge_inc(self, amount: Any = 1, *rest: Any, **names: Any) -> None:
        plain = self._kind == GAUGE and type(amount) in (int, float) and not rest and not names
        if plain and not math.isnan(amount):
            self._instrument_add(amount)
        else:
            self._inc_rare(amount, *rest, **names)  # type: ignore[attr-defined]

    def _gauge_dec(self, amount: Any = 1, *rest: Any, **names: Any) -> None:
        plain = self._kind == GAUGE and type(amount) in (int, float) and not rest and not names
        if plain and not math.isnan(amount):
            self._instrument_add(-amount)
        else:
            self._dec_rare(amount, *rest, **names)  # type: ignore[attr-defined]

    def _gauge_set(self, *values: Any, **names: Any) -> None:
        if self._kind == GAUGE and len(values) == 1 and type(values[0]) in (int, float):
            with self._guard:
                self._number = float(values[0])
        else:
            self._set_rare(*values, **names)  # type: ignore[attr-defined]

    def _observe(self, *values: Any, **names: Any) -> None:
        plain = self._kind == HISTOGRAM and len(values) == 1 and not names
        if not plain or type(values[0]) not in (int, float) or math.isnan(values[0]):
            self._observe_rare(*values, **names)  # type: ignore[attr-defined]
            return
        with self._guard:
            self._counts[bisect.bisect_left(self._bounds, values[0])] += 1
            if not math.isinf(values[0]):
                self._number += values[0]
