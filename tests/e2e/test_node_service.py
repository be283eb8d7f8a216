"""The whole promise for Node: an Express service and a Python service under real requests, their
spans in Collector and Jaeger as one trace, their series in Prometheus, and trace ids in their log
lines."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request

import backends
import pytest
from test_collector import attributes
from test_node_collector import HERE, node

pytestmark = pytest.mark.e2e


def call(url, **headers):
    """Status and body."""
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=10
        ) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


class Service:
    def __init__(self, tmp_path, collector):
        self.collector = collector
        self.port, self.back = backends.free_port(), backends.free_port()
        self.log, self.back_log = tmp_path / "node.err", tmp_path / "python.err"
        env = {
            **os.environ,
            "TELEMETRY_ENABLED": "true",
            "TELEMETRY_BACKEND": "hybrid",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.grpc}",
            "ENVIRONMENT": "dev",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "PORT": str(self.port),
            "NODE_URL": self.url(""),
            "BACK_URL": f"http://127.0.0.1:{self.back}",
        }
        python = [
            sys.executable,
            "-m",
            "uvicorn",
            "--app-dir",
            str(HERE / "node"),
            "back_service:app",
        ]
        self.processes = []
        self.start(
            [node(), str(HERE / "node/service.js")], {**env, "OTEL_SERVICE_NAME": "shop"}, self.log
        )
        self.start(
            [*python, "--port", str(self.back), "--log-level", "warning"],
            {**env, "OTEL_SERVICE_NAME": "back"},
            self.back_log,
        )

    def start(self, command, env, log):
        with open(log, "w") as err:
            self.processes.append(subprocess.Popen(command, env=env, stderr=err))

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def wait(self):
        for url in (self.url("/metrics"), f"http://127.0.0.1:{self.back}/openapi.json"):
            backends.wait_for(
                lambda url=url: call(url)[0] == 200,
                30,
                f"no answer of {url}: {self.log.read_text()}",
            )

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(15)

    def lines(self):
        return [
            json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")
        ]

    def spans(self, name, count):
        """The spans of a name, with their attributes, as soon as there are so many."""

        def found():
            spans = [s for _, _, s in self.collector.spans() if s["name"] == name]
            return spans if len(spans) >= count else None

        spans = backends.wait_for(found, 20, f"fewer than {count} spans {name}")
        assert len(spans) == count
        return [(span, attributes(span["attributes"])) for span in spans]


@pytest.fixture
def service(tmp_path, collector):
    program = Service(tmp_path, collector)
    try:
        program.wait()
        yield program
    finally:
        program.stop()


def test_requests_are_spans_and_log_lines(service):
    assert [call(service.url(f"/shops/a/orders/{n}"))[0] for n in range(20)] == [200] * 20
    assert call(service.url("/shops/a/refund")) == (500, '{"error":"the bank said no"}')
    assert call(service.url("/nothing/here"))[0] == 404

    loads = service.spans("orders.load", 20)
    assert {got["order.id"] for _, got in loads} == set(range(20))
    route = "/shops/:shop/orders/:id"

    def servers():
        spans = [s for _, _, s in service.collector.spans() if s["kind"] == 2]
        found = [(s, attributes(s["attributes"])) for s in spans]
        # Other tests may have made requests before; the one without a route is the last.
        return (
            found if len(found) >= 22 and any("http.route" not in got for _, got in found) else None
        )

    spans = backends.wait_for(servers, 20, "fewer than 22 requests")
    by_id = {span["spanId"]: got for span, got in spans}
    for load, _ in loads:
        got = by_id[load["parentSpanId"]]
        assert (got["http.route"], got["http.method"], got["http.status_code"]) == (
            route,
            "GET",
            200,
        )
    (refund,) = [span for span, got in spans if got.get("http.route") == "/shops/:shop/refund"]
    assert refund["status"]["code"] == 2
    assert attributes(refund["events"][0]["attributes"])["exception.type"] == "TypeError"
    assert [got["http.status_code"] for _, got in spans if "http.route" not in got] == [404]

    lines = service.lines()
    loaded = [line for line in lines if line["msg"] == "order loaded"]
    assert sorted(line["trace_id"] for line in loaded) == sorted(
        span["traceId"] for span, _ in loads
    )
    assert sorted(line["span_id"] for line in loaded) == sorted(
        span["parentSpanId"] for span, _ in loads
    )
    (failed,) = [line for line in lines if line["msg"] == "no refund"]
    assert (failed["trace_id"], failed["span_id"]) == (refund["traceId"], refund["spanId"])


def check_one_way(service, spans, answer):
    """Five spans in a row: Express, its call, FastAPI, its call, Express again."""
    chain = []
    parents = {span.get("parentSpanId", ""): (resource, span) for resource, _, span in spans}
    at = "00f067aa0ba902b7"
    while at in parents:
        resource, span = parents[at]
        chain.append(
            (
                attributes(resource)["service.name"],
                span["kind"],
                attributes(span.get("attributes", [])).get("http.route"),
            )
        )
        at = span["spanId"]
    assert chain == [
        ("shop", 2, "/through/:id"),
        ("shop", 3, None),
        ("back", 2, "/back/{number}"),
        ("back", 3, None),
        ("shop", 2, "/final/:id"),
    ]
    trace_id = answer["traceId"]
    assert answer["answer"] == {"id": "7", "traceId": trace_id, "baggage": "blue"}
    assert all(span["traceState"].startswith("vendor=1") for _, _, span in spans)
    messages = {line["msg"] for line in service.lines() if line["trace_id"] == trace_id}
    assert messages == {"went through", "arrived"}
    assert f"trace_id={trace_id} on the way back" in service.back_log.read_text()


def go_through(service):
    trace_id = os.urandom(16).hex()
    status, body = call(
        service.url("/through/7"),
        traceparent=f"00-{trace_id}-00f067aa0ba902b7-01",
        tracestate="vendor=1",
        baggage="tenant=blue",
    )
    assert status == 200, body

    def found():
        spans = [item for item in service.collector.spans() if item[2]["traceId"] == trace_id]
        return spans if len(spans) >= 5 else None

    spans = backends.wait_for(found, 20, "fewer than five spans of the trace")
    assert len(spans) == 5
    return trace_id, spans, json.loads(body)


def test_one_trace_across_express_and_fastapi_and_back(service):
    trace_id, spans, answer = go_through(service)
    assert answer["traceId"] == trace_id
    check_one_way(service, spans, answer)


def test_jaeger_shows_the_trace_across_the_services(tmp_path, collector_and_jaeger):
    collector, jaeger = collector_and_jaeger
    service = Service(tmp_path, collector)
    try:
        service.wait()
        trace_id, _, _ = go_through(service)
        trace = jaeger.trace(trace_id, 5)
        assert {process["serviceName"] for process in trace["processes"].values()} == {
            "shop",
            "back",
        }
        assert len(trace["spans"]) == 5
    finally:
        service.stop()


def test_prometheus_scrapes_the_service(service, tmp_path):
    folder = tmp_path / "prometheus"
    folder.mkdir()
    prometheus = backends.Prometheus(folder, service.port)
    try:
        assert [call(service.url(f"/shops/a/orders/{n}"))[0] for n in range(20)] == [200] * 20
        target = backends.wait_for(
            lambda: (lambda t: t if t and t["health"] == "up" else None)(prometheus.target()),
            20,
            "target is not up",
        )
        assert target["lastError"] == ""
        query = 'http_requests_total{endpoint="/shops/:shop/orders/:id",status_code="200"} == 20'
        (result,) = backends.wait_for(
            lambda: prometheus.query(query), 10, "no series with 20 requests"
        )
        assert result["metric"]["method"] == "GET"
        sold = {r["metric"]["kind"]: r["value"][1] for r in prometheus.query("sold_total")}
        assert sold == {'even "quoted"': "10", "odd\\": "10"}
        buckets = {
            r["metric"]["le"]: r["value"][1] for r in prometheus.query("weight_grams_bucket")
        }
        assert {float(bound): count for bound, count in buckets.items()} == {
            1.0: "2",
            10.0: "11",
            float("inf"): "20",
        }
    finally:
        prometheus.stop()


def test_every_scrape_is_accepted_by_promtool_and_the_strict_parser(service):
    from prometheus_client.openmetrics.parser import text_string_to_metric_families

    promtool = backends.find("promtool")
    for n in range(3):
        call(service.url(f"/shops/a/orders/{n}"))
        status, text = call(service.url("/metrics"))
        assert status == 200
        checked = subprocess.run(
            [promtool, "check", "metrics"], input=text.encode(), capture_output=True, timeout=30
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr
        request = urllib.request.Request(
            service.url("/metrics"),
            headers={"Accept": "application/openmetrics-text; version=1.0.0"},
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            assert answer.headers["content-type"].startswith(
                "application/openmetrics-text; version=1.0.0"
            )
            families = {f.name: f for f in text_string_to_metric_families(answer.read().decode())}
        assert {"http_requests", "http_request_duration_seconds", "sold", "weight_grams"} <= set(
            families
        )


def test_a_service_that_is_told_to_end_sends_what_it_has(service):
    """With the usual delay of five seconds nothing would have left by itself."""
    assert call(service.url("/shops/a/orders/3"))[0] == 200
    service.stop()
    assert service.processes[0].returncode == -15
    assert len(service.spans("orders.load", 1)) == 1
