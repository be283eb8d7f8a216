"""Load without end: spans, metrics, requests, forks, restarts, and a collector that keeps changing
its mind. Watches resident memory, descriptors, threads, deadlines and the books of spans; prints a
summary and fails on growth.

python tests/soak.py --seconds 600
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import gc
import os
import pathlib
import random
import statistics
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent / "python"))

import djp_telemetry
from asgi_driver import answering, http_scope
from djp_telemetry import metrics, start_span
from djp_telemetry.asgi import TelemetryMiddleware
from djp_telemetry.metrics import Counter, Gauge, Histogram

FAULTS = [
    "ok",
    "ok",
    "ok",
    "503",
    "429_fast",
    "hang",
    "reset",
    "garbage",
    "partial",
    "400",
    "close",
    "drip",
]
GROWTH = {"resident": 24 << 20, "descriptors": 4, "threads": 2}
SLACK = 2.0  # seconds that a busy machine may add to a deadline

COUNTER = Counter("soak_total", "Jobs", ["kind", "user"])
GAUGE = Gauge("soak_depth", "Depth")
HISTOGRAM = Histogram("soak_seconds", "Duration", ["kind"])


# ---- the collector: a separate process, so that its memory is not ours --------------------


def collect() -> None:
    from fault_server import FaultServer

    with FaultServer("ok") as server:
        print(server.url, flush=True)
        while sys.stdin.readline():  # one line from the load: another behaviour
            server.script[:] = [random.choice(FAULTS)]
            server.requests.clear()


class Collector:
    def __enter__(self) -> Collector:
        command = [sys.executable, __file__, "--collect"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None and self.process.stdin is not None
        self.url = self.process.stdout.readline().strip()
        return self

    def change(self) -> None:
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def __exit__(self, *_: object) -> None:
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()


# ---- the load ----------------------------------------------------------------------------------


class Load:
    """What runs between two measurements, and what was seen to go wrong in it."""

    def __init__(self, collector: Collector) -> None:
        self.collector = collector
        self.done: collections.Counter[str] = collections.Counter()
        self.faults: list[str] = []
        self.stop = threading.Event()
        self.slowest = {"flush": 0.0, "shutdown": 0.0}
        self.app = TelemetryMiddleware(answering(route="/orders/{id}"), metrics_path="/metrics")

    def begin(self) -> None:
        djp_telemetry.init_telemetry(
            enabled=True,
            backend="hybrid",
            exporter="otlp",
            endpoint=self.collector.url,
            protocol="http/protobuf",
            sample_ratio=0.5,
            ring_bytes=1 << 20,
            flush_interval=0.1,
            export_timeout=0.5,
            cardinality_limit=200,
            log_level="none",
        )

    def timed(self, what: str, limit: float) -> None:
        begin = time.monotonic()
        (djp_telemetry.flush if what == "flush" else djp_telemetry.shutdown)(limit)
        seconds = time.monotonic() - begin
        self.slowest[what] = max(self.slowest[what], seconds)
        self.done[what] += 1
        if seconds > limit + SLACK:
            self.faults.append(f"{what}({limit}) took {seconds:.1f} s")

    def restart(self) -> None:
        self.timed("shutdown", 0.3)
        status = self.at_rest()
        spans, lost = (
            status["spans"],
            sum(n for reason, n in status["dropped"].items() if reason != "forked"),
        )
        self.done["exported"] += spans["exported"]
        self.done["dropped"] += lost
        if spans["started"] != spans["exported"] + spans["not_sampled"] + spans["live"] + lost:
            self.faults.append(f"the books do not agree: {spans} {status['dropped']}")
        self.begin()

    def at_rest(self) -> dict:
        """The status once the worker has ended: a shutdown whose time is up leaves a busy one
        behind, with spans in its hands."""
        deadline = time.monotonic() + 5
        while djp_telemetry.telemetry_status()["worker"]["running"] and time.monotonic() < deadline:
            time.sleep(0.01)
        return djp_telemetry.telemetry_status()

    def guarded(self, work) -> threading.Thread:
        def run() -> None:
            try:
                while not self.stop.is_set():
                    work()
                    self.done[work.__name__] += 1
            except BaseException as error:
                self.faults.append(f"{work.__name__}: {type(error).__name__}: {error}")

        return threading.Thread(target=run)

    def spans(self) -> None:
        for number in range(200):
            with (
                start_span("job", {"number": number, "text": "x" * (number % 300)}) as span,
                start_span("step"),
            ):
                span.add_event("progress", {"done": number})
                carrier = djp_telemetry.inject()
            start_span("next", parent=djp_telemetry.extract(carrier), links=[span.context]).end()
        try:
            with start_span("failing", {f"key.{random.randrange(10**9)}": [1, {"a": "b"}]}):
                raise ValueError("on purpose")
        except ValueError:
            pass
        time.sleep(0.001)

    def metrics(self) -> None:
        for number in range(200):
            COUNTER.labels(f"kind{number % 5}", f"user{random.randrange(10**6)}").inc()
            HISTOGRAM.labels(f"kind{number % 5}").observe(random.random())
            GAUGE.set(number)
        Gauge("soak_short_lived", "Declared again and again").inc()
        if self.done["metrics"] % 20 == 0:
            metrics.generate_metrics()
            COUNTER.clear()
        time.sleep(0.001)

    def requests(self) -> None:
        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: object) -> None:
            pass

        async def many() -> None:
            headers = [("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]
            for number in range(200):
                path = "/metrics" if number == 199 else f"/orders/{number}"
                awaitable = self.app(http_scope(path, headers=headers), receive, send)
                if number % 50:
                    await awaitable
                else:
                    awaitable.close()  # as a server does with a request that it gives up

        asyncio.run(many())

    def controls(self) -> None:
        self.timed("flush", random.choice([0, 0.05, 0.2]))
        djp_telemetry.telemetry_status()
        time.sleep(0.02)

    def fork(self) -> None:
        """The child records, ends telemetry, and leaves; sometimes it is killed instead."""
        kill = random.random() < 0.3
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                for number in range(50):
                    with start_span("child", {"n": number}):
                        COUNTER.labels("child", "x").inc()
                if kill:
                    os.kill(os.getpid(), 9)
                djp_telemetry.shutdown(0.3)
                code = 0
            finally:
                os._exit(code)
        status = os.waitpid(pid, 0)[1]
        self.done["fork"] += 1
        if status != (9 if kill else 0):
            self.faults.append(f"a child ended with {status}")

    def round(self, number: int) -> None:
        self.collector.change()
        self.stop.clear()
        works = (self.spans, self.spans, self.metrics, self.requests, self.controls)
        threads = [self.guarded(work) for work in works]
        for thread in threads:
            thread.start()
        for _ in range(3):
            time.sleep(0.1)
            self.fork()
        if number % 3 == 0:
            self.restart()  # while the others record
        time.sleep(0.1)
        self.stop.set()
        for thread in threads:
            thread.join(60)
            if thread.is_alive():
                self.faults.append("a thread hangs")
        self.restart()


# ---- watching ----------------------------------------------------------------------------------


def measure() -> dict[str, int]:
    gc.collect()
    with open("/proc/self/statm") as statm:
        resident = int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return {
        "resident": resident,
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": len(os.listdir("/proc/self/task")),
    }


def growth(samples: list[dict[str, int]], what: str) -> float:
    """Between the medians of the first and of the last third, after a warm-up of a fifth."""
    values = [sample[what] for sample in samples[len(samples) // 5 :]]
    third = max(1, len(values) // 3)
    return statistics.median(values[-third:]) - statistics.median(values[:third])


def soak(seconds: float) -> int:
    samples: list[dict[str, int]] = []
    with Collector() as collector:
        load = Load(collector)
        load.begin()
        end = time.monotonic() + seconds
        while time.monotonic() < end or len(samples) < 5:
            load.round(len(samples))
            samples.append(measure())
            if load.faults:
                break
        djp_telemetry.shutdown(1)
    return report(load, samples)


def report(load: Load, samples: list[dict[str, int]]) -> int:
    print(f"rounds      {len(samples)}")
    for name, count in sorted(load.done.items()):
        print(f"{name:12}{count}")
    for name, slowest in load.slowest.items():
        print(f"{name:12}{slowest:.2f} s at most")
    failed = bool(load.faults)
    for what, limit in GROWTH.items():
        grown = growth(samples, what)
        failed |= grown > limit
        shown = [sample[what] for sample in samples]
        print(
            f"{what:12}first {shown[0]}, last {shown[-1]}, most {max(shown)}, "
            f"growth {grown:.0f} of {limit} allowed"
        )
    for fault in load.faults:
        print(f"FAULT       {fault}")
    print("FAILED" if failed else "passed")
    return int(failed)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--collect", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.collect:
        collect()
        return 0
    if djp_telemetry.__impl__ != "native":
        print(f"nothing to soak: {djp_telemetry.__impl_reason__}")
        return 1
    return soak(arguments.seconds)


if __name__ == "__main__":
    sys.exit(main())
