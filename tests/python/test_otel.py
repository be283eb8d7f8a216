"""djp_telemetry.otel: the documented spans, with and without telemetry, and names that older code
imports."""

import time

import djp_telemetry
import pytest
from djp_telemetry import otel, start_span
from support import attributes, started_anew, take, telemetry

pytest.importorskip("djp_telemetry._native")


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    with started_anew(monkeypatch):
        yield


def test_init_disabled_wrong_backend(monkeypatch):
    monkeypatch.setenv("TELEMETRY_ENABLED", "true")
    monkeypatch.setenv("TELEMETRY_BACKEND", "prom")
    otel.init_tracer()
    with otel.start_span("nothing") as span:
        span.set_attribute("a", 1)
    assert not span.is_recording() and otel.get_current_trace_id() == ""
    assert djp_telemetry.telemetry_status()["traces"] is False


def test_init_console_exporter_is_idempotent(monkeypatch, capfd):
    monkeypatch.setenv("TELEMETRY_ENABLED", "true")
    monkeypatch.setenv("TELEMETRY_BACKEND", "otel")
    monkeypatch.setenv("OTEL_EXPORTER", "console")
    monkeypatch.setenv("OTEL_TRACE_SAMPLE", "1.0")
    otel.init_tracer()
    otel.init_tracer("another name")
    otel.init_opentelemetry()
    with otel.start_span("printed", {"a": 1}):
        pass
    assert djp_telemetry.shutdown(5)
    lines = [line for line in capfd.readouterr().out.splitlines() if line.startswith("{")]
    assert len(lines) == 1 and '"printed"' in lines[0]


def test_get_trace_id():
    assert otel.get_current_trace_id() == otel.get_current_span_id() == ""
    with telemetry():
        assert otel.get_current_trace_id() == otel.get_current_span_id() == ""
        with otel.start_span("s") as span:
            assert otel.get_current_trace_id() == f"{span.get_span_context().trace_id:032x}"
            assert otel.get_current_span_id() == f"{span.get_span_context().span_id:016x}"
        assert otel.get_current_trace_id() == ""


def test_helpers_do_nothing_when_off():
    assert otel.record_http_span("GET", "/x", 200, 0.1) is None
    assert otel.record_job_span("q", "t", 1.0) is None
    assert otel.record_external_api_span("s", "o", 1.0, success=False) is None
    assert (
        otel.get_tracer() is not None
        and otel.get_tracer("x").start_span("y") is djp_telemetry.INVALID_SPAN
    )


def lasted(span):
    return (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9


def plain(span):
    found = attributes(span.attributes)
    found.pop("sampling.reason", None)
    return found


def test_record_job_span():
    with telemetry():
        before = time.time()
        with start_span("around") as around:
            otel.record_job_span("batch_runner", "workflow_run", 12.5, False)
            otel.record_job_span("batch_runner", "workflow_run", 0.25)
        failed, good = [span for span in take() if span.name == "job.run"]
    assert lasted(failed) == pytest.approx(12.5) and lasted(good) == pytest.approx(0.25)
    assert abs(failed.end_time_unix_nano / 1e9 - before) < 5
    assert failed.parent_span_id == around.get_span_context().span_id.to_bytes(8, "big")
    assert plain(failed) == {
        "queue.name": "batch_runner",
        "job.type": "workflow_run",
        "job.duration_seconds": 12.5,
        "job.success": False,
        "error": True,
        "error.message": "Job failed",
    }
    assert (failed.status.code, failed.status.message) == (
        2,
        "Job failed",
    ) and good.status.code == 0


def test_record_external_api_span():
    with telemetry():
        otel.record_external_api_span("outlook", "list", 1.5, success=False)
        span = take().one("external.api.call")
    assert lasted(span) == pytest.approx(1.5) and span.kind == 3
    assert plain(span) == {
        "external.service": "outlook",
        "external.operation": "list",
        "external.duration_seconds": 1.5,
        "external.success": False,
        "error": True,
        "error.message": "External API call failed",
    }
    assert (span.status.code, span.status.message) == (2, "External API call failed")


OLD = {"http.method": "GET", "http.status_code": 200}
STABLE = {"http.request.method": "GET", "http.response.status_code": 200}


@pytest.mark.parametrize(
    "semconv, expected", [(None, OLD), ("stable", STABLE), ("both", {**OLD, **STABLE})]
)
def test_record_http_span(semconv, expected):
    with telemetry(semconv=semconv):
        otel.record_http_span("GET", "/orders/{id}", 200, 0.5)
        otel.record_http_span("GET", "/orders/{id}", 503, 0.5)
        good, failed = take()
    assert good.name == "http.server" and good.kind == 2 and lasted(good) == pytest.approx(0.5)
    assert plain(good) == {"http.route": "/orders/{id}", "http.duration_seconds": 0.5, **expected}
    assert good.status.code == 0 and failed.status.code == 2


@pytest.mark.parametrize("duration", [None, "x", -1, float("nan"), float("inf"), 1e300, object()])
def test_odd_durations(duration):
    with telemetry():
        otel.record_job_span("q", "t", duration)
        otel.record_http_span(None, None, None, duration)


def test_a_start_takes_a_service_name(monkeypatch):
    monkeypatch.setenv("TELEMETRY_ENABLED", "true")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "from the environment")
    for given, found in (("given", "given"), (None, "from the environment")):
        otel.init_tracer(service_name=given)
        assert djp_telemetry.telemetry_status()["service_name"] == found
        djp_telemetry.shutdown(1)
    assert otel.init_opentelemetry is otel.init_tracer


def test_arguments_are_converted():
    with telemetry():
        otel.record_http_span(7, "/x", "404", "0.5")
        otel.record_job_span(b"q", None, "2", "no", error_type=ValueError)
        otel.record_external_api_span("s", 7, 1, "false", status_code="503")
        request, job, call = take()
    assert plain(request)["http.status_code"] == 404 and lasted(request) == pytest.approx(0.5)
    assert plain(job)["queue.name"] == "b'q'" and plain(job)["job.type"] == "None"
    assert plain(job)["job.success"] is False and plain(job)["job.duration_seconds"] == 2.0
    assert plain(call)["external.operation"] == "7" and plain(call)["external.success"] is False


def test_the_helpers_without_the_core(monkeypatch):
    monkeypatch.setattr(otel, "native", None)
    assert otel.record_http_span("GET", "/x", 200, 0.1) is None
    assert otel.record_job_span("q", "t", 1.0, error_type="x") is None
    assert otel.record_external_api_span("s", "o", 1.0, status_code=500) is None
