"""The whole promise at once: the example FastAPI service under real uvicorn, its requests as spans
in Collector and Jaeger, as series in Prometheus, and as trace ids in its log lines."""

import os
import pathlib
import re
import subprocess
import sys
import urllib.error
import urllib.request

import backends
import pytest

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"

pytestmark = pytest.mark.e2e


@pytest.fixture
def service(tmp_path, collector_and_jaeger):
    collector, jaeger = collector_and_jaeger
    port = backends.free_port()
    env = {
        **os.environ,
        "TELEMETRY_ENABLED": "true",
        "TELEMETRY_BACKEND": "hybrid",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.grpc}",
        "OTEL_SERVICE_NAME": "shop",
        "ENVIRONMENT": "dev",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "PAYMENTS_URL": f"http://127.0.0.1:{port}",
    }
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "--app-dir",
        str(EXAMPLES),
        "order_service:app",
        "--port",
        str(port),
        "--log-level",
        "warning",
    ]
    with open(tmp_path / "service.err", "w") as err:
        process = subprocess.Popen(command, env=env, stderr=err)
    backends.wait_for(
        lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/openapi.json", timeout=1),
        30,
        "the service did not start",
    )
    yield port, collector, jaeger, tmp_path / "service.err"
    process.terminate()
    process.wait(15)


def call(method, url):
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, method=method), timeout=10
        ) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_requests_are_spans_series_and_log_lines(service, tmp_path):
    port, collector, jaeger, log = service
    base = f"http://127.0.0.1:{port}"
    folder = tmp_path / "prometheus"
    folder.mkdir()
    prometheus = backends.Prometheus(folder, port)
    try:
        assert [call("GET", f"{base}/orders/{n}") for n in range(20)] == [200] * 20
        assert call("GET", f"{base}/orders/1/refund") == 500
        assert call("POST", f"{base}/orders/5/checkout") == 200
        assert call("GET", f"{base}/nothing/here") == 404

        def attribute(span, key):
            return next(
                (list(a["value"].values())[0] for a in span["attributes"] if a["key"] == key), None
            )

        def wanted():
            spans = [s for _, _, s in collector.spans()]
            return (
                spans
                if sum(s["name"] == "payments.charge" for s in spans)
                and sum(s["name"] == "orders.load" for s in spans) == 20
                else None
            )

        spans = backends.wait_for(wanted, 20, "the spans did not arrive")
        servers = [s for s in spans if s["kind"] == 2]
        assert sum(attribute(s, "http.route") == "/orders/{order_id}" for s in servers) == 20
        refund = next(
            s for s in servers if attribute(s, "http.route") == "/orders/{order_id}/refund"
        )
        assert refund["status"]["code"] == 2 and int(attribute(refund, "http.status_code")) == 500

        charge = next(s for s in spans if s["name"] == "payments.charge")
        payment = next(s for s in servers if attribute(s, "http.route") == "/payments/{order_id}")
        assert (
            payment["parentSpanId"] == charge["spanId"] and payment["traceId"] == charge["traceId"]
        )
        assert len(jaeger.trace(charge["traceId"], 3)["spans"]) == 3

        lines = log.read_text()
        assert (
            f"trace_id={charge['traceId']} order paid" in lines
            and f"trace_id={charge['traceId']} payment taken" in lines
        )
        assert not re.search(r"trace_id=\s+order loaded", lines)

        target = backends.wait_for(
            lambda: (lambda t: t if t and t["health"] == "up" else None)(prometheus.target()),
            20,
            "target is not up",
        )
        assert target["lastError"] == ""
        query = 'http_requests_total{endpoint="/orders/{order_id}",status_code="200"}'
        result = backends.wait_for(lambda: prometheus.query(query), 10, "no series")
        assert result[0]["value"][1] == "20" and result[0]["metric"]["method"] == "GET"
        assert prometheus.query("checkouts_total")[0]["value"][1] == "1"
    finally:
        prometheus.stop()


def test_every_scrape_is_accepted_by_promtool_and_the_strict_parser(service):
    from prometheus_client.openmetrics.parser import text_string_to_metric_families

    port = service[0]
    promtool = backends.find("promtool")
    for n in range(3):
        call("GET", f"http://127.0.0.1:{port}/orders/{n}")
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read()
        checked = subprocess.run(
            [promtool, "check", "metrics"], input=text, capture_output=True, timeout=30
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/metrics",
            headers={"Accept": "application/openmetrics-text; version=1.0.0"},
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            assert answer.headers["content-type"].startswith(
                "application/openmetrics-text; version=1.0.0"
            )
            families = {f.name: f for f in text_string_to_metric_families(answer.read().decode())}
        assert "http_requests" in families and "http_request_duration_seconds" in families
