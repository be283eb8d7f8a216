"""make demo: two real uvicorn processes of order_service.py under real requests; prints their spans, log lines and scrape. Needs no other server."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROUTES = [
    ("GET", "/orders/7"),
    ("GET", "/orders/7/refund"),
    ("GET", "/report"),
    ("POST", "/orders/7/checkout"),
    ("GET", "/x"),
]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start(name, port, folder, **env):
    """Starts one service; standard output holds its spans, standard error its log lines."""
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "DJP_TELEMETRY_"))},
        "TELEMETRY_ENABLED": "true",
        "TELEMETRY_BACKEND": "hybrid",
        "ENVIRONMENT": "dev",
        "OTEL_SERVICE_NAME": name,
        **env,
    }
    command = [sys.executable, "-m", "uvicorn", "--app-dir", str(HERE), "order_service:app", "--port", str(port)]
    with open(folder / f"{name}.out", "w") as out, open(folder / f"{name}.err", "w") as err:
        return subprocess.Popen([*command, "--log-level", "warning"], env=environment, stdout=out, stderr=err)


def call(method, url, accept=None):
    request = urllib.request.Request(url, method=method, headers={"Accept": accept} if accept else {})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def wait_until_up(port, process):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("demo: the service did not start")


def stop(processes):
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait(timeout=15)


def span_line(span):
    """What a reader wants first: name, route, status, time; the error; on a root, why the trace was kept."""
    attributes = span["attributes"]
    parts = [span["name"]]
    if "http.method" in attributes:
        parts += [attributes["http.method"], attributes.get("http.route", "(no route)")]
        parts.append(str(attributes.get("http.status_code", "")))
    parts.append(f"{span['duration_ms']:.1f} ms")
    parts += [
        f"{event['attributes']['exception.type']}: {event['attributes']['exception.message']}"
        for event in span["events"]
        if event["name"] == "exception"
    ]
    if "sampling.reason" in attributes:
        parts.append(f"(kept: {attributes['sampling.reason']})")
    return "  ".join(parts)


def show_spans(spans):
    by_trace = {}
    for span in spans:
        by_trace.setdefault(span["trace_id"], []).append(span)
    for trace_id, group in by_trace.items():
        print(f"\n  trace {trace_id}")
        ids = {span["span_id"]: span for span in group}
        for span in sorted(group, key=lambda s: s["start"]):
            depth, parent = 0, span.get("parent_id")
            while parent in ids:
                depth, parent = depth + 1, ids[parent].get("parent_id")
            print(f"    {'  ' * depth}{span['service']:9} {span_line(span)}")


def read_spans(folder):
    for name in ("orders", "payments"):
        for line in (folder / f"{name}.out").read_text().splitlines():
            if line.startswith("{"):
                yield {**json.loads(line), "service": name}


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="djp-demo-"))
    orders, payments = free_port(), free_port()
    print(
        "1. Two services start, orders and payments: examples/order_service.py, one line of middleware, two variables\n"
        "   (TELEMETRY_ENABLED=true TELEMETRY_BACKEND=hybrid; ENVIRONMENT=dev keeps every trace, production 2 % and all errors)."
    )
    processes = [
        start("payments", payments, folder),
        start("orders", orders, folder, PAYMENTS_URL=f"http://127.0.0.1:{payments}"),
    ]
    try:
        wait_until_up(payments, processes[0])
        wait_until_up(orders, processes[1])
        print("2. Real requests: one fast, one failing, one slow, one that calls the other service, one to no route.\n")
        for method, path in ROUTES:
            print(f"  {method} {path} -> {call(method, f'http://127.0.0.1:{orders}{path}')[0]}")
        scrape = call("GET", f"http://127.0.0.1:{orders}/metrics")[1]
    finally:
        stop(processes)
    spans = list(read_spans(folder))
    print(f"\n3. The spans that both wrote to the console ({len(spans)}; a trace across both services is one trace):")
    show_spans(spans)
    print(
        "\n   one of them as it was written, one JSON object a line:\n  ",
        (folder / "orders.out").read_text().split("\n")[0],
    )
    print("\n4. The log lines, each with the trace id of its request:\n")
    for name in ("orders", "payments"):
        for line in (folder / f"{name}.err").read_text().splitlines():
            if "trace_id=" in line:
                print(f"  {name:9} {line}")
    print("\n5. The scrape of the order service (GET /metrics):\n")
    for line in scrape.splitlines():
        if line.startswith(
            ("http_requests_total", "http_request_duration_seconds_count", "checkouts_total", "process_resident")
        ):
            print("  ", line)
    checkout = [
        s for s in spans if s["attributes"].get("http.route") in ("/orders/{order_id}/checkout", "/payments/{order_id}")
    ]
    if len(checkout) != 2 or len({s["trace_id"] for s in checkout}) != 1 or "checkouts_total" not in scrape:
        raise SystemExit("demo: something is missing above; please report it")
    print(f"\nEverything that the services wrote is in {folder}.")
    print(
        "Next: README.md (install, ten lines of Python), docs/python.md (the API), docs/configuration.md (every variable),\n"
        "docs/operations.md (when something is wrong)."
    )
    print("To a collector: OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317, then the same service.")


if __name__ == "__main__":
    main()
