"""The documented helper functions of djp_telemetry.prom and the old module names."""

import math

import asgi_driver as driver
import djp_telemetry
import pytest
from djp_telemetry import middleware, prom

pytest.importorskip("djp_telemetry._native")


def record_everything():
    prom.record_http_request("GET", "/orders/{id}", 200, 0.25)
    prom.record_queue_job("email", 1.5)
    prom.set_queue_depth("mail", 4)
    prom.record_external_api_call("Teams", "send", 0.2)


def test_off_is_silent_and_empty():
    djp_telemetry.shutdown(1)
    record_everything()
    assert prom.generate_metrics_text() == ""


def test_recorded_values():
    with driver.telemetry(backend="prom"):
        record_everything()
        found = driver.samples()
    assert (
        found[
            'http_request_duration_seconds_sum{method="GET",endpoint="/orders/{id}",'
            'status_code="200"}'
        ]
        == 0.25
    )
    assert found['http_requests_total{method="GET",endpoint="/orders/{id}",status_code="200"}'] == 1
    assert found['queue_job_latency_seconds_sum{job_type="email"}'] == 1.5
    assert (
        found['queue_depth{queue_name="mail"}']
        == found['queue_depth_total{queue_name="mail"}']
        == 4
    )
    assert found['external_api_calls_total{service="Teams",operation="send"}'] == 1
    assert found['external_api_duration_seconds_sum{service="Teams",operation="send"}'] == 0.2


def test_bad_values_never_raise():
    class Bad:
        def __str__(self):
            raise ValueError

        __int__ = __float__ = __str__

    with driver.telemetry(backend="prom"):
        for bad in (None, Bad(), "x" * 10_000_000, "\ud800", math.nan, -1, 10**400, [], math.inf):
            prom.record_http_request(bad, bad, bad, bad)
            prom.record_http_request("GET", "/x", 200, bad)
            prom.record_queue_job(bad, bad)
            prom.set_queue_depth(bad, bad)
            prom.record_external_api_call(bad, bad, bad)
        assert prom.generate_metrics_text()


def test_init_prometheus_follows_the_environment(monkeypatch):
    djp_telemetry.shutdown(1)
    for name in ("TELEMETRY_ENABLED", "TELEMETRY_BACKEND"):
        monkeypatch.delenv(name, raising=False)
    prom.init_prometheus()
    assert prom.generate_metrics_text() == ""
    monkeypatch.setenv("TELEMETRY_ENABLED", "true")
    monkeypatch.setenv("TELEMETRY_BACKEND", "prom")
    try:
        prom.init_prometheus()
        prom.init_prometheus()
        prom.record_http_request("GET", "/a", 200, 0.1)
        assert "http_request_duration_seconds" in prom.generate_metrics_text()
    finally:
        djp_telemetry.shutdown(1)


def test_timer_is_set_even_when_the_body_raises():
    with prom.timer_context("op") as timer:
        pass
    assert timer.elapsed_seconds > 0 and timer.label == "op"
    failing = prom.timer_context()
    with pytest.raises(KeyError), failing:
        raise KeyError
    assert failing.elapsed_seconds > 0 and failing.label == "operation"


def test_label_style_and_status_class():
    with driver.telemetry(
        backend="prom", label_style="path", status_class="class", service_name="shop"
    ):
        prom.record_http_request("GET", "/a", 204, 0.1)
        found = driver.samples("http_requests_total")
    assert list(found) in (
        ['http_requests_total{service="shop",method="GET",path="/a",status="2xx"}'],
        ['http_requests_total{method="GET",path="/a",status="2xx",service="shop"}'],
    )


def test_middleware_under_its_old_name():
    from djp_telemetry.asgi import TelemetryMiddleware

    assert middleware.TelemetryMiddleware is TelemetryMiddleware
    assert middleware.TelemetryMiddleware._normalize_endpoint("/api/workflows/123/runs/456") == (
        "/api/workflows/{id}/runs/{id}"
    )
