"""make demo: an Express shop in front of two FastAPI services under real requests; prints their
spans, log lines and scrape. Needs no other server."""

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
SERVICES = ("shop", "orders", "payments")
REQUESTS = [
    ("shop", "POST", "/shops/corner/orders/7/buy"),
    ("shop", "GET", "/shops/corner/orders/7/refund"),
    ("orders", "GET", "/orders/7"),
    ("orders", "GET", "/report"),
    ("orders", "GET", "/x"),
]
# The server spans of the purchase, in order: one trace through all three services and both
# languages.
PURCHASE = ["/shops/:shop/orders/:id/buy", "/orders/{order_id}/checkout", "/payments/{order_id}"]


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
    if name == "shop":
        command = [os.environ.get("NODE", "node"), str(HERE / "express_service.js")]
        environment["PORT"] = str(port)
    else:
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "--app-dir",
            str(HERE),
            "order_service:app",
            "--port",
            str(port),
        ]
        command += ["--log-level", "warning"]
    with open(folder / f"{name}.out", "w") as out, open(folder / f"{name}.err", "w") as err:
        return subprocess.Popen(command, env=environment, stdout=out, stderr=err)


def call(method, url, accept=None):
    request = urllib.request.Request(
        url, method=method, headers={"Accept": accept} if accept else {}
    )
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
    """What a reader wants first: name, route, status, time; the error; on a root, why the trace was
    sampled."""
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
        parts.append(f"(sampled: {attributes['sampling.reason']})")
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
    for name in SERVICES:
        for line in (folder / f"{name}.out").read_text().splitlines():
            if line.startswith("{"):
                yield {**json.loads(line), "service": name}


def show_logs(folder):
    for name in SERVICES:
        for line in (folder / f"{name}.err").read_text().splitlines():
            if "trace_id" in line:
                print(f"  {name:9} {line}")


def show_scrape(name, text):
    print(f"  of {name}:")
    wanted = (
        "http_requests_total",
        "http_request_duration_seconds_count",
        "purchases",
        "checkouts",
        "process_resident",
    )
    for line in text.splitlines():
        if line.startswith(wanted):
            print("    ", line)


def is_whole(spans, scrapes):
    """Whether what this demo promises is there: one trace through all services, and the counters of
    both languages."""
    routes = {
        s["attributes"].get("http.route"): s
        for s in spans
        if s["attributes"].get("http.route") in PURCHASE
    }
    traces = {span["trace_id"] for span in routes.values()}
    counted = "purchases_total" in scrapes["shop"] and "checkouts_total" in scrapes["orders"]
    return len(routes) == len(PURCHASE) and len(traces) == 1 and counted


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="djp-demo-"))
    ports = {name: free_port() for name in SERVICES}
    base = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    print(
        "1. Three services start: a shop (Node, examples/express_service.js) in front of orders\n"
        "   and payments (Python, examples/order_service.py). Each has one line of middleware and\n"
        "   two variables (TELEMETRY_ENABLED=true TELEMETRY_BACKEND=hybrid; ENVIRONMENT=dev\n"
        "   exports every trace, production 2 % and all errors)."
    )
    processes = {
        "payments": start("payments", ports["payments"], folder),
        "orders": start("orders", ports["orders"], folder, PAYMENTS_URL=base["payments"]),
        "shop": start("shop", ports["shop"], folder, ORDERS_URL=base["orders"]),
    }
    try:
        for name, process in processes.items():
            wait_until_up(ports[name], process)
        print(
            "2. Real requests: a purchase through all three, a failing one, a fast, a slow, one\n"
            "   to no route.\n"
        )
        for name, method, path in REQUESTS:
            print(f"  {name:7} {method} {path} -> {call(method, base[name] + path)[0]}")
        scrapes = {name: call("GET", f"{base[name]}/metrics")[1] for name in ("shop", "orders")}
    finally:
        stop(processes.values())
    spans = list(read_spans(folder))
    print(
        f"\n3. The spans that they wrote to the console ({len(spans)}; the purchase is one trace\n"
        "   through all three):"
    )
    show_spans(spans)
    print(
        "\n   one of them as it was written, one JSON object a line:\n  ",
        (folder / "shop.out").read_text().split("\n")[0],
    )
    print("\n4. The log lines, each with the trace id of its request:\n")
    show_logs(folder)
    print("\n5. The scrapes (GET /metrics), the same names and labels in both languages:\n")
    for name, text in scrapes.items():
        show_scrape(name, text)
    if not is_whole(spans, scrapes):
        raise SystemExit(
            "demo: something is missing above; please report it "
            f"(all that was written is in {folder})"
        )
    print(f"\nEverything that the services wrote is in {folder}.")
    print(
        "Next: README.md (install, ten lines of each language), docs/python.md and docs/node.md\n"
        "(the API), docs/configuration.md (every variable), docs/operations.md (when something is\n"
        "wrong)."
    )
    print(
        "To a collector: OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317, then the same services."
    )


if __name__ == "__main__":
    main()
