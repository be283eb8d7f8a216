"""The recorders of documented metrics by the shared vectors, declarations of documented families by
the application, and names and units of other systems' forms."""

import json
import logging
import math
import os

import asgi_driver as driver
import djp_telemetry
import pytest
from djp_telemetry import otel, prom
from djp_telemetry.metrics import Counter, Gauge, Histogram

pytest.importorskip("djp_telemetry._native")
VECTORS = os.path.join(os.path.dirname(__file__), "..", "vectors")
NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
MODULES = {"record_http_span": otel, "record_job_span": otel, "record_external_api_span": otel}


def vectors(file):
    with open(os.path.join(VECTORS, file), encoding="utf-8") as stream:
        return json.load(stream)["cases"]


USUAL = {"error", "error.message", "sampling.reason"}


def record(case):
    name, *given = case["call"]
    getattr(MODULES.get(name, prom), name)(
        *[NUMBERS.get(value, value) if isinstance(value, str) else value for value in given],
        **case.get("named", {}),
    )


@pytest.mark.parametrize("case", vectors("recorders.json"), ids=lambda case: str(case["call"]))
def test_a_recorder(case):
    with driver.telemetry(backend="hybrid", exporter="memory"):
        record(case)
        found = driver.samples()
        dropped = djp_telemetry.telemetry_status()["registry"]["dropped"]
    for sample, value in case["samples"].items():
        assert found.get(sample) == value, sample
    assert not [key for key in found for absent in case.get("absent", []) if key.startswith(absent)]
    assert dropped == case["dropped"]


@pytest.mark.parametrize("semconv", ["old", "stable"])
@pytest.mark.parametrize(
    "case",
    [case for case in vectors("recorders.json") if "span" in case],
    ids=lambda case: f"{case['call']} {case.get('named', '')}",
)
def test_the_span_of_a_recorder(case, semconv):
    with driver.telemetry(backend="otel", semconv=semconv):
        record(case)
        (span,) = driver.spans()
    wanted = case["span"]
    own = {key: value for key, value in driver.attributes(span).items() if key not in USUAL}
    both = wanted["attributes"]
    assert own == (wanted.get("stable", both) if semconv == "stable" else both)
    assert (span.name, span.kind) == (wanted["name"], wanted["kind"])
    assert span.status.code == {"unset": 0, "error": 2}[wanted["status"]]
    assert span.status.message == wanted["description"]


def test_a_refused_number_leaves_no_series():
    with driver.telemetry(backend="prom"):
        prom.record_queue_job("email", -1)
        prom.record_workflow_cost(math.nan)
        found = driver.samples()
    assert not [key for key in found if key.startswith("queue_job_latency_seconds_count")]
    assert found.get("workflow_cost_usd_total", 0) == 0


@pytest.mark.parametrize(
    "case", vectors("metric_names.json"), ids=lambda case: f"{case['name']} [{case['unit']}]"
)
def test_a_name(case):
    make = {"counter": Counter, "gauge": Gauge, "histogram": Histogram}[case["type"]]
    metric = make(case["name"], "help", case["labels"], unit=case["unit"])
    with driver.telemetry(backend="prom"):
        before = set(driver.samples())
        child = metric.labels(*["v"] * len(case["labels"])) if case["labels"] else metric
        if case["type"] == "histogram":
            child.observe(1)
        elif case["type"] == "counter":
            child.inc()
        else:
            child.set(1)
        found = driver.samples()
    if case["sample"] is not None:
        assert case["sample"] in found
    else:
        assert set(found) == before


def test_label_values_may_be_given_under_the_declared_name():
    counter = Counter("named.labels", "help", ["http.method"])
    with driver.telemetry(backend="prom"):
        counter.labels(**{"http.method": "GET"}).inc()
        assert driver.samples()['named_labels_total{http_method="GET"}'] == 1


def test_a_documented_family_of_the_application_is_the_sdks_own(caplog):
    duration = Histogram(
        "http_request_duration_seconds",
        "HTTP request duration",
        ["method", "endpoint", "status_code"],
    )
    with driver.telemetry(backend="prom"):
        prom.record_http_request("GET", "/x", 200, 0.07)
        duration.labels("GET", "/x", "200").observe(0.07)
        found = driver.samples()
        dropped = djp_telemetry.telemetry_status()["registry"]["dropped"]
    assert (
        found['http_request_duration_seconds_count{method="GET",endpoint="/x",status_code="200"}']
        == 2
    )
    assert dropped == 0 and not [
        record for record in caplog.records if record.levelno >= logging.WARNING
    ]


def test_a_family_that_the_application_has_taken_is_said_and_counted(capfd):
    gauge = Gauge("http_request_duration_seconds", "theirs")
    with driver.telemetry(backend="prom"):
        gauge.set(1)
        for _ in range(3):
            prom.record_http_request("GET", "/x", 200, 0.07)
        found = driver.samples()
        status = djp_telemetry.telemetry_status()
    assert found['http_requests_total{method="GET",endpoint="/x",status_code="200"}'] == 3
    assert found["http_request_duration_seconds"] == 1
    assert status["registry"]["dropped"] == 3
    assert "http_request_duration_seconds" in status["last_error"]


def test_later_buckets_of_a_documented_family_are_told(caplog):
    with driver.telemetry(backend="prom"):
        prom.record_queue_job("email", 1)
        late = Histogram("queue_job_latency_seconds", "theirs", ["job_type"], buckets=[1, 2])
        late.labels("email").observe(42)
        found = driver.samples()
    assert found['queue_job_latency_seconds_bucket{job_type="email",le="60.0"}'] == 2
    assert "declared before with other buckets" in caplog.text


def test_the_attributes_of_recorded_spans_have_one_type():
    with driver.telemetry(backend="otel", exporter="memory", sample_ratio=1):
        for duration in (2, 2.5, "3"):
            otel.record_job_span("q", "j", duration, "no")
        otel.record_job_span("q", "j", math.nan, True)
        otel.record_http_span("GET", "/x", "503", 1)
        attributes = [driver.attributes(span) for span in driver.spans()]
    jobs, request = attributes[:4], attributes[4]
    assert [type(job["job.duration_seconds"]) for job in jobs[:3]] == [float] * 3
    assert "job.duration_seconds" not in jobs[3]
    assert [job["job.success"] for job in jobs] == [False, False, False, True]
    assert request["http.status_code"] == 503
