"""Metrics by OTLP: what a receiver decodes with the official classes, in every protocol."""

import json
import time

import djp_telemetry
import pytest
from djp_telemetry import telemetry_status
from djp_telemetry.metrics import Counter, Gauge, Histogram
from fault_server import FaultServer
from google.protobuf import json_format
from grpc_fault_server import GrpcFaultServer
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality
from support import run_program, telemetry

pytest.importorskip("djp_telemetry._native")

DELTA = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE

JOB = """
import djp_telemetry as d
from djp_telemetry.metrics import Counter
d.init_telemetry()
Counter("rows", "Rows.", ["kind"]).labels("good").inc(42)
"""


def decoded(body):
    """A request in protobuf, whose bytes are those of the official classes, or in JSON."""
    if body.startswith(b"{"):
        text = json.loads(body)
        for resource in text["resourceMetrics"]:
            for scope in resource["scopeMetrics"]:
                for metric in scope["metrics"]:
                    _ids_to_base64(metric)
        return json_format.ParseDict(text, ExportMetricsServiceRequest())
    request = ExportMetricsServiceRequest.FromString(body)
    assert request.SerializeToString() == body
    return request


def _ids_to_base64(metric):
    """OTLP JSON has ids in hex, where the JSON of protobuf has base64."""
    import base64

    for point in metric.get("histogram", {}).get("dataPoints", []):
        for exemplar in point.get("exemplars", []):
            for name in ("traceId", "spanId"):
                raw = bytes.fromhex(exemplar[name])
                exemplar[name] = base64.b64encode(raw).decode()


