"""Start and shutdown: options, environment, idempotence, and the status."""

import json
import logging
import os
import pathlib
import socket
import time

import djp_telemetry
import pytest
from djp_telemetry import _loader, start_span
from support import started_anew, take, telemetry


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    with started_anew(monkeypatch):
        yield


# ---- R231: init --------------------------------------------------------------------------------


def test_init_disabled_by_default():
    assert djp_telemetry.init_telemetry() is None
    status = djp_telemetry.telemetry_status()
    assert status["enabled"] is False and status["impl"] == "native" and status["impl_reason"] == ""
    assert start_span("off") is djp_telemetry.INVALID_SPAN
    assert djp_telemetry.flush() is True and djp_telemetry.shutdown() is True


def test_off_starts_no_thread():
    before = os.listdir("/proc/self/task")
    djp_telemetry.init_telemetry()
    with start_span("off"):
        pass
    assert os.listdir("/proc/self/task") == before


# ---- messages ----------------------------------------------------------------------------------


def test_names_that_mean_nothing_are_answered(caplog, monkeypatch):
    monkeypatch.setenv("DJP_TELEMETRY_SAMPLE_RATE", "1")
    monkeypatch.setenv("OTEL_CONFIG_FILE", "/x.yaml")
    with caplog.at_level(logging.WARNING, "djp_telemetry"), telemetry(flush_intervall=3):
        pass
    text = caplog.text
    assert "did you mean DJP_TELEMETRY_SAMPLE_RATIO?" in text and "OTEL_CONFIG_FILE" in text
    assert "did you mean flush_interval?" in text


# ---- status ------------------------------------------------------------------------------------


def shape(status):
    return {key: shape(part) if isinstance(part, dict) else None for key, part in status.items()}


def test_the_status_has_the_same_keys_always():
    shapes = [shape(djp_telemetry.telemetry_status())]
    djp_telemetry.init_telemetry(enabled=False)
    shapes.append(shape(djp_telemetry.telemetry_status()))
    with telemetry(backend="hybrid"):
        shapes.append(shape(djp_telemetry.telemetry_status()))
    shapes.append(shape(djp_telemetry.telemetry_status()))
    djp_telemetry.init_telemetry(enabled=False, service_name="later")
    status = djp_telemetry.telemetry_status()
    shapes.append(shape(status))
    assert all(found == shapes[0] for found in shapes)
    assert (status["enabled"], status["shut_down"], status["service_name"]) == (
        False,
        False,
        "later",
    )
    assert (
        status["enabled_by"] == "option enabled"
        and status["problem"] == "Telemetry is off (option enabled)."
    )


def test_both_packages_show_the_same_state_without_the_core():
    from djp_telemetry._noop_status import STATUS

    node = pathlib.Path(__file__).parent.parent.parent / "bindings/node/lib/noop_status.json"
    assert json.loads(node.read_text()) == json.loads(STATUS)


def test_the_status_says_why_nothing_arrives():
    def problem(**options):
        with telemetry(**options):
            with start_span("a"):
                pass
            djp_telemetry.flush(1)
            return djp_telemetry.telemetry_status()["problem"]

    assert problem() == ""
    assert "backend is noop" in problem(backend="noop")
    assert "exporter is none" in problem(exporter="none")
    assert "ratio is 0" in problem(sample_ratio=0)
    assert "was sampled: the ratio is 1e-09" in problem(sample_ratio=1e-9)
    assert problem(backend="prom") == ""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
        assert "failed in a row" in problem(
            exporter="otlp", endpoint=endpoint, protocol="http/protobuf"
        )


def test_a_receiver_that_hangs_is_named():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with telemetry(
            exporter="otlp", endpoint=endpoint, protocol="http/protobuf", flush_interval=0
        ):
            with start_span("waits"):
                pass
            deadline = time.monotonic() + 30
            while "has not responded for" not in djp_telemetry.telemetry_status()["problem"]:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            assert djp_telemetry.telemetry_status()["export"]["attempt_seconds"] >= 2


def test_an_at_sign_in_a_password_costs_nothing():
    endpoint = "http://joe:p@ss@127.0.0.1:9"
    with telemetry(backend="hybrid", exporter="otlp", endpoint=endpoint):
        status = djp_telemetry.telemetry_status()
        assert (
            status["traces"]
            and status["metrics"]
            and status["export"]["endpoint"] == "http://127.0.0.1:9"
        )
        assert "p@ss" not in str(status) and "p%40ss" not in str(status)


# ---- life --------------------------------------------------------------------------------------


def test_ratio_zero_exports_nothing_not_even_errors():
    with telemetry(sample_ratio=0.0):
        for _ in range(20):
            with pytest.raises(ValueError), start_span("failing"):
                raise ValueError
        assert take() == []


def test_ratio_one_exports_everything():
    with telemetry(sample_ratio=1.0):
        for _ in range(1000):
            start_span("kept").end()
        assert len(take()) == 1000


def test_errors_are_kept_at_any_other_ratio():
    with telemetry(sample_ratio=1e-9):
        for _ in range(50):
            start_span("fine").end()
        with pytest.raises(ValueError), start_span("failing"):
            raise ValueError
        spans = take()
    assert [span.name for span in spans] == ["failing"]


def test_status_of_a_running_sdk():
    with telemetry():
        for _ in range(3):
            start_span("s").end()
        take()
        status = djp_telemetry.telemetry_status()
    assert status["impl"] == "native" and status["version"] == djp_telemetry.__version__
    assert (
        status["spans"]["started"] == status["spans"]["exported"] == 3
        and sum(status["dropped"].values()) == 0
    )
    assert status["settings"]["exporter"] == {"value": "memory", "source": "option exporter"}


def test_the_type_of_init_telemetry_has_every_option_by_name():
    import ast
    import pathlib

    stub = pathlib.Path(djp_telemetry.__file__).with_name("_init.pyi")
    (function,) = [
        node for node in ast.parse(stub.read_text()).body if isinstance(node, ast.FunctionDef)
    ]
    assert [argument.arg for argument in function.args.kwonlyargs] == _loader.impl.sdk_keywords()
    assert function.args.kwarg is None and len(function.args.kw_defaults) == len(
        function.args.kwonlyargs
    )
