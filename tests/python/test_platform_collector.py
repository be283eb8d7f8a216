"""The version of Python as a metric."""

import platform

from djp_telemetry import prometheus
from prometheus_support import same_families


def test_families():
    assert same_families("PlatformCollector")


def test_java_has_more_labels():
    class Java:
        def __getattr__(self, name):
            return getattr(platform, name)

        def system(self):
            return "Java"

        def java_ver(self):
            return "1", "", ("name", "release", "vendor"), ("os",)

    (metric,) = prometheus.PlatformCollector(None, Java()).collect()
    labels = metric.samples[0].labels
    assert (labels["jvm_version"], labels["jvm_vendor"]) == ("1", "vendor")
    assert labels["version"] == platform.python_version()
