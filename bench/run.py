"""make bench: every row of docs/performance.md for Python, ours and the peer in turn, in one run on
one interpreter; prints ratios and the bars."""

import os
import pathlib
import platform
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))

# what, ours, peer, peer's name, least ratio, or None; a third measurement is subtracted from both
# (the bare application)
RATIOS = [
    (
        "span, 5 attributes, sampled, exporting",
        "span_ours",
        "span_otel",
        "OTel SDK + batch processor",
        30,
        None,
    ),
    (
        "span, 5 attributes, head decision no",
        "span_unsampled_ours",
        "span_unsampled_otel",
        "OTel SDK unsampled",
        15,
        None,
    ),
    (
        "span, 5 attributes, telemetry off",
        "span_off_ours",
        "span_off_otel",
        "OTel API without SDK",
        None,
        None,
    ),
    ("Counter.inc()", "inc_ours", "inc_peer", "prometheus_client", 15, None),
    ("labels(a, b, c).inc()", "labels_ours", "labels_peer", "prometheus_client", 15, None),
    (
        "Histogram.observe(), 15 buckets",
        "observe_ours",
        "observe_peer",
        "prometheus_client",
        18,
        None,
    ),
    ("prometheus: Counter.inc()", "inc_client", "inc_peer", "prometheus_client", 15, None),
    ("prometheus: labels(3).inc()", "labels_client", "labels_peer", "prometheus_client", 15, None),
    ("prometheus: observe()", "observe_client", "observe_peer", "prometheus_client", 18, None),
    ("prometheus: scrape, 10,000", "scrape_client", "scrape_peer", "prometheus_client", 50, None),
    ("scrape of 10,000 series", "scrape_ours", "scrape_peer", "prometheus_client", 50, None),
    (
        "request, added, 100 %",
        "request_ours",
        "request_otel",
        "OTel ASGI middleware",
        100,
        "request_bare",
    ),
    (
        "request, added, 1 %",
        "request_ours_1_percent",
        "request_otel_1_percent",
        "OTel ASGI middleware",
        100,
        "request_bare",
    ),
    (
        "request behind Starlette, added",
        "starlette_ours",
        "starlette_instrumentator",
        "prometheus-fastapi-instrumentator",
        25,
        "starlette_bare",
    ),
    (
        "CPU per exported span, whole process",
        "export_cpu_ours",
        "export_cpu_otel",
        "OTel SDK, OTLP/HTTP",
        40,
        None,
    ),
    ("import", "import_ours", "import_otel", "OTel SDK + exporter + prometheus_client", None, None),
    ("shutdown, collector gone", "gone_ours", "gone_otel", "OTel SDK", None, None),
]
ABSOLUTE = [
    ("spans delivered of a burst of 10,000", "burst_ours", ""),
    ("memory added after 1,000,000 spans, ring of 4 MiB included", "memory_ours", "MiB"),
    ("memory added by OTel SDK after 20,000 spans", "memory_otel", "MiB"),
]


def measure(name, sink):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "TELEMETRY_", "DJP_"))}
    env["BENCH_SINK"] = sink
    out = subprocess.run(
        [sys.executable, str(HERE / "contenders.py"), name],
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
    )
    if out.returncode:
        print(out.stderr[-800:], file=sys.stderr)
        return float("nan")
    return float(out.stdout.split()[-1])


def show(ns):
    if ns >= 1e9:
        return f"{ns / 1e9:8.2f} s "
    if ns >= 1e6:
        return f"{ns / 1e6:8.2f} ms"
    if ns >= 1e4:
        return f"{ns / 1e3:8.2f} us"
    return f"{ns:8.1f} ns"


def main():
    only = sys.argv[1:]
    sink = subprocess.Popen(
        [sys.executable, str(HERE / "sink.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    url = f"http://127.0.0.1:{sink.stdout.readline().strip()}"
    build = "distribution's build" if sys.base_prefix == "/usr" else "build of its own"
    print(
        f"CPython {platform.python_version()} ({build}), {platform.machine()}, "
        f"{os.cpu_count()} cores"
    )
    missed = 0
    try:
        for what, ours, peer, name, bar, bare in RATIOS:
            if only and not any(word in ours for word in only):
                continue
            values = {n: [] for n in (ours, peer, *([bare] if bare else []))}
            for _ in range(ROUNDS):
                for n in values:
                    values[n].append(measure(n, url))
            base = min(values[bare]) if bare else 0.0
            mine, theirs = min(values[ours]) - base, min(values[peer]) - base
            ratio = theirs / mine
            verdict = (
                "" if bar is None else f"bar {bar}x " + ("reached" if ratio >= bar else "MISSED")
            )
            missed += verdict.endswith("MISSED")
            print(
                f"{what:40} ours {show(mine)}   {name:40} {show(theirs)}   "
                f"{ratio:7.1f}x  {verdict}",
                flush=True,
            )
        for what, name, unit in ABSOLUTE:
            if not only or any(word in name for word in only):
                print(f"{what:62} {measure(name, url):.1f} {unit}", flush=True)
    finally:
        sink.stdin.close()
        sink.wait(10)
    print(f"{missed} bars missed")


main()
