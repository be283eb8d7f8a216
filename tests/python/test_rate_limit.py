"""A limit of spans a second, end to end: it is never exceeded, dropped spans are counted, and the
exported ones carry adjusted counts."""

import time

import djp_telemetry as d
from support import take, telemetry


def flood(traces, route="/hot"):
    for _ in range(traces):
        with d.start_span("request", {"http.route": route}) as span:
            with d.start_span("below"):
                pass
            span.set_status("error")


def test_a_flood_of_errors_is_bounded():
    with telemetry(span_rate_limit=100, sample_ratio=1):
        begun = time.monotonic()
        flood(2000)
        seconds = int(time.monotonic() - begun) + 2
        spans = take()
        assert 20 < len(spans) <= 100 * seconds
        by_trace = {}
        for span in spans:
            by_trace.setdefault(span.trace_id, []).append(span)
        assert all(len(trace) == 2 for trace in by_trace.values())
        assert all(trace[0].trace_state == trace[1].trace_state for trace in by_trace.values())
        status = d.telemetry_status()
        dropped = status["dropped"]
        assert dropped["rate_limited"] + dropped["rate_limited_burst"] == 4000 - len(spans)
        assert status["spans"]["sampled_error"] == len(spans)
        assert status["rate_limit"]["spans_per_second"] == 100


def test_nothing_happens_without_need():
    with telemetry(span_rate_limit=100000, sample_ratio=1):
        flood(200)
        spans = take()
        assert len(spans) == 400 and {span.trace_state for span in spans} == {"ot=th:0"}
        status = d.telemetry_status()
        assert (status["dropped"]["rate_limited"], status["dropped"]["rate_limited_burst"]) == (
            0,
            0,
        )
        assert status["rate_limit"]["level"] is None


def test_off_by_default():
    with telemetry(sample_ratio=1):
        flood(500)
        assert len(take()) == 1000
        assert d.telemetry_status()["rate_limit"] == {
            "spans_per_second": 0,
            "routes": 0,
            "routes_merged": 0,
            "level": None,
        }
