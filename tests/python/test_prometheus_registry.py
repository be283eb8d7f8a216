"""Registries of djp_telemetry.prometheus."""

import logging
import os
import signal

import prometheus_client
import pytest
from djp_telemetry import prometheus
from prometheus_support import BOTH, outcome


class Custom:
    def __init__(self, package, name="custom", fails=False):
        self.package, self.name, self.fails = package, name, fails

    def collect(self):
        if self.fails:
            raise RuntimeError("as the test wants")
        metric = self.package.Metric(self.name, "d", "gauge")
        metric.add_sample(self.name, {"a": "b"}, 1.5)
        yield metric


@BOTH
def test_collectors_are_found_by_name(package):
    registry = package.CollectorRegistry(auto_describe=True)
    custom = Custom(package)
    registry.register(custom)
    counter = package.Counter("c", "d", registry=registry)
    assert registry._names_to_collectors["custom"] is custom
    assert registry._names_to_collectors["c_total"] is counter
    assert registry._collector_to_names[counter] == ["c", "c_total", "c_created"]
    with pytest.raises(ValueError, match="Duplicated"):
        package.Gauge("c_total", "d", registry=registry)
    assert registry.get_sample_value("custom", {"a": "b"}) == 1.5
    assert registry.get_sample_value("custom") is None
    registry.unregister(counter)
    assert outcome(lambda: registry.unregister(counter)) == "KeyError"
    assert "c_total" not in registry._names_to_collectors
    package.Gauge("c_total", "d", registry=registry)


@BOTH
def test_target_info_and_restricted_registries(package):
    registry = package.CollectorRegistry(target_info={"a": "b"})
    package.Counter("c", "d", registry=registry).inc()
    package.Gauge("g", "d", registry=registry)
    assert registry.get_target_info() == {"a": "b"}
    assert outcome(lambda: package.Info("target", "d", registry=registry)).endswith("Timeseries")
    page = package.generate_latest(registry.restricted_registry(["c_total", "target_info"]))
    assert b'target_info{a="b"} 1.0' in page
    assert b"c_total 1.0" in page
    assert b"# TYPE g" not in page
    registry.set_target_info(None)
    assert b"target_info" not in package.generate_latest(registry)


def test_a_collector_that_fails_is_left_out_with_one_message(caplog):
    registry = prometheus.CollectorRegistry()
    registry.register(Custom(prometheus, "good"))
    failing = Custom(prometheus, "bad", fails=True)
    registry.register(failing)
    with caplog.at_level(logging.WARNING, "djp_telemetry"):
        for _ in range(3):
            assert b'good{a="b"} 1.5' in prometheus.generate_latest(registry)
    assert [record.getMessage() for record in caplog.records] == [
        "A Prometheus collector failed, its metrics are missing: Custom"
    ]


def test_a_signal_handler_may_use_the_registry_that_it_interrupts():
    registry = prometheus.CollectorRegistry()
    before = signal.signal(
        signal.SIGUSR1, lambda *_: prometheus.Counter("late", "d", registry=registry).inc()
    )
    try:
        with registry._lock:
            os.kill(os.getpid(), signal.SIGUSR1)
            while registry.get_sample_value("late_total") is None:
                pass
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_fork_while_another_thread_holds_the_lock_leaves_it_free():
    registry = prometheus.CollectorRegistry()
    registry._lock.acquire()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        import threading

        done = threading.Event()

        def register():
            prometheus.Counter("c", "d", registry=registry)
            done.set()

        threading.Thread(target=register, daemon=True).start()
        os.write(write, b"1" if done.wait(20) else b"0")
        os._exit(0)
    os.waitpid(child, 0)
    registry._lock.release()
    assert os.read(read, 1) == b"1"
    os.close(read)
    os.close(write)


def test_the_default_registry_has_the_standard_collectors():
    theirs = {type(c).__name__ for c in prometheus_client.REGISTRY._collector_to_names}
    ours = {type(c).__name__ for c in prometheus.REGISTRY._collector_to_names}
    assert theirs >= {"GCCollector", "PlatformCollector", "ProcessCollector"} <= ours
