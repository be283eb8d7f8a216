"""The promise of the tail decision under load, in each language: at a ratio of 1 % every failing
and every slow request arrives whole in a real Collector, of the others those that the ratio chose,
and counts by weight are true."""

import json
import os
import subprocess
import sys
import urllib.request

import backends
import load
import pytest
from test_node_collector import HERE, node

COUNT = 20_000
RATIO = 0.01
THRESHOLD = 0xFD70A000000000  # of 1 %, to four digits
SLOW_SECONDS, SLOWER_SECONDS = 0.25, 0.35

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(240)]


class Service:
    def __init__(self, language, folder, collector):
        self.port = backends.free_port()
        self.log = folder / "service.log"
        env = {
            **os.environ,
            "TELEMETRY_ENABLED": "true",
            "TELEMETRY_BACKEND": "hybrid",
            "OTEL_SERVICE_NAME": "load",
            "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
            "OTEL_TRACES_SAMPLER_ARG": str(RATIO),
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.grpc}",
            "DJP_TELEMETRY_SLOW_THRESHOLD": str(SLOW_SECONDS),
            "LOAD_SLOW_SECONDS": str(SLOWER_SECONDS),
            "NODE_ENV": "test",
            "PORT": str(self.port),
        }
        python = [
            sys.executable,
            "-m",
            "uvicorn",
            "--app-dir",
            str(HERE),
            "load_service:app",
            "--port",
            str(self.port),
        ]
        command = {
            "python": [*python, "--log-level", "critical", "--no-access-log"],
            "node": [node(), str(HERE / "node/load_service.js")] if language == "node" else [],
        }[language]
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(command, env=env, stdout=log, stderr=log)

    def status(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/status", timeout=10) as answer:
            return json.load(answer)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(20)


@pytest.fixture(scope="module", params=["python", "node"])
def run(request, tmp_path_factory):
    """The requests as their client saw them, the service's own account, and what the Collector
    wrote."""
    folder = tmp_path_factory.mktemp(request.param)
    collector = backends.Collector(folder)
    service = None
    try:
        service = Service(request.param, folder, collector)
        backends.wait_for(service.status, 40, f"the service did not start, see {service.log}")
        requests = load.mixture(COUNT, seed=20240229)
        load.drive(service.port, requests)
        status = service.status()
        service.stop()
        # The service has ended and the Collector writes when it ends: nothing is on its way any
        # more.
        collector.stop()
        spans = [span for _, _, span in collector.spans()]
        return request.param, {r.n: r for r in requests}, status, spans, load.local_traces(spans)
    finally:
        if service:
            service.stop()
        collector.stop()


def is_failing(request):
    return request.kind in load.FAILING


def test_every_failing_and_every_slow_request_arrives_whole(run):
    language, requests, _, _, kept = run
    asked = [r for r in requests.values() if r.kind != "ok"]
    assert sum(map(is_failing, asked)) == COUNT // 100 and len(asked) == COUNT // 100 + COUNT // 200
    assert [r.n for r in asked if r.n not in kept] == []
    for trace in kept.values():
        trace.check(requests[trace.n], threads=language == "python")
    for r in asked:
        assert r.status == {"raise": 500, "status": 503}.get(r.kind, 200)
        assert (kept[r.n].reason, kept[r.n].weight) == ("error" if is_failing(r) else "slow", 1), (
            r.kind
        )


def test_the_others_are_those_that_the_ratio_chose(run):
    language, requests, _, _, kept = run
    for trace in kept.values():
        request = requests[trace.n]
        if request.kind == "ok" and trace.reason == "slow":  # by the machine's fault, but truly
            assert trace.seconds > SLOW_SECONDS
            # Node tells of a response's end when its event loop comes round to it, which may be
            # after the client has it all.
            assert language == "node" or request.seconds >= trace.seconds
        elif request.kind == "ok":
            assert trace.reason == "ratio" and trace.seconds <= SLOW_SECONDS
            assert load.threshold(trace.root) == THRESHOLD
        # What went downstream is the head's decision, whatever the tail said later.
        chosen = load.randomness(trace.root["traceId"]) >= THRESHOLD
        assert {span["flags"] & 1 for span in trace.spans} == {int(chosen)}
    others = [
        r
        for r in requests.values()
        if r.kind == "ok" and (r.n not in kept or kept[r.n].reason == "ratio")
    ]
    assert all(len(r.trace_id) == 32 and r.status == 200 for r in others)
    chosen = {r.n for r in others if load.randomness(r.trace_id) >= THRESHOLD}
    assert chosen == {r.n for r in others if r.n in kept}
    low, high = load.bounds(len(others), RATIO)
    assert low <= len(chosen) <= high


def test_counts_by_weight_are_true(run):
    _, requests, _, _, kept = run
    of_kind = {"failing": 0.0, "slow": 0.0, "ratio": 0.0}
    for trace in kept.values():
        kind = "failing" if is_failing(requests[trace.n]) else trace.reason
        of_kind[kind] += trace.weight
    slow = sum(trace.reason == "slow" for trace in kept.values())
    assert of_kind["failing"] == COUNT // 100 and of_kind["slow"] == slow >= COUNT // 200
    others = COUNT - COUNT // 100 - slow
    low, high = load.bounds(others, RATIO)
    assert low / RATIO * 0.999 <= of_kind["ratio"] <= high / RATIO * 1.001


def test_the_service_says_the_same_of_itself(run):
    _, requests, status, spans, kept = run
    counts, lost = status["spans"], status["dropped"]
    assert (
        not any(lost.values())
        and counts["decided_on_buffer_full"] == counts["decided_on_timeout"] == 0
    )
    for reason in ("error", "slow", "ratio"):
        assert counts[f"sampled_{reason}"] == sum(
            len(t.spans) for t in kept.values() if t.reason == reason
        )
    assert sum(counts[f"sampled_{reason}"] for reason in ("error", "slow", "ratio")) == len(spans)
    assert counts["started"] == len(spans) + counts["not_sampled"]
    assert counts["started"] >= 5 * COUNT
