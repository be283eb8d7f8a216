"""Starting spans: tracers, their scopes and arguments, kinds, and the object that is a context
manager and a decorator."""

import djp_telemetry
import pytest
from djp_telemetry import SpanContext, SpanKind, get_current_span, get_tracer, start_span
from support import attributes, run_program, take, telemetry


@pytest.fixture(autouse=True)
def memory():
    with telemetry():
        yield


def ids(span):
    return span.get_span_context().span_id.to_bytes(8, "big")


def test_the_scope_of_a_tracer_is_exported():
    from djp_telemetry import _loader
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    get_tracer("shop.orders", "1.2", "https://example.test/schema", {"team": "a"}).start_span(
        "scoped"
    ).end()
    assert djp_telemetry.flush(10)
    request = ExportTraceServiceRequest.FromString(_loader.impl.sdk_take_exported()[4:])
    (scope,) = request.resource_spans[0].scope_spans
    assert (scope.scope.name, scope.scope.version) == ("shop.orders", "1.2")
    assert scope.schema_url == "https://example.test/schema"
    assert attributes(scope.scope.attributes) == {"team": "a"}


@pytest.mark.parametrize("name", [None, "", 1, object(), "a\ud800"])
def test_any_tracer_name_is_accepted(name):
    get_tracer(name).start_span("named").end()
    assert len(take()) == 1


def test_start_span_of_a_tracer_takes_opentelemetry_arguments():
    parent = SpanContext(1, 2, is_remote=True, trace_flags=1)
    tracer = get_tracer("t")
    span = tracer.start_span("all", parent, "server", {"a": 1}, [parent], 1_700_000_000_000_000_000)
    assert get_current_span() is djp_telemetry.INVALID_SPAN
    span.end(1_700_000_001_000_000_000)
    recorded = take().one("all")
    assert recorded.parent_span_id == (2).to_bytes(8, "big") and recorded.kind == 2
    assert attributes(recorded.attributes)["a"] == 1 and len(recorded.links) == 1
    assert recorded.end_time_unix_nano - recorded.start_time_unix_nano == 1_000_000_000


def test_switches_of_opentelemetry():
    tracer = get_tracer("t")
    with pytest.raises(ValueError), tracer.start_as_current_span("quiet", record_exception=False):
        raise ValueError("x")
    with (
        pytest.raises(ValueError),
        tracer.start_as_current_span("calm", set_status_on_exception=False),
    ):
        raise ValueError("x")
    with tracer.start_as_current_span("open", end_on_exit=False) as span:
        pass
    assert span.is_recording()
    span.end()
    spans = take()
    assert not spans.one("quiet").events and spans.one("quiet").status.code == 2
    assert len(spans.one("calm").events) == 1 and spans.one("calm").status.code == 0


def test_start_as_current_span_as_context_manager():
    tracer = get_tracer("t")
    with tracer.start_as_current_span("outer", attributes={"a": 1}) as outer:
        assert get_current_span() is outer
        with tracer.start_as_current_span("inner") as inner:
            assert get_current_span() is inner
    assert get_current_span() is djp_telemetry.INVALID_SPAN
    spans = take()
    assert spans.one("inner").parent_span_id == ids(outer)


@pytest.mark.parametrize(
    "kind, number",
    [
        (None, 1),
        ("server", 2),
        ("CLIENT", 3),
        (SpanKind.PRODUCER, 4),
        (5, 5),
        ("nonsense", 1),
        (99, 1),
        (object(), 1),
    ],
)
def test_kinds(kind, number):
    start_span("kind", kind=kind).end()
    assert take().one("kind").kind == number


def test_opentelemetry_kinds():
    trace = pytest.importorskip("opentelemetry.trace")
    for kind in trace.SpanKind:
        start_span(kind.name, kind=kind).end()
    assert {span.name: span.kind for span in take()} == {
        "INTERNAL": 1,
        "SERVER": 2,
        "CLIENT": 3,
        "PRODUCER": 4,
        "CONSUMER": 5,
    }


def test_tracers_that_nobody_uses_take_no_place(tmp_path):
    """In a separate process, because each process has one table of names."""
    program = """
import logging
import djp_telemetry as d
lines = []
class Keep(logging.Handler):
    def emit(self, record):
        lines.append(record.getMessage())
logging.getLogger("djp_telemetry").addHandler(Keep())
@d.get_tracer("decorated before").start_as_current_span("early")
def early(): pass
d.init_telemetry(exporter="memory")
for n in range(20000):
    d.get_tracer(f"idle {n}", "1", "https://schema")
with d.get_tracer("shop", "1.2").start_as_current_span("order"):
    early()
names = {span["name"]: span["scope"] for span in d.take_exported()}
early_scope, shop = {"name": "decorated before"}, {"name": "shop", "version": "1.2"}
assert names == {"order": shop, "early": early_scope}, names
assert not lines
for n in range(2000):
    d.get_tracer(f"used {n}").start_span("x").end()
assert len(lines) == 1 and "different tracers" in lines[0], lines
assert d.telemetry_status()["spans"]["scopes_refused"] > 900
"""
    run_program(program, tmp_path)
