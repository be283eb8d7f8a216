"""Workers of a real server share their metrics: each scrape, whichever worker answers it, shows the
requests of all workers, including those that were killed."""

from __future__ import annotations

import ast
import http.client
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from support import clean_environment

pytest.importorskip("djp_telemetry._native")
pytest.importorskip("gunicorn")
pytest.importorskip("uvicorn")

APP = """
import djp_telemetry
from djp_telemetry.asgi import TelemetryMiddleware
djp_telemetry.init_telemetry(enabled=True, backend="prom")
async def bare(scope, receive, send):
    while scope["type"] == "lifespan":
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})
app = TelemetryMiddleware(bare, metrics_path="/metrics")
"""
WORKERS = 3
KILLS = 12


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Service:
    def __init__(self, folder, *options, **environment):
        (folder / "application.py").write_text(APP)
        self.port = free_port()
        command = [sys.executable, "-m", "gunicorn", "-w", str(WORKERS), "-b"]
        command += [f"127.0.0.1:{self.port}", "-k", "uvicorn.workers.UvicornWorker", *options]
        self.process = subprocess.Popen(
            [*command, "--log-level", "critical", "application:app"],
            cwd=folder,
            env={**clean_environment(), **environment},
        )

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def get_until(self, path, seconds=60):
        """A worker that is killed resets the connections that it has."""
        end = time.monotonic() + seconds
        while True:
            try:
                status, text = self.get(path)
                assert status == 200
                return text
            except (OSError, http.client.HTTPException):
                assert time.monotonic() < end
                time.sleep(0.02)

    def counted(self):
        text = self.get_until("/metrics")
        return sum(
            float(line.split()[-1])
            for line in text.splitlines()
            if line.startswith("http_requests_total{")
        )

    def workers(self):
        children = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        with open(children) as file:
            return [int(pid) for pid in file.read().split()]

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        finally:
            self.process.kill()


def test_the_status_says_how_metrics_are_shared(tmp_path):
    program = """
import sys, djp_telemetry
djp_telemetry.init_telemetry(enabled=True, backend="prom", **eval(sys.argv[1]))
print(djp_telemetry.telemetry_status()["registry"]["sharing"])
"""
    folder = str(tmp_path)
    for options, mode in [
        ({"shared_dir": folder}, "directory"),
        ({"share_with_children": False}, "none"),
        ({}, "fork"),
    ]:
        output = subprocess.check_output(
            [sys.executable, "-c", program, repr(options)], env=clean_environment(), text=True
        )
        assert ast.literal_eval(output) == {
            "mode": mode,
            "directory": folder if mode == "directory" else "",
            "problem": "",
            "processes": 0 if mode == "none" else 1,
            "writers": 0,
            "folded": 0,
            "damaged_slots": 0,
            "lock_stuck": False,
        }


class Load(threading.Thread):
    """Requests one after another, until it is stopped."""

    def __init__(self, service):
        super().__init__()
        self.service, self.answered, self.stopped = service, 0, False

    def run(self):
        while not self.stopped:
            try:
                self.answered += self.service.get("/orders")[0] == 200
            except (OSError, http.client.HTTPException):
                pass


@pytest.mark.parametrize("how", ["directory", "prometheus_client's variable", "preload"])
def test_killed_workers_lose_no_request(how, tmp_path):
    options, environment = [], {}
    if how == "preload":
        options = ["--preload"]
    elif how == "directory":
        environment["DJP_TELEMETRY_SHARED_DIR"] = str(tmp_path / "shared")
    else:
        environment["PROMETHEUS_MULTIPROC_DIR"] = str(tmp_path / "shared")
    service = Service(tmp_path, *options, **environment)
    loads = [Load(service) for _ in range(2)]
    try:
        service.get_until("/first")
        for load in loads:
            load.start()
        last = 0
        for _ in range(KILLS):
            before = sum(load.answered for load in loads)
            end = time.monotonic() + 60
            while sum(load.answered for load in loads) < before + 20 and time.monotonic() < end:
                time.sleep(0.01)
            if workers := service.workers():
                os.kill(random.choice(workers), signal.SIGKILL)
            now = service.counted()
            assert now >= last, "a counter went backwards"
            last = now
    finally:
        for load in loads:
            load.stopped = True
        for load in loads:
            if load.is_alive():
                load.join(60)
        try:
            counted = service.counted()
        finally:
            service.end()
    answered = 1 + sum(load.answered for load in loads)
    # A worker may be killed between an answer and its count, or between a count and its answer.
    assert abs(counted - answered) <= KILLS * len(loads)
    assert answered > KILLS * 20
