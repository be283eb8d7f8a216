"""Metrics of several processes in a service that does not start telemetry."""

from __future__ import annotations

import os

from .. import _runtime

_VARIABLES = ("PROMETHEUS_MULTIPROC_DIR", "DJP_TELEMETRY_SHARED_DIR")


def begin() -> None:
    """Shares the metrics of the default registry if the environment names a directory for it and
    telemetry is off. May be called at any time: the variable may be set late."""
    if any(os.environ.get(name) for name in _VARIABLES):
        _runtime.begin_sharing()
