"""Operations that have ended, as the extension passes them to the core: their place below the
current span, metrics alone, and arguments of any kind. test_recorders.py has the shared cases."""

import math

import djp_telemetry
import pytest
from djp_telemetry import otel, prom, start_span
from djp_telemetry.metrics import generate_metrics
from support import attributes, take, telemetry

native = pytest.importorskip("djp_telemetry._native")


def record_all():
    otel.record_job_span("q", "j", 0.5, False, error_type="Boom")
    otel.record_external_api_span("s", "o", 0.5, False, status_code=503)
    otel.record_http_span("GET", "/x", 503, 0.5)


def test_they_are_below_the_current_span():
    with telemetry():
        with start_span("parent") as parent:
            record_all()
        context = djp_telemetry.extract(
            {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
        )
        with djp_telemetry.use_span(context.span):
            record_all()
        record_all()
        spans = [span for span in take() if span.name != "parent"]
    parents = [span.parent_span_id.hex() for span in spans]
    assert parents == [
        *[f"{parent.get_span_context().span_id:016x}"] * 3,
        *["b7ad6b7169203331"] * 3,
        *[""] * 3,
    ]
    assert {span.trace_id.hex() for span in spans[3:6]} == {"0af7651916cd43dd8448eb211c80319c"}
    names = ["job.run", "external.api.call", "http.server"]
    assert [span.name for span in spans] == names * 3


def test_metrics_alone_and_off():
    with telemetry(backend="prom"):
        record_all()
        text = prom.generate_metrics_text()
    for sample in (
        'queue_job_latency_seconds_sum{job_type="j"} 0.5',
        'queue_job_failures_total{error_type="Boom"} 1',
        'external_api_calls_total{service="s",operation="o"} 1',
        'external_api_errors_total{service="s",status_code="503"} 1',
        'http_requests_total{method="GET",endpoint="/x",status_code="503"} 1',
    ):
        assert sample in text
    djp_telemetry.shutdown(1)
    record_all()
    with telemetry(backend="hybrid"):
        assert not take() and "queue_job" not in prom.generate_metrics_text()


def test_an_exemplar_is_the_span_of_the_operation():
    with telemetry(backend="hybrid"):
        with start_span("parent"):
            otel.record_job_span("q", "j", 0.5)
        text = generate_metrics("application/openmetrics-text").decode()
        span = take().one("job.run")
    assert f'span_id="{span.span_id.hex()}"' in text


@pytest.mark.parametrize("odd", [None, 7, "", "\ud800", "\0", b"\xff", object(), "x" * 100000])
def test_texts_of_any_kind(odd):
    with telemetry(backend="hybrid"):
        native._record_job(odd, odd, 1.0, False, odd)
        native._record_external_call(odd, odd, 1.0, True, 200)
        native._record_request(odd, odd, 200, math.nan)
        spans = take()
    assert [span.status.code for span in spans] == [2, 0, 0]
    assert attributes(spans[2].attributes)["http.method"] == "_OTHER"


def test_calls_of_another_form_raise():
    with telemetry():
        for function in (native._record_job, native._record_external_call, native._record_request):
            for given in ((), ("a",), ("a", "b", "c", "d", "e", "f")):
                with pytest.raises(TypeError):
                    function(*given)
        assert not take()
