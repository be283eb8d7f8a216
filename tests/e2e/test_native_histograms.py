"""Native histograms of four workers in two languages that share their metrics: a real Prometheus
scrapes one of them in protobuf, and its quantiles are those of all observations."""

from __future__ import annotations

import json
import math
import os
import pathlib
import subprocess
import sys

import backends
import pytest
from test_node_collector import node

pytestmark = pytest.mark.e2e

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTHON = """
import json, sys
import djp_telemetry
from djp_telemetry.metrics import Histogram, start_metrics_server
djp_telemetry.init_telemetry(enabled=True, backend="prom")
histogram = Histogram("wait_seconds", "Waiting", ["kind"], exponential=True)
for value in json.loads(sys.stdin.readline()):
    histogram.labels("a").observe(value)
port = int(sys.argv[1])
print(start_metrics_server(port, "127.0.0.1") if port else "recorded", flush=True)
sys.stdin.readline()
"""
NODE = """
const telemetry = require(process.argv[1]);
telemetry.init({ enabled: true, backend: 'prom' });
const histogram = new telemetry.Histogram({
  name: 'wait_seconds', help: 'Waiting', labelNames: ['kind'], exponential: true,
});
let text = '';
process.stdin.on('data', (chunk) => {
  text += chunk;
  if (!text.includes('\\n') || histogram.done) return;
  histogram.done = true;
  for (const value of JSON.parse(text.split('\\n')[0])) histogram.observe({ kind: 'a' }, value);
  console.log('recorded');
});
process.stdin.on('end', () => process.exit(0));
"""


def values(worker: int) -> list[float]:
    """Other orders of magnitude for each worker, so that their scales differ."""
    return [0.001 * 4**worker * (1 + index % 97 / 10) for index in range(1000)]


class Workers:
    def __init__(self, folder: pathlib.Path, port: int) -> None:
        environment = {**os.environ, "DJP_TELEMETRY_SHARED_DIR": str(folder / "shared")}
        environment.pop("PROMETHEUS_MULTIPROC_DIR", None)
        script = [sys.executable, "-c", PYTHON]
        addon = [node(), "-e", NODE, str(ROOT / "bindings/node/lib/index.js")]
        self.processes = []
        for number, command in enumerate([[*script, str(port)], [*script, "0"], addon, addon]):
            process = subprocess.Popen(
                command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            self.processes.append(process)
            process.stdin.write(json.dumps(values(number)) + "\n")
            process.stdin.flush()
        for process in self.processes:
            assert process.stdout.readline().strip() in ("True", "recorded")

    def end(self, number: int) -> None:
        process = self.processes[number]
        process.stdin.close()
        process.wait(timeout=20)
        process.stdout.close()


def test_quantiles_of_all_workers(tmp_path):
    port = backends.free_port()
    workers = Workers(tmp_path, port)
    prometheus = backends.Prometheus(tmp_path, port, ("--enable-feature=native-histograms",))
    try:

        def one(expression: str):
            result = prometheus.query(expression)
            return float(result[0]["value"][1]) if result else None

        backends.wait_for(
            lambda: one("histogram_count(wait_seconds)") == 4000, 30, "no native histogram"
        )
        everything = sorted(value for number in range(4) for value in values(number))
        total = one("histogram_sum(wait_seconds)")
        assert math.isclose(total, math.fsum(everything), rel_tol=1e-9)
        base = 2 ** (1 / 8)  # of the scale that holds 0.001 to 0.68 in 160 buckets, or a finer one
        for quantile in (0.1, 0.5, 0.9, 0.99):
            exact = everything[int(quantile * len(everything))]
            found = one(f"histogram_quantile({quantile}, wait_seconds)")
            assert exact / base <= found <= exact * base, quantile
        assert prometheus.target()["lastError"] == ""
        # A worker that ends takes nothing away.
        for number in (1, 2):
            workers.end(number)
        before = prometheus.target()["lastScrape"]
        backends.wait_for(lambda: prometheus.target()["lastScrape"] != before, 20, "no scrape")
        assert one("histogram_count(wait_seconds)") == 4000
    finally:
        prometheus.stop()
        for number in (3, 0):
            workers.end(number)
