"""Tail-sampling rules through the public API: the shared vectors, the messages about invalid rules,
and the counts in the status and the metrics."""

import json
import pathlib

import djp_telemetry
import pytest
from djp_telemetry import get_tracer, start_span
from djp_telemetry.metrics import generate_metrics_text
from support import attributes, take, telemetry

VECTORS = json.loads(
    (pathlib.Path(__file__).parent.parent / "vectors" / "tail_sampling_rules.json").read_text()
)
BASE = 1_700_000_000_000_000_000


def cases(part):
    return [pytest.param(item, id=item["case"]) for item in VECTORS[part]]


def begin(given, start, parent=None):
    span = start_span(given["name"], given.get("attributes"), parent=parent, start_time=start)
    if given.get("error"):
        span.set_status("ERROR")
    return span


def run(item, factor=1.0):
    start = BASE + item.get("at", 0) * 10**9
    given = {"name": "root", **item["root"]}
    root = begin(given, start)
    for child in item.get("children", ()):
        begin(child, start, root).end(start + int(child.get("ms", 1) * 10**6))
    root.end(start + int(given.get("ms", 1) * factor * 10**6))


def reason():
    spans = take()
    assert all(span.trace_state == "ot=th:0" for span in spans)
    found = [
        attributes(span.attributes).get("sampling.reason")
        for span in spans
        if not span.parent_span_id
    ]
    assert len(found) <= 1
    return found[0] if found else None


@pytest.mark.parametrize("item", cases("traces"))
def test_what_rules_keep(item):
    with telemetry(
        **{"sample_ratio": 1e-12, "tail_sampling_rules": item["rules"], **item["options"]}
    ):
        for trace in item["traces"]:
            if "fill" in trace:
                for i in range(trace["fill"]):
                    run(trace, 1 + i % 10 / 10)
                take()
                continue
            run(trace)
            assert reason() == trace["reason"], trace


@pytest.mark.parametrize("item", cases("parse"))
def test_the_text_of_rules(item, recwarn, caplog):
    with telemetry(tail_sampling_rules=item["rules"]):
        said = [str(w.message) for w in recwarn] + [r.getMessage() for r in caplog.records]
    said = [text for text in said if "tail_sampling_rules" in text]
    assert len(said) == item["warnings"]
    if said:
        assert item["why"] in said[0] and "option tail_sampling_rules" in said[0]


def test_the_variable_and_its_source(monkeypatch):
    monkeypatch.setenv("DJP_TELEMETRY_TAIL_SAMPLING_RULES", "shop: name checkout")
    monkeypatch.setenv("DJP_TELEMETRY_DECISION_WAIT", "5")
    with telemetry(sample_ratio=1e-12):
        get_tracer("t").start_span("checkout").end()
        get_tracer("t").start_span("browse").end()
        assert [attributes(span.attributes)["sampling.reason"] for span in take()] == ["rule:shop"]
        settings = djp_telemetry.telemetry_status()["settings"]
        assert settings["tail_sampling_rules"] == {
            "value": "shop: name checkout",
            "source": "DJP_TELEMETRY_TAIL_SAMPLING_RULES",
        }
        assert settings["decision_wait"]["value"] == 5


def test_a_list_of_rules():
    with telemetry(sample_ratio=1e-12, tail_sampling_rules=["shop: name checkout", "name pay"]):
        for name in ("checkout", "pay", "browse"):
            get_tracer("t").start_span(name).end()
        assert [attributes(span.attributes)["sampling.reason"] for span in take()] == [
            "rule:shop",
            "rule",
        ]


def test_counts_by_reason_in_status_and_scrape():
    with telemetry(sample_ratio=1e-12, tail_sampling_rules="rare 60s; name pay", backend="hybrid"):
        for name in ("pay", "ping", "ping"):
            get_tracer("t").start_span(name).end()
        counts = djp_telemetry.telemetry_status()["spans"]
        scrape = generate_metrics_text()
    assert (counts["sampled_rule"], counts["sampled_rare"], counts["not_sampled"]) == (1, 1, 1)
    assert 'djp_telemetry_sampled_spans_total{reason="rare"} 1\n' in scrape
    assert 'djp_telemetry_local_traces_total{outcome="late_sampled"} 0\n' in scrape


def test_a_root_open_for_long_is_decided_on_timeout_and_loses_no_error():
    with telemetry(sample_ratio=1e-12, decision_wait=0.000001, slow_threshold=0):
        tracer = get_tracer("t")
        with tracer.start_as_current_span("root"):
            with tracer.start_as_current_span("dropped"):
                sum(range(1000))
            with tracer.start_as_current_span("failing") as span:
                span.set_status("ERROR")
            with tracer.start_as_current_span("after"):
                pass
        assert sorted(span.name for span in take()) == ["after", "failing", "root"]
        counts = djp_telemetry.telemetry_status()["spans"]
        assert (counts["decided_on_timeout"], counts["late_sampled"], counts["not_sampled"]) == (
            1,
            1,
            1,
        )
