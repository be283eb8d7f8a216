"""No argument, and no moment of a call, raises into the application or harms the process."""

import itertools
import math
import sys
import threading

import djp_telemetry
import pytest
from djp_telemetry import INVALID_SPAN, baggage, otel, start_span
from support import run_program, take, telemetry


class Hostile:
    """Raises at every access."""

    def _fail(self, *args, **kwargs):
        raise RuntimeError("hostile")

    __str__ = __repr__ = __int__ = __float__ = __index__ = __bool__ = __iter__ = __len__ = (
        __getitem__
    ) = _fail
    __setitem__ = __call__ = __eq__ = __hash__ = _fail
    get = set = items = keys = get_span_context = to_header = _fail

    @property
    def name(self):
        raise RuntimeError("hostile")

    context = attributes = status_code = description = trace_id = span_id = name


ODD = [
    None,
    True,
    0,
    -1,
    2**70,
    10**400,
    math.nan,
    math.inf,
    "",
    "text",
    "\ud800",
    "x" * 100_000,
    b"\xff",
    [],
    [None, object()],
    {},
    {1: 2, None: None},
    {"a": {"b": object()}},
    object(),
    Hostile(),
    [Hostile()],
    {"k": Hostile()},
    ValueError,
    ValueError("x"),
    INVALID_SPAN,
    lambda *args: None,
    int,
]


@pytest.fixture(params=["on", "off"])
def either(request):
    if request.param == "on":
        with telemetry(backend="hybrid"):
            yield
    else:
        djp_telemetry.shutdown(1)
        yield


def test_odd_values_for_one_argument(either):
    tracer = djp_telemetry.get_tracer("t")
    for odd in ODD:
        with start_span(odd, odd, parent=odd, kind=odd, links=odd, start_time=odd) as span:
            span.set_attribute(odd, odd)
            span.set_attribute("k", odd)
            span.set_attributes(odd)
            span.add_event(odd, odd, odd)
            span.add_link(odd, odd)
            span.record_exception(odd, odd, odd, odd)
            span.set_status(odd, odd)
            span.update_name(odd)
            span.end(odd)
        with tracer.start_as_current_span(odd, odd, odd, odd, odd, odd, odd, odd, odd, parent=odd):
            pass
        djp_telemetry.get_tracer(odd, odd, odd, odd).start_span(odd).end()
        djp_telemetry.get_current_span(odd)
        with djp_telemetry.use_span(odd, odd, odd, odd):
            pass
        djp_telemetry.detach(djp_telemetry.attach(odd))
        djp_telemetry.detach(odd)
        djp_telemetry.Context(odd, odd)
        djp_telemetry.SpanContext(odd, odd, odd if not isinstance(odd, Hostile) else True, odd, odd)
        otel.record_http_span(odd, odd, odd, odd)
        otel.record_job_span(odd, odd, odd, odd if not isinstance(odd, Hostile) else True)
        baggage.get_baggage(odd)
        baggage.set_baggage(odd, odd)
        baggage.remove_baggage(odd)
    assert djp_telemetry.get_current_span() is INVALID_SPAN
    assert djp_telemetry.flush(10)


def test_odd_carriers(either):
    with start_span("s"):
        for carrier, helper in itertools.product(ODD, ODD):
            try:
                djp_telemetry.inject(carrier, helper)
                djp_telemetry.extract(carrier, helper)
            except (MemoryError, RecursionError):
                raise


def test_odd_options():
    for odd in ODD:
        djp_telemetry.shutdown(1)
        djp_telemetry.init_telemetry(
            enabled=True,
            exporter="memory",
            endpoint=odd,
            headers=odd,
            file_path=odd,
            service_name=odd,
            resource_attributes=odd,
            sample_ratio=odd,
            ring_bytes=odd,
            flush_interval=odd,
            log_level="none",
        )
        with start_span("s"):
            pass
        djp_telemetry.telemetry_status()
    djp_telemetry.shutdown(1)


def test_starting_stopping_flushing_and_recording_at_once():
    """Threads record while others shut telemetry down and start it again."""
    stop, problems = threading.Event(), []

    def record():
        try:
            while not stop.is_set():
                with start_span("s", {"a": 1}) as span, start_span("child"):
                    span.set_attribute("b", "c")
                djp_telemetry.inject()
        except Exception as error:
            problems.append(error)

    def read():
        try:
            while not stop.is_set():
                djp_telemetry.flush(0.05)
                djp_telemetry.telemetry_status()
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=record) for _ in range(3)] + [threading.Thread(target=read)]
    for thread in threads:
        thread.start()
    for _ in range(30):
        with telemetry():
            stop.wait(0.02)
    stop.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert not problems


def test_one_span_in_many_threads():
    with telemetry():
        with start_span("shared") as span:

            def work(number):
                for index in range(500):
                    span.set_attribute(f"k{number}", index)
                    span.add_event("e")

            threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        recorded = take().one("shared")
    found = {pair.key: pair.value.int_value for pair in recorded.attributes}
    assert all(found[f"k{number}"] == 499 for number in range(6))
    assert len(recorded.events) + recorded.dropped_events_count == 3000


INNER = """
import sys
sys.path[:] = PATH
import djp_telemetry
assert djp_telemetry.__impl__ == "native", djp_telemetry.__impl_reason__
assert not djp_telemetry.telemetry_status()["enabled"]
djp_telemetry.init_telemetry(enabled=True, backend="otel", exporter="memory", sample_ratio=1.0)
for number in range(500):
    with djp_telemetry.start_span("x", {"a": [number, {"k": "v"}]}) as span:
        span.set_attribute("b", "c")
assert djp_telemetry.flush(5)
assert djp_telemetry.telemetry_status()["spans"]["exported"] == 500
left = djp_telemetry.start_span("open")
"""

OUTER = """
import os
import sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
import djp_telemetry
inner = os.environ["INNER"].replace("PATH", repr(sys.path))
djp_telemetry.init_telemetry()
for _ in range(3):
    with djp_telemetry.start_span("outer"):
        interpreter = interpreters.create()
        failure = interpreters.run_string(interpreter, inner)
        assert not failure, failure
        interpreters.destroy(interpreter)
assert djp_telemetry.flush(5)
assert djp_telemetry.telemetry_status()["spans"]["exported"] == 3
"""


def test_subinterpreters(tmp_path):
    """Each interpreter has separate telemetry; one that ends with open spans does not affect the
    others."""
    pytest.importorskip("_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters")
    run_program(OUTER, tmp_path, OTEL_TRACES_EXPORTER="memory", INNER=INNER)


def test_use_while_the_interpreter_ends(tmp_path):
    """Objects whose finalizers record after the module was cleared."""
    source = """
    import djp_telemetry
    djp_telemetry.init_telemetry(file_file_file_path=__import__("os").environ["SPANS"])
    class Late:
        def __init__(self):
            self.start, self.span = djp_telemetry.start_span, djp_telemetry.start_span("open")
            self.tracer, self.inject = djp_telemetry.get_tracer("t"), djp_telemetry.inject
        def __del__(self):
            with self.start("late") as span:
                span.set_attribute("a", 1)
            self.span.set_attribute("b", 2)
            self.span.end()
            self.tracer.start_span("x").end()
            self.inject()
    late = Late()
    late.itself = late
    import sys
    sys.late = Late()
    """
    run_program(source, tmp_path)
