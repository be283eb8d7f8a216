"""A real Jaeger says how a service samples, from a file that changes while the service runs; what
was kept is read back from it."""

import json
import os
import pathlib
import subprocess
import sys

import backends
import pytest

ROOT = pathlib.Path(__file__).parents[2]
NODE = os.environ.get("NODE", "node")

pytestmark = pytest.mark.e2e

PYTHON_SERVICE = """
import json, sys
import djp_telemetry as d

d.init_telemetry()
for line in sys.stdin:
    name, count = json.loads(line)
    for _ in range(count):
        with d.start_span(name):
            pass
    print(json.dumps({**d.telemetry_status()["sampling"], "flushed": d.flush(30)}), flush=True)
"""

NODE_SERVICE = """
const t = require(process.argv[2]);
t.init();
require('node:readline').createInterface({ input: process.stdin }).on('line', async (line) => {
  const [name, count] = JSON.parse(line);
  for (let i = 0; i < count; i++) t.startSpan(name).end();
  const { sampling } = t.telemetryStatus();
  console.log(JSON.stringify({ ...sampling, flushed: await t.flush(30000) }));
});
"""


class Service:
    """A process that records spans on demand and tells how it samples."""

    def __init__(self, language, folder, jaeger, service):
        file = folder / f"service.{language}"
        file.write_text(PYTHON_SERVICE if language == "py" else NODE_SERVICE)
        addon = str(ROOT / "bindings/node/lib/index.js")
        command = [sys.executable, str(file)] if language == "py" else [NODE, str(file), addon]
        environment = {
            **os.environ,
            "TELEMETRY_ENABLED": "true",
            "TELEMETRY_BACKEND": "otel",
            "OTEL_SERVICE_NAME": service,
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{jaeger.grpc}",
            "OTEL_TRACES_SAMPLER": "parentbased_jaeger_remote",
            "OTEL_TRACES_SAMPLER_ARG": (
                f"endpoint=http://127.0.0.1:{jaeger.sampling},"
                "pollingIntervalMs=200,initialSamplingRate=0.001"
            ),
        }
        self.process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def record(self, name, count):
        self.process.stdin.write(json.dumps([name, count]) + "\n")
        return json.loads(self.process.stdout.readline())

    def until(self, strategy):
        """Waits for the strategy by asking for single spans, because nothing is asked before the
        first."""
        backends.wait_for(
            lambda: self.record("waiting", 1)["remote"]["strategy"] == strategy,
            30,
            f"no {strategy}",
        )

    def end(self):
        self.process.stdin.close()
        try:
            assert self.process.wait(30) == 0
        finally:
            self.process.kill()


def strategies(service, **strategy):
    return {
        "service_strategies": [{"service": service, **strategy}],
        "default_strategy": {"type": "probabilistic", "param": 0.5},
    }


def kept(jaeger, service, operation):
    """The number of traces in Jaeger whose root has that name."""
    found = backends.get_json(
        jaeger.url("traces"), service=service, operation=operation, limit=5000, lookback="1h"
    )
    return len(found["data"])


@pytest.mark.parametrize("language", ["py", "js"])
def test_jaegers_own_strategies(tmp_path, language):
    name = f"remote-{language}"
    jaeger = backends.Jaeger(tmp_path, strategies(name, type="probabilistic", param=0.25))
    service = Service(language, tmp_path, jaeger, name)
    try:
        service.until("probability 0.25")
        assert service.record("quarter", 1000)["flushed"]
        backends.wait_for(lambda: 150 < kept(jaeger, name, "quarter") < 350)

        operations = [
            {"operation": "all", "type": "probabilistic", "param": 1},
            {"operation": "none", "type": "probabilistic", "param": 0},
        ]
        jaeger.write_strategies(
            strategies(name, type="probabilistic", param=0.5, operation_strategies=operations)
        )
        service.until("2 operations, others probability 0.5")
        for operation in ("all", "none", "half"):
            assert service.record(operation, 400)["flushed"]
        backends.wait_for(lambda: kept(jaeger, name, "all") == 400)
        backends.wait_for(lambda: 120 < kept(jaeger, name, "half") < 280)
        assert kept(jaeger, name, "none") == 0

        jaeger.write_strategies(strategies(name, type="ratelimiting", param=3))
        service.until("at most 3 traces a second")
        told = service.record("limited", 1000)
        assert told["ratio"] is None and told["ratio_set_by"] == "remote"
        backends.wait_for(lambda: 0 < kept(jaeger, name, "limited") < 300)

        jaeger.write_strategies({"default_strategy": {"type": "probabilistic", "param": 1}})
        service.until("probability 1")
        assert service.record("whole", 200)["flushed"]
        backends.wait_for(lambda: kept(jaeger, name, "whole") == 200)
    finally:
        jaeger.stop()
    try:
        # Without the server the last strategy goes on. Each flush waits for the receiver, which is
        # gone as well, for all its 30 s.
        backends.wait_for(
            lambda: service.record("alone", 1)["remote"]["consecutive_failures"] > 0, 120
        )
        told = service.record("alone", 1)
        assert (told["ratio"], told["ratio_set_by"], told["remote"]["strategy"]) == (
            1,
            "remote",
            "probability 1",
        )
    finally:
        service.end()
