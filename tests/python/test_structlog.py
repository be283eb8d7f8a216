"""Trace ids in the events of structlog."""

import io
import json

import djp_telemetry
import pytest
from djp_telemetry import start_span
from djp_telemetry.integrations.structlog import add_trace_context
from support import telemetry

structlog = pytest.importorskip("structlog")


def ids(span):
    context = span.get_span_context()
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


def test_events_inside_and_outside_a_span():
    out = io.StringIO()
    logger = structlog.wrap_logger(
        structlog.PrintLogger(out),
        processors=[add_trace_context, structlog.processors.JSONRenderer()],
    )
    with telemetry():
        logger.info("outside")
        with start_span("s") as span:
            logger.info("inside", user="u")
            logger.info("own", trace_id="mine")
            logger.info("own", span_id="mine")
    outside, inside, trace, own = map(json.loads, out.getvalue().splitlines())
    assert outside == {"event": "outside"}
    assert inside == {"event": "inside", "user": "u", **ids(span)}
    assert trace == {"event": "own", **ids(span), "trace_id": "mine"}
    assert own == {"event": "own", **ids(span), "span_id": "mine"}


def test_the_event_is_returned_and_unchanged_while_telemetry_is_off():
    djp_telemetry.shutdown(1)
    event = {"event": "x"}
    assert add_trace_context(None, "info", event) is event and event == {"event": "x"}