def metrics_in(request):
    return {
        metric.name: metric
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def attributes(point):
    return {pair.key: pair.value.string_value for pair in point.attributes}


def resource_of(request):
    pairs = request.resource_metrics[0].resource.attributes
    return {pair.key: pair.value.string_value for pair in pairs}


def environment(server, **more):
    return {
        "TELEMETRY_BACKEND": "hybrid",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": server.url.replace("traces", "metrics"),
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        **more,
    }


def pushing(server, **options):
    """Metrics in this process, pushed only by a flush or the end."""
    return telemetry(
        **{
            "backend": "hybrid",
            "metrics_exporter": "otlp",
            "metrics_endpoint": server.url.replace("/v1/traces", ""),
            "metrics_protocol": "http/protobuf",
            "metric_export_interval": 3600,
            **options,
        }
    )


def wait_for(condition, limit=30):
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("backend", ["hybrid", "prom"])
def test_a_short_job_delivers_its_numbers(tmp_path, backend):
    with FaultServer("ok") as server:
        run_program(JOB, tmp_path, **environment(server, TELEMETRY_BACKEND=backend))
        (request,) = server.requests
    assert request.path == "/v1/metrics"
    metrics = metrics_in(decoded(request.body))
    rows = metrics["rows"].sum
    assert rows.is_monotonic and rows.aggregation_temporality == CUMULATIVE
    (point,) = rows.data_points
    assert point.as_double == 42 and attributes(point) == {"kind": "good"}
    assert 0 < point.start_time_unix_nano <= point.time_unix_nano
    assert metrics["process_cpu_seconds"].unit == "s"
    assert resource_of(decoded(request.body))["service.instance.id"]


@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json", "grpc"])
def test_every_kind_in_every_protocol(protocol):
    Server = GrpcFaultServer if protocol == "grpc" else FaultServer
    with Server("ok") as server:
        endpoint = server.url.replace("/v1/traces", "")
        with pushing(server, metrics_protocol=protocol, metrics_endpoint=endpoint):
            Counter("calls", "Calls.", ["a", "b"]).labels("é", "").inc(2.5)
            Gauge("level", "Level.").set(-1)
            Gauge("active", "Active.", multiprocess_mode="sum").inc(3)
            took = Histogram("took_seconds", "Time.", unit="seconds", buckets=[0.5, 1])
            with djp_telemetry.start_span("observed"):
                trace_id = djp_telemetry.get_current_trace_id()
                took.observe(0.75)
            took.observe(8)
            assert djp_telemetry.flush(30)
            status = telemetry_status()["signals"]["metrics"]
            assert status["books"]["exported"] >= 4 and status["requests_ok"] == 1
            assert status["item_name"] == "data points"
        first = (server.calls if protocol == "grpc" else server.requests)[0]
    body = first.body
    metrics = metrics_in(decoded(body))
    assert metrics["calls"].sum.data_points[0].as_double == 2.5
    assert attributes(metrics["calls"].sum.data_points[0]) == {"a": "é"}
    assert metrics["calls"].description == "Calls."
    assert metrics["level"].gauge.data_points[0].as_double == -1
    assert not metrics["active"].sum.is_monotonic
    assert metrics["active"].sum.data_points[0].as_double == 3
    (point,) = metrics["took_seconds"].histogram.data_points
    assert metrics["took_seconds"].unit == "s"
    assert (point.count, point.sum) == (2, 8.75)
    assert list(point.bucket_counts) == [0, 1, 1] and list(point.explicit_bounds) == [0.5, 1]
    (exemplar,) = point.exemplars
    assert exemplar.trace_id.hex() == trace_id and exemplar.as_double == 0.75


@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json"])
def test_exponential_histograms(protocol):
    with FaultServer("ok") as server, pushing(server, metrics_protocol=protocol):
        spread = Histogram("spread", "Spread.", exponential=True)
        for value in (-300, -1, 0, 1e-9, 1, 1, 2, 1e9):
            spread.observe(value)
        assert djp_telemetry.flush(30)
        metrics = metrics_in(decoded(server.requests[0].body))
    (point,) = metrics["spread"].exponential_histogram.data_points
    assert (point.count, point.zero_count) == (8, 1)
    base = 2 ** (2**-point.scale)
    for side, values in ((point.positive, (1e-9, 1, 1, 2, 1e9)), (point.negative, (1, 300))):
        buckets = {side.offset + i: count for i, count in enumerate(side.bucket_counts) if count}
        assert sum(buckets.values()) == len(values)
        for value in values:
            held = [i for i in buckets if base**i * 0.999 < value <= base ** (i + 1) * 1.001]
            assert held, (value, buckets)


def test_the_interval_pushes_without_a_flush():
    with FaultServer("ok") as server, pushing(server, metric_export_interval=0.1):
        Counter("ticks", "Ticks.").inc()
        wait_for(lambda: len(server.requests) >= 3)
        first, *_, last = (metrics_in(decoded(request.body)) for request in server.requests)
        points = [metrics["ticks"].sum.data_points[0] for metrics in (first, last)]
        assert points[0].start_time_unix_nano == points[1].start_time_unix_nano
        assert points[0].time_unix_nano < points[1].time_unix_nano
        assert points[1].as_double == 1


def test_deltas_add_up():
    with FaultServer("ok") as server, pushing(server, metrics_temporality="delta"):
        calls = Counter("calls", "Calls.")
        for amount in (1, 2, 3):
            calls.inc(amount)
            assert djp_telemetry.flush(30)
        bodies = [request.body for request in server.requests]
    sums = [metrics_in(decoded(body))["calls"].sum for body in bodies[:3]]
    assert [one.data_points[0].as_double for one in sums] == [1, 2, 3]
    assert {one.aggregation_temporality for one in sums} == {DELTA}
    points = [one.data_points[0] for one in sums]
    assert points[1].start_time_unix_nano == points[0].time_unix_nano


def test_an_outage_loses_no_total():
    with FaultServer("503", "503", "ok") as server, pushing(server, metrics_temporality="delta"):
        calls = Counter("calls", "Calls.")
        calls.inc(5)
        assert djp_telemetry.flush(30)
        calls.inc(7)
        assert djp_telemetry.flush(30)
        bodies = {request.body for request in server.requests[2:]}
    totals = [metrics_in(decoded(body)).get("calls") for body in bodies]
    assert sum(one.sum.data_points[0].as_double for one in totals if one) == 12


@pytest.mark.parametrize(
    "behaviour, protocol, rejected",
    [("partial", "http/protobuf", 5), ("partial_metrics_json", "http/json", 3)],
)
def test_rejected_points_are_counted(behaviour, protocol, rejected):
    with FaultServer(behaviour) as server, pushing(server, metrics_protocol=protocol):
        Counter("calls", "Calls.").inc()
        assert not djp_telemetry.flush(30)
        signals = telemetry_status()["signals"]
        assert signals["metrics"]["dropped"]["rejected"] == rejected
        assert signals["traces"]["dropped"]["rejected"] == 0


def test_a_signal_that_ends_the_process_delivers_its_numbers(tmp_path):
    with FaultServer("ok") as server:
        done = run_program(
            JOB + "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\nsignal.pause()\n",
            tmp_path,
            check=False,
            **environment(server, TELEMETRY_BACKEND="prom"),
        )
        (request,) = server.requests
    assert done.returncode == -15, done.stderr
    assert metrics_in(decoded(request.body))["rows"].sum.data_points[0].as_double == 42


def test_headers_and_compression_are_those_of_metrics(tmp_path):
    with FaultServer("ok") as server:
        run_program(
            JOB,
            tmp_path,
            **environment(
                server,
                OTEL_EXPORTER_OTLP_METRICS_HEADERS="x-key=a%20b",
                OTEL_EXPORTER_OTLP_TRACES_HEADERS="x-traces=1",
                OTEL_EXPORTER_OTLP_METRICS_COMPRESSION="gzip",
            ),
        )
        headers = server.requests[0].headers
    assert headers["x-key"] == "a b" and headers["content-encoding"] == "gzip"
    assert "x-traces" not in headers


def test_console_and_file(tmp_path):
    path = tmp_path / "metrics.jsonl"
    done = run_program(
        JOB,
        tmp_path,
        TELEMETRY_BACKEND="prom",
        OTEL_METRICS_EXPORTER="console,file",
        DJP_TELEMETRY_METRICS_FILE_PATH=str(path),
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    (rows,) = [line for line in lines if line["name"] == "rows"]
    assert rows["kind"] == "sum" and rows["monotonic"] is True
    assert rows["points"][0]["value"] == 42 and rows["points"][0]["attributes"] == {"kind": "good"}
    assert rows["resource"]["service.name"].startswith("unknown_service")
    metrics = metrics_in(decoded(path.read_bytes().splitlines()[0]))
    assert metrics["rows"].sum.data_points[0].as_double == 42


def test_the_sdk_counts_its_points():
    with FaultServer("ok") as server, pushing(server, sdk_metrics="otel"):
        Counter("calls", "Calls.").inc()
        assert djp_telemetry.flush(30)
        assert djp_telemetry.flush(30)
        first, second = (decoded(request.body) for request in server.requests[:2])
    sent = sum(
        len(getattr(metric, metric.WhichOneof("data")).data_points)
        for metric in metrics_in(first).values()
    )
    metrics = metrics_in(second)
    exported = metrics["otel.sdk.exporter.metric_data_point.exported"].sum.data_points
    by_error = {attributes(point).get("error.type", ""): point.as_double for point in exported}
    assert by_error[""] == sent
    assert attributes(exported[0])["otel.component.type"] == "otlp_http_metric_data_point_exporter"
    reader = metrics["otel.sdk.metric_reader.collection.duration"].histogram.data_points
    kinds = {attributes(point)["otel.component.type"] for point in reader}
    assert "periodic_metric_reader" in kinds
    scopes = {
        scope.scope.name: {metric.name for metric in scope.metrics}
        for scope in second.resource_metrics[0].scope_metrics
    }
    assert "calls" in scopes[""]
    assert "otel.sdk.exporter.metric_data_point.exported" in scopes["djp-telemetry"]


FORKED = """
import os, sys
import djp_telemetry as d
from djp_telemetry.metrics import Counter
d.init_telemetry()
calls = Counter("calls", "Calls.")
calls.inc(100)
for i in range(3):
    if os.fork() == 0:
        calls.inc(i + 1)
        d.shutdown(30)
        os._exit(0)
for i in range(3):
    assert os.wait()[1] == 0
"""


@pytest.mark.parametrize("shared", ["true", "directory"])
def test_each_process_delivers_its_share(tmp_path, shared):
    more = {}
    if shared == "directory":
        more["DJP_TELEMETRY_SHARED_DIR"] = str(tmp_path / "shared")
    with FaultServer("ok") as server:
        run_program(FORKED, tmp_path, **environment(server, **more))
        requests = [decoded(request.body) for request in server.requests]
    values = {}
    for request in requests:
        metric = metrics_in(request).get("calls")
        if metric is not None:
            instance = resource_of(request)["service.instance.id"]
            values[instance] = metric.sum.data_points[0].as_double
    assert sorted(values.values()) == [1, 2, 3, 100]


CHILD = """
import os, sys, time
import djp_telemetry as d
from djp_telemetry.metrics import Counter
d.init_telemetry()
calls = Counter("calls", "Calls.")
if os.fork() == 0:
    calls.inc(7)
    sys.stdin.read()  # lives until the test has seen its numbers
    os._exit(0)
os.wait()
"""


def test_a_forked_child_pushes_at_the_interval(tmp_path):
    import subprocess
    import sys

    from support import clean_environment

    def seen(server):
        for request in server.requests:
            metric = metrics_in(decoded(request.body)).get("calls")
            if metric is not None and metric.sum.data_points[0].as_double == 7:
                return True
        return False

    with FaultServer("ok") as server:
        settings = environment(server, TELEMETRY_ENABLED="true", OTEL_METRIC_EXPORT_INTERVAL="100")
        process = subprocess.Popen(
            [sys.executable, "-c", CHILD],
            stdin=subprocess.PIPE,
            env=clean_environment(**settings),
            cwd=tmp_path,
        )
        try:
            wait_for(lambda: seen(server))
        finally:
            process.stdin.close()
            process.wait(30)


def test_an_address_that_cannot_be_used_leaves_the_scrape():
    with telemetry(
        backend="hybrid",
        metrics_exporter="otlp",
        metrics_endpoint="http://127.0.0.1:1",
        metrics_certificate="/none",
        metrics_protocol="grpc",
    ):
        Counter("calls", "Calls.").inc()
        assert b"calls_total 1" in djp_telemetry.metrics.generate_metrics()
