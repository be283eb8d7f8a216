"""Processes that share a directory and never start telemetry."""

import subprocess
import sys

import pytest
from support import clean_environment, run_program

pytest.importorskip("djp_telemetry._native")
WORKER = """
from djp_telemetry.prometheus import Counter, Gauge, Histogram
jobs = Counter("jobs", "Jobs", ["kind"])
for _ in range(100):
    jobs.labels("a").inc()
Histogram("wait", "Wait").observe(0.2)
Gauge("level", "Level", multiprocess_mode="sum").set(2)
print("ready", flush=True)
input()
"""
READER = """
from djp_telemetry.prometheus import CollectorRegistry, multiprocess
registry = CollectorRegistry()
multiprocess.MultiProcessCollector(registry)
for name, labels in (("jobs_total", {"kind": "a"}), ("wait_count", {}), ("level", {})):
    print(name, float(registry.get_sample_value(name, labels)))
import djp_telemetry
djp_telemetry.init_telemetry(enabled=True, backend="hybrid", exporter="none")
print(djp_telemetry.telemetry_status()["backend"])
print(float(registry.get_sample_value("jobs_total", {"kind": "a"})))
"""


@pytest.mark.parametrize("variable", ["PROMETHEUS_MULTIPROC_DIR", "DJP_TELEMETRY_SHARED_DIR"])
def test_one_process_shows_the_numbers_of_all(tmp_path, variable):
    folder = tmp_path / "shared"
    folder.mkdir()
    shared = {variable: str(folder), "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=clean_environment(**shared),
            text=True,
        )
        for _ in range(3)
    ]
    try:
        assert [worker.stdout.readline() for worker in workers] == ["ready\n"] * 3
        workers[0].kill()  # what it counted stays, its part of the gauge too: the mode is not live
        workers[0].wait()
        output = run_program(READER, tmp_path, **shared).stdout.split("\n")
    finally:
        for worker in workers:
            worker.communicate("\n")
    assert output[:5] == ["jobs_total 300.0", "wait_count 3.0", "level 6.0", "hybrid", "300.0"]


def test_without_a_directory_nothing_starts(tmp_path):
    program = """
import os
from djp_telemetry.prometheus import Counter
Counter("c", "d").inc()
print(len(os.listdir("/proc/self/task")))
"""
    assert run_program(program, tmp_path, PROMETHEUS_MULTIPROC_DIR="").stdout == "1\n"
