"""Sends a registry to Graphite."""

from __future__ import annotations

import logging
import re
import socket
import threading
import time
from typing import Any, Callable

from ..registry import REGISTRY

# Points would separate a label like a part of the name.
_INVALID_GRAPHITE_CHARS = re.compile(r"[^a-zA-Z0-9_-]")


def _sanitize(s: str) -> str:
    return _INVALID_GRAPHITE_CHARS.sub("_", s)


class _RegularPush(threading.Thread):
    def __init__(self, pusher: GraphiteBridge, interval: float, prefix: str) -> None:
        super().__init__(daemon=True)
        self._pusher = pusher
        self._interval = interval
        self._prefix = prefix

    def run(self) -> None:
        next_push = time.monotonic()
        while True:
            now = time.monotonic()
            if now < next_push:
                time.sleep(next_push - now)
                continue
            missed = (now - next_push) // self._interval
            next_push += (missed + 1) * self._interval
            try:
                self._pusher.push(prefix=self._prefix)
            except OSError:
                logging.getLogger("djp_telemetry").warning("Push to Graphite failed", exc_info=True)


class GraphiteBridge:
    """Sends the samples of a registry as lines of Graphite.

    Args:
        address: Host and port.
        registry: The registry.
        timeout_seconds: Time limit of the connection.
        _timer: Returns the time.
        tags: Labels are tags instead of parts of the name.
    """

    def __init__(
        self,
        address: tuple[str, int],
        registry: Any = REGISTRY,
        timeout_seconds: float = 30,
        _timer: Callable[[], float] = time.time,
        tags: bool = False,
    ) -> None:
        self._address = address
        self._registry = registry
        self._timeout = timeout_seconds
        self._timer = _timer
        self._before, self._between = (";", "=") if tags else (".", ".")

    def _labels(self, labels: dict[str, str]) -> str:
        return "".join(
            f"{self._before}{_sanitize(name)}{self._between}{_sanitize(labels[name])}"
            for name in sorted(labels)
        )

    def push(self, prefix: str = "") -> None:
        """Sends the samples once.

        Args:
            prefix: First part of the names.
        """
        now = int(self._timer())
        start = f"{prefix}." if prefix else ""
        lines = [
            f"{start}{_sanitize(sample.name)}{self._labels(sample.labels)} "
            f"{float(sample.value)} {now}\n"
            for metric in self._registry.collect()
            for sample in metric.samples
        ]
        with socket.create_connection(self._address, self._timeout) as connection:
            connection.sendall("".join(lines).encode("ascii"))

    def start(self, interval: float = 60.0, prefix: str = "") -> None:
        """Sends the samples at intervals, in a daemon thread.

        Args:
            interval: Seconds.
            prefix: First part of the names.
        """
        _RegularPush(self, interval, prefix).start()
