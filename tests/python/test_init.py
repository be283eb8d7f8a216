"""Start and shutdown: options, environment, idempotence, the status, and the helpers of the otel
module."""

import datetime
import json
import logging
import os
import pathlib
import socket
import threading
import time

import djp_telemetry
import pytest
from djp_telemetry import _loader, otel, start_span
from support import attributes, take, telemetry

VARIABLES = (
    "OTEL_",
    "TELEMETRY_",
    "DJP_",
    "ENABLE_",
    "ENVIRONMENT",
    "ENV",
    "NODE_ENV",
    "SERVICE_NAME",
    "TRACES_",
    "PROM_",
)


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    for name in list(os.environ):
        if name.startswith(VARIABLES):
            monkeypatch.delenv(name)
    djp_telemetry.shutdown(1)
    djp_telemetry._runtime._runtime.reported.clear()
    yield
    djp_telemetry.shutdown(1)


def setting(name):
    found = djp_telemetry.telemetry_status()["settings"][name]
    return found["value"], found["source"]


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


# ---- messages ----------------------------------------------------------------------------------


def test_a_start_is_told_once_in_one_line(caplog):
    with caplog.at_level(logging.INFO, "djp_telemetry"):
        with telemetry(sample_ratio=0.5, service_name="shop"):
            djp_telemetry.init_telemetry(enabled=True)
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    assert lines == [
        "Telemetry is on (option enabled) for shop: spans to memory (option exporter), ratio 0.5 "
        "(option sample_ratio), besides errors and what takes more than 2 s."
    ]


def test_no_start_is_told_while_off_or_unwanted(caplog, monkeypatch):
    monkeypatch.setenv("OTEL_ENDPOINT", "http://far:4317")
    with caplog.at_level(logging.DEBUG, "djp_telemetry"):
        djp_telemetry.init_telemetry()
        with telemetry(log_level="warn"):
            pass
    assert not caplog.records


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


# ---- options -----------------------------------------------------------------------------------


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


def test_an_option_that_raises_when_read(caplog):
    class Broken:
        def __str__(self):
            raise RuntimeError

    with caplog.at_level(logging.WARNING, "djp_telemetry"), telemetry(endpoint=Broken()):
        assert djp_telemetry.telemetry_status()["enabled"]
    assert "endpoint" in caplog.text


@pytest.mark.parametrize(
    "given, text",
    [
        (True, "true"),
        (False, "false"),
        (None, None),
        ("as it is", "as it is"),
        (0.25, "0.25"),
        (8, "8"),
        ({"a b": "c,d", "e": 1}, "a%20b=c%2Cd,e=1"),
        (["/a", "/b*"], "/a,/b*"),
        (datetime.timedelta(seconds=1.5), "1.5"),
        (pathlib.Path("/tmp/x"), "/tmp/x"),
        (djp_telemetry.SpanKind.SERVER, "2"),
    ],
)
def test_options_as_text(given, text):
    assert djp_telemetry._runtime.option_text(given) == text


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


# ---- life --------------------------------------------------------------------------------------


def test_again_after_shutdown():
    for number in range(3):
        with telemetry(service_name=f"s{number}"):
            with start_span("s"):
                pass
            assert len(take()) == 1
        assert djp_telemetry.telemetry_status()["enabled"] is False
        assert djp_telemetry.telemetry_status()["spans"]["exported"] == 1


def test_everything_after_shutdown_is_a_no_op():
    with telemetry():
        span = start_span("open")
    assert djp_telemetry.shutdown() and djp_telemetry.flush()
    span.set_attribute("a", 1)
    span.end()
    assert start_span("late") is djp_telemetry.INVALID_SPAN
    assert djp_telemetry.get_tracer("t").start_span("late") is djp_telemetry.INVALID_SPAN


def test_flush_and_shutdown_tell_the_truth_about_a_dead_collector():
    djp_telemetry.init_telemetry(
        enabled=True,
        backend="otel",
        exporter="otlp",
        endpoint="http://127.0.0.1:9",
        sample_ratio=1.0,
        log_level="none",
    )
    with start_span("lost"):
        pass
    begin = time.monotonic()
    assert djp_telemetry.flush(0.3) is False
    assert djp_telemetry.shutdown() is False
    assert time.monotonic() - begin < 3
    assert sum(djp_telemetry.telemetry_status()["dropped"].values()) == 1


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), "text", object()])
def test_odd_timeouts(timeout):
    with telemetry():
        start_span("s").end()
        assert djp_telemetry.flush(timeout) in (True, False)
        assert djp_telemetry.shutdown(timeout) in (True, False)


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


def test_the_seam_of_the_noop_backend(monkeypatch, caplog):
    with caplog.at_level(logging.INFO, "djp_telemetry"):
        djp_telemetry.init_noop_if_enabled()
        assert not caplog.records
        monkeypatch.setenv("TELEMETRY_ENABLED", "true")
        djp_telemetry.init_noop_if_enabled()
        djp_telemetry.init_noop_if_enabled()
    assert [record.getMessage() for record in caplog.records] == ["telemetry initialized (noop)"]


# ---- R232-R236: the helpers of the otel module -------------------------------------------------


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


def test_the_version_is_the_same_everywhere():
    root = pathlib.Path(__file__).resolve().parents[2]
    header = (root / "core/include/djp/version.h").read_text()
    project = (root / "pyproject.toml").read_text()
    version = djp_telemetry.__version__
    assert f'#define DJP_VERSION "{version}"' in header and f'version = "{version}"' in project
    assert _loader.impl.__version__ == version


def test_a_second_thread_gets_the_answer_of_the_shutdown_under_way():
    djp_telemetry.init_telemetry(
        enabled=True,
        backend="otel",
        exporter="otlp",
        endpoint="http://127.0.0.1:9",
        sample_ratio=1.0,
        log_level="none",
    )
    start_span("lost").end()
    answers = []
    first = threading.Thread(target=lambda: answers.append(djp_telemetry.shutdown(0.7)))
    first.start()
    while djp_telemetry._runtime._runtime.active:
        time.sleep(0.001)
    answers.append(djp_telemetry.shutdown(10))
    first.join(10)
    assert answers == [False, False]
    assert djp_telemetry.shutdown(1) is True


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
