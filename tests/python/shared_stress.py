"""Kills workers of a service at random while it is under load, and checks its shared metrics: every
answered request is counted once, no scrape fails, no number goes backwards, the memory does not
grow, and a scrape costs what it did before.

    python tests/python/shared_stress.py --service gunicorn --deaths 200
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from support import clean_environment

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEADLINE = 60
CLIENTS = 4
PAUSE = 0.002
SCRAPES = 30
SETTLE = 1  # workers that start use the processors

PYTHON = """
import djp_telemetry
from djp_telemetry.asgi import TelemetryMiddleware
from djp_telemetry.metrics import Counter, Histogram
djp_telemetry.init_telemetry(enabled=True, backend="prom")
orders = Counter("orders", "Orders", ["kind"])
sizes = Histogram("order_size", "Sizes", buckets=[1, 2, 4])
count = 0
async def bare(scope, receive, send):
    global count
    while scope["type"] == "lifespan":
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return
    count += 1
    orders.labels(f"k{count % 3}").inc()
    sizes.observe(count % 5)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})
app = TelemetryMiddleware(bare, metrics_path="/metrics")
"""

NODE = """
const cluster = require('node:cluster');
const http = require('node:http');
const [, , root, port, workers] = process.argv;
const t = require(`${root}/bindings/node/lib/index.js`);
t.init({ enabled: true, backend: 'prom' });
// The primary would keep a connection open that it gave to a worker that was killed.
cluster.schedulingPolicy = cluster.SCHED_NONE;
if (cluster.isPrimary) {
  for (let i = 0; i < workers; i++) cluster.fork();
  cluster.on('exit', () => cluster.fork());
  process.on('SIGTERM', () => process.exit());
} else {
  const orders = new t.Counter('orders', 'Orders', ['kind']);
  const sizes = new t.Histogram({ name: 'order_size', help: 'Sizes', buckets: [1, 2, 4] });
  let count = 0;
  http.createServer(async (request, response) => {
    if (request.url === '/metrics') {
      response.end((await t.exposeMetrics()).body);
      return;
    }
    count++;
    orders.inc({ kind: `k${count % 3}` });
    sizes.observe(count % 5);
    response.end('ok');
  }).listen(port, '127.0.0.1');
}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(check, what):
    end = time.monotonic() + DEADLINE
    while True:
        result = check()
        if result:
            return result
        assert time.monotonic() < end, what
        time.sleep(0.01)


