"""The module djp_telemetry.metrics: expositions in every state, warnings once each, and the
separate Prometheus endpoint."""

import socket
import urllib.request

import asgi_driver as driver
import djp_telemetry
import pytest
from djp_telemetry import metrics
from djp_telemetry.metrics import Counter, Gauge, Histogram

pytest.importorskip("djp_telemetry._native")


@pytest.fixture
def on():
    with driver.telemetry():
        yield


@pytest.fixture
def without_core(monkeypatch):
    monkeypatch.setattr(metrics, "native", None)


def test_text_is_accepted_by_the_peer_parser(on):
    parser = pytest.importorskip("prometheus_client.parser")
    Counter("p_total", "p", ["a"]).labels("x").inc()
    Histogram("p_seconds", "p").observe(3)
    names = {
        family.name
        for family in parser.text_string_to_metric_families(metrics.generate_metrics_text())
    }
    assert {"p", "p_seconds"} <= names


def test_forms_of_the_exposition(on):
    Gauge("formed", "é").set(2)
    text = metrics.generate_metrics_text()
    assert "# HELP formed é\n" in text and "\nformed 2\n" in text
    assert metrics.expose()[1] == metrics.get_content_type() == metrics.METRICS_CONTENT_TYPE
    assert metrics.generate_metrics().decode().count("formed 2") == 1
    for accept in ("application/openmetrics-text", "text/plain"):
        body, content_type = metrics.expose(accept)
        assert content_type.startswith(accept) and metrics.get_content_type(accept) == content_type
        assert len(body) > 100 and metrics.generate_metrics(accept)
    assert metrics.expose_packed(None, "gzip")[2] and metrics.expose_packed(None, "gzip")[0]


def test_expositions_while_metrics_are_off():
    djp_telemetry.shutdown(1)
    assert metrics.expose() == (None, metrics.METRICS_CONTENT_TYPE)
    assert metrics.generate_metrics() == b"" and metrics.generate_metrics_text() == ""
    assert metrics.get_content_type("application/openmetrics-text").startswith("application/op")


def test_expositions_without_the_core(without_core):
    assert metrics.expose() == (None, metrics.METRICS_CONTENT_TYPE)
    assert metrics.expose_packed("x", "gzip") == (None, metrics.METRICS_CONTENT_TYPE, False)
    assert metrics.generate_metrics().startswith(b"# The native core of djp-telemetry is not inst")
    assert metrics.generate_metrics_text() == "" and metrics.start_metrics_server(1) is False
    assert metrics.get_content_type("application/openmetrics-text") == metrics.METRICS_CONTENT_TYPE


def test_a_message_is_logged_once_and_a_limited_number_of_them(monkeypatch, caplog):
    monkeypatch.setattr(metrics, "_warned", set())
    for _ in range(2):
        metrics._warn("a message with 100 %")
    assert [record.getMessage() for record in caplog.records] == ["a message with 100 %"]
    for number in range(1200):
        metrics._warn(f"message {number}")
    assert len(caplog.records) == 1000 and caplog.records[-1].getMessage() == "message 998"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_the_prometheus_endpoint(caplog, monkeypatch):
    monkeypatch.setattr(metrics, "_warned", set())
    port = free_port()
    assert metrics.start_metrics_server(port) is False  # telemetry is off
    with driver.telemetry():
        Gauge("served", "s").set(3)
        assert metrics.start_metrics_server(str(port), "127.0.0.1") is True
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
            assert b"\nserved 3\n" in response.read()
        assert caplog.records == []
        for wrong in (("x", "127.0.0.1"), (None, "127.0.0.1"), (1 << 70, "127.0.0.1"), (1, "\0")):
            caplog.clear()
            assert metrics.start_metrics_server(*wrong) is False
            (record,) = caplog.records
            assert "start_metrics_server() got an invalid port or address" in record.getMessage()
            assert "Error: " in record.getMessage()


def test_the_address_of_the_endpoint_by_default(monkeypatch):
    asked = []
    monkeypatch.setattr(
        metrics, "native", type("Core", (), {"_metrics_listen": lambda *given: asked.append(given)})
    )
    assert metrics.start_metrics_server() is False
    assert asked == [("0.0.0.0", 8001)]
