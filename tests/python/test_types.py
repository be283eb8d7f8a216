"""Span kinds and status codes with the numbers of OTLP."""

from djp_telemetry import SpanKind, Status, StatusCode
from opentelemetry.proto.trace.v1 import trace_pb2


def test_kinds_have_the_numbers_of_otlp():
    assert [kind.name for kind in SpanKind] == [
        "INTERNAL",
        "SERVER",
        "CLIENT",
        "PRODUCER",
        "CONSUMER",
    ]
    for kind in SpanKind:
        assert kind == trace_pb2.Span.SpanKind.Value(f"SPAN_KIND_{kind.name}")


def test_codes_have_the_numbers_of_otlp():
    assert [code.name for code in StatusCode] == ["UNSET", "OK", "ERROR"]
    for code in StatusCode:
        assert code == trace_pb2.Status.StatusCode.Value(f"STATUS_CODE_{code.name}")


def test_a_status():
    empty, full = Status(), Status(StatusCode.ERROR, "why")
    assert (empty.status_code, empty.description) == (StatusCode.UNSET, None)
    assert (full.status_code, full.description) == (StatusCode.ERROR, "why")
    assert repr(full) == f"Status({StatusCode.ERROR!r}, 'why')"
    named = Status(description="d", status_code=StatusCode.OK)
    assert (named.status_code, named.description) == (StatusCode.OK, "d")
    assert not hasattr(full, "__dict__")
