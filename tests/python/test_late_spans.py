"""Spans that end after their root, and spans below a span context: no error is lost, and each has
its own adjusted count."""

import asyncio

import djp_telemetry
from djp_telemetry import SpanContext, start_span
from support import attributes, take, telemetry

RARE = 1e-12


def shown(span):
    found = attributes(span.attributes)
    return span.name, found.get("sampling.reason"), found.get("sampling.late"), span.trace_state


def test_a_background_task_that_fails_is_kept_with_its_spans():
    async def send(root):
        with start_span("send", parent=root):
            with start_span("template"):
                await asyncio.sleep(0)
            raise RuntimeError("no relay")

    async def handle():
        with start_span("request") as root:
            pass
        task = asyncio.create_task(send(root))
        assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], RuntimeError)

    with telemetry(sample_ratio=RARE):
        asyncio.run(handle())
        spans = take()
        assert [shown(span) for span in spans] == [
            ("template", None, None, "ot=th:0"),
            ("send", "error", True, "ot=th:0"),
        ]
        assert [event.name for event in spans.one("send").events] == ["exception"]
        assert djp_telemetry.telemetry_status()["spans"]["late_sampled_parts"] == 1


def test_a_task_that_began_before_the_end_of_its_root_keeps_what_it_starts_after():
    with telemetry(sample_ratio=RARE):
        root = start_span("request")
        task = start_span("task", parent=root)
        root.end()
        start_span("step", parent=task).end()
        task.set_status("error")
        task.end()
        assert [shown(span)[:3] for span in take()] == [
            ("step", None, None),
            ("task", "error", True),
        ]


def test_late_spans_without_an_error_follow():
    with telemetry(sample_ratio=RARE):
        with start_span("request") as root:
            pass
        start_span("after", parent=root).end()
        assert take() == []
    with telemetry():
        with start_span("request") as root:
            pass
        start_span("after", parent=root).end()
        assert attributes(take().one("after").attributes) == {}


def test_the_failing_part_of_a_kept_trace_stands_for_itself():
    with telemetry(sample_ratio=0.9999, sample_errors=True):
        kept = 0
        while kept < 3:
            with start_span("request") as root:
                pass
            late = start_span("task", parent=root)
            late.set_status("error")
            late.end()
            found = {span.name: span.trace_state for span in take()}
            assert found["task"] == "ot=th:0"
            kept += found.get("request", "").startswith("ot=th:000")


def test_a_span_context_of_this_process_joins_its_trace():
    with telemetry(sample_ratio=RARE):
        for form in (
            lambda c: c,
            lambda c: SpanContext(c.trace_id, c.span_id),
            lambda c: {"span": c},
        ):
            root = start_span("request")
            context = form(root.get_span_context())
            with start_span("call", parent=context) as child:
                child.set_status("error")
            root.end()
            assert [span.name for span in take()] == ["call", "request"]


def test_a_remote_context_begins_a_local_trace():
    with telemetry(sample_ratio=RARE):
        root = start_span("request")
        context = root.get_span_context()
        remote = SpanContext(context.trace_id, context.span_id, is_remote=True)
        with start_span("call", parent=remote) as child:
            child.set_status("error")
        root.end()
        assert [span.name for span in take()] == ["call"]


def test_a_root_that_is_open_for_too_long_keeps_its_spans():
    with telemetry(sample_ratio=RARE, decision_wait=0.000001, slow_threshold=0.000001):
        with start_span("build"):
            for _ in range(3):
                with start_span("step"):
                    sum(range(1000))
        spans = take()
        assert len(spans) == 4
        assert shown(spans.one("build"))[1] == "slow"
        assert djp_telemetry.telemetry_status()["spans"]["decided_on_timeout"] == 1
