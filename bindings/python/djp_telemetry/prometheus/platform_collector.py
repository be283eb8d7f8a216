"""The version of Python as a metric."""

from __future__ import annotations

import platform as _system
from collections.abc import Iterable
from typing import Any

from .metrics_core import GaugeMetricFamily, Metric
from .registry import REGISTRY, Collector


class PlatformCollector(Collector):
    """Collects this metric.

    Args:
        registry: The registry to register in; None: none.
        platform: A module like platform.
    """

    def __init__(self, registry: Any = REGISTRY, platform: Any = None) -> None:
        self._platform = _system if platform is None else platform
        info = self._info()
        if self._platform.system() == "Java":
            info.update(self._java())
        self._metrics = [self._add_metric("python_info", "Python platform information", info)]
        if registry:
            registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """The metric."""
        return self._metrics

    @staticmethod
    def _add_metric(name: str, documentation: str, data: dict[str, str]) -> Metric:
        family = GaugeMetricFamily(name, documentation, labels=list(data))
        family.add_metric(list(data.values()), 1)
        return family

    def _info(self) -> dict[str, str]:
        version = zip(("major", "minor", "patchlevel"), self._platform.python_version_tuple())
        return {
            "version": self._platform.python_version(),
            "implementation": self._platform.python_implementation(),
            **dict(version),
        }

    def _java(self) -> dict[str, str]:
        version, _, machine, _ = self._platform.java_ver()
        name, release, vendor = machine
        return {
            "jvm_version": version,
            "jvm_release": release,
            "jvm_vendor": vendor,
            "jvm_name": name,
        }


PLATFORM_COLLECTOR = PlatformCollector()
