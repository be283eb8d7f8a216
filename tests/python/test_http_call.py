"""One outgoing request as the extension passes it to the core: the shared cases, its place below
the current span, and arguments of any kind."""

import json
import math
import pathlib

import djp_telemetry
import pytest
from djp_telemetry import prom, start_span
from support import attributes, take, telemetry

native = pytest.importorskip("djp_telemetry._native")
CASES = json.loads(
    (pathlib.Path(__file__).parents[1] / "vectors" / "http_client.json").read_text()
)["cases"]
USUAL = {"error", "error.message", "sampling.reason"}
FAMILY = "http_client_request_duration_seconds"


def own(span):
    return {key: text for key, text in attributes(span.attributes).items() if key not in USUAL}


def requested(method="GET", url="http://example.com/", response=(), end=()):
    call = native._http_call(method, url)
    call.respond(*response)
    call.end(*end)
    return call


def samples(suffix):
    """The samples of the family whose name has the suffix: labels and value."""
    lines = prom.generate_metrics_text().splitlines()
    return [line[len(FAMILY + suffix) :] for line in lines if line.startswith(FAMILY + suffix)]


@pytest.mark.parametrize("semconv", ["old", "stable"])
@pytest.mark.parametrize(
    "case", [case for case in CASES if "target" not in case], ids=lambda case: case["case"]
)
def test_a_shared_case(case, semconv):
    error = case.get("error", ("AbortError", "aborted") if "cancelled" in case else (None, None))
    with telemetry(semconv=semconv, backend="hybrid"):
        requested(
            case["method"],
            case["url"],
            (case["status"], case.get("version"), case.get("resend_count", 0)),
            (*error, "cancelled" in case),
        )
        (span,) = take()
        (sample,) = samples("_count")
    assert span.kind == 3
    assert span.name == (case["stable_name"] if semconv == "stable" else "http.client")
    assert own(span) == case[semconv]
    assert span.status.code == {"unset": 0, "error": 2}[case["span_status"]]
    assert span.status.message == case["description"]
    method, address, port, status, kind = case["metrics"]
    version = ""
    if semconv == "stable":
        text = case["stable"].get("network.protocol.version", "")
        version = f',network_protocol_version="{text}"'
    assert sample == (
        f'{{http_request_method="{method}",server_address="{address}",server_port="{port}",'
        f'http_response_status_code="{status}",error_type="{kind}"{version}}} 1'
    )


def test_both_conventions():
    with telemetry(semconv="both"):
        requested(response=(200, "HTTP/1.1", 1))
        (span,) = take()
    case = next(case for case in CASES if case["case"] == "the last status that is no error")
    keys = {
        *case["old"],
        *case["stable"],
        "network.protocol.version",
        "http.request.resend_count",
    }
    assert span.name == "http.client" and set(own(span)) == keys


def test_it_is_below_the_current_span_and_does_not_become_current():
    with telemetry():
        with start_span("parent") as parent:
            call = native._http_call("GET", "http://example.com/")
            assert djp_telemetry.get_current_span() is parent
        call.end()
        context = djp_telemetry.extract(
            {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
        )
        with djp_telemetry.use_span(context.span):
            requested()
        requested()
        spans = [span for span in take() if span.name == "http.client"]
    own_id = call.span.get_span_context().span_id.to_bytes(8, "big")
    assert [span.parent_span_id.hex() for span in spans] == [
        f"{parent.get_span_context().span_id:016x}",
        "b7ad6b7169203331",
        "",
    ]
    assert spans[0].span_id == own_id
    assert spans[1].trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"


def test_a_span_of_an_earlier_start_is_a_remote_parent():
    with telemetry():
        parent = start_span("parent")
        parent.__enter__()
        context = parent.get_span_context()
        djp_telemetry.shutdown(1)
        djp_telemetry.init_telemetry(
            enabled=True, backend="otel", exporter="memory", sample_ratio=1
        )
        requested()
        (span,) = take()
        parent.__exit__(None, None, None)
    assert span.trace_id.hex() == f"{context.trace_id:032x}"
    assert span.parent_span_id.hex() == f"{context.span_id:016x}"


def test_off_and_metrics_only():
    djp_telemetry.shutdown(1)
    assert native._http_call("GET", "http://example.com/") is None
    with telemetry(backend="prom"):
        assert requested(response=(200,)).span is None
        (sample,) = samples("_count")
    assert sample.endswith('http_response_status_code="200",error_type=""} 1')


def test_it_ends_once_and_in_the_sdk_of_its_start():
    with telemetry(backend="hybrid"):
        call = requested(response=(200,))
        call.respond(500)
        call.end("Boom", "late")
        (span,) = take()
        assert (span.status.code, own(span)["http.status_code"]) == (0, 200)
        assert len(samples("_count")) == 1
        left = native._http_call("GET", "http://example.com/")
        djp_telemetry.shutdown(1)
        left.end()
        djp_telemetry.init_telemetry(
            enabled=True, backend="hybrid", exporter="memory", sample_ratio=1
        )
        assert not take() and not samples("_count")
        native._http_call("GET", "http://example.com/")  # dropped without an end
        assert not take() and not samples("_count")
        assert djp_telemetry.telemetry_status()["dropped"]["never_ended"] == 1


@pytest.mark.parametrize(
    "status, shown",
    [
        (None, 0),
        ("200", 0),
        (-1, 0),
        (0, 0),
        (2.5, 0),
        (True, 1),
        (2**31 - 1, 2**31 - 1),
        (2**31, 0),
    ]
    + [(2**70, 0), (math.nan, 0), (object(), 0)],
)
def test_a_status_of_any_kind(status, shown):
    with telemetry():
        requested(response=(status, object(), status))
        (span,) = take()
    assert own(span).get("http.status_code", 0) == shown


def test_texts_of_any_kind():
    with telemetry(semconv="stable"):
        for odd in (None, 7, "", "\ud800", "\0", b"\xff", object(), "x" * 100000):
            requested(odd, odd, (200, odd), (odd, odd))
            requested(odd, "http://example.com/", (404, odd), (odd, odd, odd))
        spans = take()
    assert len(spans) == 16
    assert [own(span)["http.request.method"] for span in spans] == ["_OTHER"] * 16
    assert all(span.name == "HTTP" for span in spans)
    with pytest.raises(TypeError):
        native._http_call("GET")
