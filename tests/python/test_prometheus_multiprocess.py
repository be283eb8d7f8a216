"""Numbers of several processes in files, in the format of prometheus_client."""

import prometheus_client
import pytest
from djp_telemetry import prometheus
from djp_telemetry.prometheus import multiprocess, values
from prometheus_support import pair

MODES = sorted(prometheus.Gauge._MULTIPROC_MODES)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.delenv("DJP_TELEMETRY_SHARED_DIR", raising=False)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    monkeypatch.setattr("djp_telemetry.prometheus._sharing.begin", lambda: None)
    yield tmp_path
    values.close_all_multiprocess_files()
    prometheus_client.values.close_all_multiprocess_files()


def record(package, monkeypatch, number):
    """Two processes record."""
    for process in (123, 456):
        value_class = package.values.MultiProcessValue(lambda process=process: process)
        monkeypatch.setattr(package.values, "ValueClass", value_class)
        package.Counter("c", "d", ["x"], registry=None).labels("1").inc(number)
        histogram = package.Histogram("h", "d", registry=None, buckets=[1, 2])
        histogram.observe(number)
        package.Summary("s", "d", registry=None).observe(number)
        for mode in MODES:
            gauge = package.Gauge(f"g_{mode}", "d", registry=None, multiprocess_mode=mode)
            gauge.set(process + number)


def page(package):
    registry = package.CollectorRegistry()
    package.multiprocess.MultiProcessCollector(registry)
    return sorted(package.generate_latest(registry).splitlines())


def test_files_are_written_and_read_alike(folder, monkeypatch):
    import prometheus_client.multiprocess

    record(prometheus, monkeypatch, 1.5)
    written = page(prometheus)
    assert b'c_total{x="1"} 3.0' in written
    assert b"g_max 457.5" in written
    assert written == page(prometheus_client)
    record(prometheus_client, monkeypatch, 0.5)
    assert page(prometheus) == page(prometheus_client)
    multiprocess.mark_process_dead(123)
    assert page(prometheus) == page(prometheus_client)
    assert b"g_livesum 456.5" in page(prometheus)


def test_a_fork_continues_in_its_own_files(folder, monkeypatch):
    process = 1
    monkeypatch.setattr(values, "ValueClass", values.MultiProcessValue(lambda: process))
    counter = prometheus.Counter("c", "d", registry=None)
    counter.inc(2)
    process = 2
    counter.inc()
    assert counter._value.get() == 1
    assert b"c_total 3.0" in page(prometheus)


def test_the_directory_must_exist(monkeypatch, tmp_path):
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    for path in (None, str(tmp_path / "none")):
        with pytest.raises(ValueError, match="PROMETHEUS_MULTIPROC_DIR"):
            multiprocess.MultiProcessCollector(None, path)


def test_the_old_variable_is_read_with_a_warning(monkeypatch, tmp_path):
    monkeypatch.setenv("prometheus_multiproc_dir", str(tmp_path))
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "x")
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR")
    with pytest.warns(DeprecationWarning, match="PROMETHEUS_MULTIPROC_DIR"):
        assert values.get_value_class() is values.MutexValue


def test_damage_is_found(tmp_path):
    ours, theirs = pair("mmap_dict")
    path = str(tmp_path / "counter_1.db")
    numbers = ours.MmapedDict(path)
    key = "a" * ours._INITIAL_MMAP_SIZE
    numbers.write_value("b", 1.5, 2.5)
    numbers.write_value(key, 3, 4)
    assert list(numbers.read_all_values()) == [("b", 1.5, 2.5), (key, 3, 4)]
    numbers.close()
    numbers.close()
    assert theirs.MmapedDict(path).read_value(key) == ours.MmapedDict(path).read_value(key)
    with open(path, "r+b") as file:
        file.seek(8)
        file.write(b"\xff\xff\xff\x7f")
    with pytest.raises(RuntimeError):
        list(ours.MmapedDict.read_all_values_from_file(path))
