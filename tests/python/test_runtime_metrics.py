"""Metrics of Python itself: runs of the garbage collector and the version."""

from __future__ import annotations

import gc
import os
import platform

import asgi_driver as driver
import djp_telemetry
import pytest
from djp_telemetry import _runtime_metrics
from djp_telemetry._loader import native

pytest.importorskip("djp_telemetry._native")

COUNTS = "python_gc_collections_total"


@pytest.fixture
def on():
    with driver.telemetry(runtime_metrics=True):
        yield


def runs(generation=2):
    return driver.samples(COUNTS)[f'{COUNTS}{{generation="{generation}"}}']


class Ring:
    def __init__(self):
        self.me = self


def test_without_the_setting_there_are_none():
    with driver.telemetry():
        assert native._runtime_collected not in gc.callbacks
        before = driver.samples(COUNTS)  # of djp_telemetry.prometheus, if a test has imported it
        assert native._runtime_record("python_gc_collections", ("7",), 1) is True  # ignored
        assert f'{COUNTS}{{generation="7"}}' not in driver.samples(COUNTS)
        assert driver.samples(COUNTS).keys() == before.keys()


def test_runs_and_objects_are_counted(on):
    gc.disable()
    try:
        gc.collect()
        before, objects = runs(), driver.samples("python_gc_objects_collected_total")
        rings = [Ring() for _ in range(1000)]
        del rings
        gc.collect()
        gc.collect(0)
        assert runs() == before + 1
        name = 'python_gc_objects_collected_total{generation="2"}'
        now = driver.samples("python_gc_objects_collected_total")
        assert now[name] >= objects[name] + 1000
    finally:
        gc.enable()
    assert len(driver.samples("python_gc_objects_uncollectable_total")) == 3
    assert runs(0) >= 1


def test_the_version(on):
    major, minor, level = platform.python_version_tuple()
    ((sample, value),) = driver.samples("python_info").items()
    assert value == 1
    for label in (
        f'version="{platform.python_version()}"',
        f'implementation="{platform.python_implementation()}"',
        f'major="{major}"',
        f'minor="{minor}"',
        f'patchlevel="{level}"',
    ):
        assert label in sample


def test_they_end_with_telemetry():
    with driver.telemetry(runtime_metrics=True):
        assert gc.callbacks.count(native._runtime_collected) == 1
    assert native._runtime_collected not in gc.callbacks
    assert native._runtime_record("python_gc_collections", ("0",), 1) is False
    native._runtime_collected("stop", {"generation": 0})  # while telemetry is off
    _runtime_metrics.end()  # again


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("stop",),
        ("start", {"generation": 2}),
        (b"stop", {"generation": 2}),
        ("stop", None),
        ("stop", {}),
        ("stop", {"generation": -1}),
        ("stop", {"generation": 10}),
        ("stop", {"generation": "2"}),
        ("stop", {"generation": 1 << 80}),
    ],
)
def test_what_is_no_run_is_not_counted(on, arguments):
    gc.disable()
    try:
        before = driver.samples(COUNTS)
        assert native._runtime_collected(*arguments) is None
        assert driver.samples(COUNTS) == before
        native._runtime_collected("stop", {"generation": 2, "collected": -1, "uncollectable": "x"})
        assert runs() == before[f'{COUNTS}{{generation="2"}}'] + 1
    finally:
        gc.enable()


def test_what_is_recorded_wrongly_is_refused(on):
    assert native._runtime_record("python_unknown", (), 1) is False
    assert native._runtime_record("python_gc_collections", (), 1) is False
    assert native._runtime_record("python_gc_collections", ("0",) * 40, 1) is False
    with pytest.raises(TypeError):
        native._runtime_record("python_gc_collections", ["0"], 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_counts_its_own_runs(on):
    gc.disable()
    try:
        before = runs()
        child = os.fork()
        if child == 0:
            gc.collect()
            os._exit(0 if gc.callbacks.count(native._runtime_collected) == 1 else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert runs() == before + 1
        assert len(driver.samples("python_info")) == 1
    finally:
        gc.enable()
    assert djp_telemetry.telemetry_status()["registry"]["dropped"] == 0
