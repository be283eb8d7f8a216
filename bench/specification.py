"""make bench-specification: the form in which the OpenTelemetry specification asks for benchmarks
of an SDK.

Root spans with 10 attributes (keys and values of 20 characters), sampled, exported over OTLP/HTTP
to a receiver in another process that answers at once: process CPU at 10,000 spans a second for 15
s, 10 repeats, mean and standard deviation; and the most spans a second on one core. Peak resident
memory is that of the whole process.
"""

import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
SECONDS = float(os.environ.get("BENCH_SECONDS", "15"))
REPEATS = int(os.environ.get("BENCH_REPEATS", "10"))
RATE, TICKS = 10_000, 100
ATTRIBUTES = {f"attribute.key.{n:06d}": f"attribute value {n:04d}" for n in range(10)}


def ours(endpoint):
    import djp_telemetry as djp

    djp.init_telemetry(
        enabled=True,
        backend="otel",
        exporter="otlp",
        endpoint=endpoint,
        protocol="http/protobuf",
        sample_ratio=1.0,
        service_name="bench",
    )

    def one():
        djp.start_span("span", ATTRIBUTES).end()

    return one, lambda: djp.flush(timeout=30), lambda: djp.telemetry_status()["spans"]["exported"]


def otel(endpoint):
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

    delivered = 0

    class Counting(OTLPSpanExporter):
        def export(self, spans):
            nonlocal delivered
            result = super().export(spans)
            delivered += len(spans) if result is SpanExportResult.SUCCESS else 0
            return result

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Counting(endpoint=endpoint)))
    tracer = provider.get_tracer("bench")

    def one():
        tracer.start_span("span", attributes=ATTRIBUTES).end()

    return one, provider.force_flush, lambda: delivered


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def steady(one, flush):
    """CPU seconds a second at RATE spans a second."""
    begin, start = cpu(), time.monotonic()
    for tick in range(int(SECONDS * TICKS)):
        for _ in range(RATE // TICKS):
            one()
        wait = start + (tick + 1) / TICKS - time.monotonic()
        if wait > 0:
            time.sleep(wait)
    flush()
    return (cpu() - begin) / (time.monotonic() - start)


def fastest(one, flush, seconds=2.0):
    """Spans a second of process CPU, flat out in bursts that the queue can hold."""
    begin, end, count = cpu(), time.monotonic() + seconds, 0
    while time.monotonic() < end:
        for _ in range(500):
            one()
        count += 500
        flush()
    return count / (cpu() - begin)


def contender(name, endpoint):
    one, flush, delivered = globals()[name](endpoint)
    load = steady(one, flush)
    sent = int(SECONDS * TICKS) * (RATE // TICKS)
    lost = sent - delivered()
    print(
        load,
        lost / sent,
        fastest(one, flush),
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        flush=True,
    )
    os._exit(0)


def main():
    sink = subprocess.Popen(
        [sys.executable, str(HERE / "sink.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    endpoint = f"http://127.0.0.1:{sink.stdout.readline().strip()}/v1/traces"
    rows = {"ours": [], "otel": []}
    try:
        for _ in range(REPEATS):
            for name, values in rows.items():
                command = [sys.executable, __file__, name, endpoint]
                values.append(
                    [float(x) for x in subprocess.check_output(command, text=True).split()]
                )
    finally:
        sink.stdin.close()
        sink.wait(10)
    print(
        f"CPython {sys.version.split()[0]}, {REPEATS} repeats of {SECONDS:.0f} s "
        f"at {RATE} spans/s, mean (deviation)"
    )
    for name, values in rows.items():
        load, lost, rate, memory = zip(*values)
        spread = statistics.stdev(load) if len(load) > 1 else 0.0
        print(
            f"{name:5} CPU {100 * statistics.mean(load):6.2f} % of a core ({100 * spread:.2f})   "
            f"lost {100 * statistics.mean(lost):5.1f} %   "
            f"{statistics.mean(rate):9.0f} spans/s/core   peak {statistics.mean(memory):5.1f} MiB"
        )


if __name__ == "__main__":
    contender(*sys.argv[1:]) if len(sys.argv) > 1 else main()
