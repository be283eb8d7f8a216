"""Settings that the extension resolves and shows."""

import logging

import djp_telemetry
import pytest
from djp_telemetry import _loader, _runtime, start_span
from support import attributes, started_anew, telemetry


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    with started_anew(monkeypatch):
        yield


def setting(name):
    found = djp_telemetry.telemetry_status()["settings"][name]
    return found["value"], found["source"]


def test_options_win_over_variables(monkeypatch):
    monkeypatch.setenv("OTEL_SERVICE_NAME", "from-variable")
    monkeypatch.setenv("OTEL_TRACE_SAMPLE", "0.5")
    with telemetry(service_name="from-option", sample_ratio=0.25):
        assert setting("service_name")[0] == "from-option" and setting("sample_ratio")[0] in (
            0.25,
            "0.25",
        )
        assert djp_telemetry.telemetry_status()["service_name"] == "from-option"


def test_variables_alone(monkeypatch):
    for name, text in {
        "TELEMETRY_ENABLED": "true",
        "TELEMETRY_BACKEND": "hybrid",
        "OTEL_SERVICE_NAME": "by-variable",
        "OTEL_TRACES_EXPORTER": "memory",
    }.items():
        monkeypatch.setenv(name, text)
    djp_telemetry.init_telemetry()
    status = djp_telemetry.telemetry_status()
    assert (
        status["enabled"]
        and status["backend"] == "hybrid"
        and status["service_name"] == "by-variable"
    )
    assert setting("service_name") == ("by-variable", "OTEL_SERVICE_NAME")


def test_bad_values_never_raise_and_warn_once(monkeypatch, caplog):
    monkeypatch.setenv("OTEL_TRACE_SAMPLE", "abc")
    with caplog.at_level(logging.WARNING, "djp_telemetry"):
        with telemetry(
            sample_ratio=None, ring_bytes="many", flush_interval=object(), protocol="carrier pigeon"
        ):
            assert djp_telemetry.telemetry_status()["enabled"]
    text = caplog.text
    for word in ("OTEL_TRACE_SAMPLE", "ring_bytes", "flush_interval", "protocol"):
        assert text.count(word) >= 1, text


def test_an_unknown_option_is_a_warning(caplog):
    with caplog.at_level(logging.WARNING, "djp_telemetry"):
        with telemetry(nonsense=1):
            djp_telemetry.init_telemetry(nonsense=1)
        with telemetry(nonsense=1):
            pass
    assert len([record for record in caplog.records if "nonsense" in record.getMessage()]) == 1


def test_resource_attributes_as_a_dict():
    with telemetry(resource_attributes={"team": "a,b", "über": "ü"}, environment="staging"):
        start_span("s").end()
        assert djp_telemetry.flush(5)
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
            ExportTraceServiceRequest,
        )

        request = ExportTraceServiceRequest.FromString(_loader.impl.sdk_take_exported()[4:])
    found = attributes(request.resource_spans[0].resource.attributes)
    assert found["team"] == "a,b" and found["über"] == "ü" and found["service.name"] == "test"
    assert (
        found["telemetry.sdk.language"] == "python"
        and found["telemetry.sdk.name"] == "djp-telemetry"
    )


def test_headers_are_never_shown():
    with telemetry(
        exporter="otlp", endpoint="http://127.0.0.1:9", headers={"authorization": "Bearer secret"}
    ):
        assert "secret" not in str(djp_telemetry.telemetry_status())


pytest.importorskip("djp_telemetry._native")


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), "text", object()])
def test_odd_timeouts(timeout):
    with telemetry():
        start_span("s").end()
        assert djp_telemetry.flush(timeout) in (True, False)
        assert djp_telemetry.shutdown(timeout) in (True, False)


def test_settings_of_the_binding():
    with telemetry(service_name="x", shutdown_timeout=3):
        assert _runtime.settings()["service_name"] == "x"
        assert _runtime.settings()["shutdown_timeout"] == 3.0