class Service:
    def __init__(self, kind, workers, folder):
        self.workers, self.port, self.endpoint = workers, free_port(), free_port()
        self.shared = folder / "shared"
        environment = {
            **clean_environment(),
            "DJP_TELEMETRY_PROMETHEUS_PORT": str(self.endpoint),
        }
        if kind == "gunicorn":
            (folder / "application.py").write_text(PYTHON)
            environment["DJP_TELEMETRY_SHARED_DIR"] = str(self.shared)
            command = [sys.executable, "-m", "gunicorn", "-w", str(workers), "-b"]
            command += [f"127.0.0.1:{self.port}", "-k", "uvicorn.workers.UvicornWorker"]
            command += ["--log-level", "critical", "application:app"]
        else:
            (folder / "cluster.js").write_text(NODE)
            node = os.environ.get("DJP_NODE") or shutil.which("node")
            command = [node, "cluster.js", str(ROOT), str(self.port), str(workers)]
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment, stderr=subprocess.DEVNULL
        )

    def get(self, path, port=None):
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def scrape(self, port=None):
        """A connection that a killed worker had is reset; an answer must be whole."""

        def one():
            with contextlib.suppress(OSError, http.client.HTTPException):
                return self.get("/metrics", port)
            return None

        status, text = until(one, "no scrape was answered")
        assert status == 200, status
        return Scrape(text)

    def children(self):
        path = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        return [int(pid) for pid in pathlib.Path(path).read_text().split()]

    def blocks(self):
        """Memory of the segment: of the file, or of the open memory of the primary."""
        files = [*self.shared.glob("*")]
        for fd in pathlib.Path(f"/proc/{self.process.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if "djp-metrics" in os.readlink(fd):
                    files.append(fd)
        assert files
        return sum(file.stat().st_blocks for file in files)

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        finally:
            self.process.kill()


class Scrape:
    def __init__(self, text):
        self.values = {}
        for line in text.splitlines():
            name, _, value = line.rpartition(" ")
            if name.startswith(("orders_total{", "order_size_")):
                self.values[name] = float(value)

    def orders(self):
        return sum(v for name, v in self.values.items() if name.startswith("orders_total{"))

    def sizes(self):
        return self.values.get("order_size_count", 0)

    def check_after(self, before):
        for name, value in before.values.items():
            assert self.values.get(name, -1) >= value, f"{name} went backwards"


class Client(threading.Thread):
    def __init__(self, service):
        super().__init__(daemon=True)
        self.service, self.answered, self.failed, self.stopped = service, 0, 0, False

    def run(self):
        while not self.stopped:
            try:
                self.answered += self.service.get("/orders")[0] == 200
            except ConnectionRefusedError:
                pass
            except (OSError, http.client.HTTPException):
                self.failed += 1
            time.sleep(PAUSE)


def cost(service):
    """The endpoint answers without the language runtime, so that a new worker is not slower."""
    times = []
    time.sleep(SETTLE)
    for _ in range(SCRAPES):
        start = time.perf_counter()
        service.scrape(service.endpoint)
        times.append(time.perf_counter() - start)
    return min(times)


def kill_under_load(service, clients, deaths):
    """Returns scrapes, the longest time without the endpoint, and blocks after the first deaths."""
    last, scrapes, gap, early = service.scrape(), 0, 0.0, 0
    for death in range(deaths):
        target = sum(client.answered for client in clients) + 10
        until(lambda wanted=target: sum(c.answered for c in clients) >= wanted, "no answers")
        victims = until(service.children, "no workers")
        os.kill(random.choice(victims), signal.SIGKILL)
        begin = time.monotonic()
        through_port = service.scrape(service.endpoint)
        gap = max(gap, time.monotonic() - begin)
        through_port.check_after(last)
        now = service.scrape()
        now.check_after(through_port)
        last, scrapes = now, scrapes + 2
        until(lambda: len(service.children()) >= service.workers, "no new worker")
        if death == deaths // 2:
            early = service.blocks()
    return scrapes, gap, early


def stress(kind, workers, deaths):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        service = Service(kind, workers, pathlib.Path(name))
        clients = [Client(service) for _ in range(CLIENTS)]
        try:
            until(lambda: len(service.children()) >= workers, "the workers did not start")
            service.scrape()
            first = cost(service)
            for client in clients:
                client.start()
            scrapes, gap, early = kill_under_load(service, clients, deaths)
            for client in clients:
                client.stopped = True
            for client in clients:
                client.join(DEADLINE)
            end = service.scrape()
            return {
                "service": kind,
                "workers": workers,
                "deaths": deaths,
                "answered": sum(client.answered for client in clients),
                "failed": sum(client.failed for client in clients),
                "orders": int(end.orders()),
                "sizes": int(end.sizes()),
                "scrapes": scrapes,
                "longest_gap_s": round(gap, 3),
                "cost_before_ms": round(first * 1000, 2),
                "cost_after_ms": round(cost(service) * 1000, 2),
                "blocks_halfway": early,
                "blocks_at_end": service.blocks(),
            }
        finally:
            for client in clients:
                client.stopped = True
            service.end()


def check(result):
    """An answer is counted before it is sent; what has no answer may be counted."""
    assert result["answered"] <= result["orders"] <= result["answered"] + result["failed"], result
    # a worker may be killed between the two recordings of a request
    assert 0 <= result["orders"] - result["sizes"] <= result["deaths"], result
    # as many stripes as processes that ever lived at a time
    growth = 1 if result["deaths"] >= 100 else 2
    assert result["blocks_at_end"] <= growth * result["blocks_halfway"], result


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--service", choices=["gunicorn", "node"], action="append")
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--deaths", type=int, default=200)
    options = parser.parse_args()
    for service_kind in options.service or ["gunicorn", "node"]:
        outcome = stress(service_kind, options.workers, options.deaths)
        print(json.dumps(outcome), flush=True)
        check(outcome)
