"""How back ends treat spans that were sampled although their sampled flag is 0, because their local
trace failed: which of them they store, how a second sampler changes them, and whether adjusted
counts stay true. The findings are in docs/sampling.md."""

import json
import os
import subprocess
import sys

import backends
import load
import pytest
from test_node_collector import HERE

COUNT = 4000
FAILING = COUNT // 10
EIGHTH, QUARTER, HALF = 0xE0000000000000, 0xC0000000000000, 0x80000000000000

pytestmark = pytest.mark.e2e


def record(receiver, ratio=0.25, count=COUNT, **more):
    env = {
        **os.environ,
        **more,
        "OTEL_TRACE_SAMPLE": str(ratio),
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{receiver.grpc}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
    }
    command = [sys.executable, str(HERE / "late_sampled.py"), str(count)]
    out = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert out.returncode == 0, out.stderr
    told = json.loads(out.stdout)
    assert told["flushed"] and not any(told["status"]["dropped"].values())
    return told["status"]["spans"]


class Trace:
    def __init__(self, spans):
        assert sorted(span["name"] for span in spans) == ["child", "root"], "traces stay whole"
        self.spans, self.id = spans, spans[0]["traceId"]
        self.failed = any(span.get("status", {}).get("code") == 2 for span in spans)
        (self.threshold,) = {load.threshold(span) for span in spans}
        (self.sampled,) = {span["flags"] & 1 for span in spans}
        self.randomness = load.randomness(self.id)


def traces(collector, branch):
    grouped = {}
    for _, _, span in collector.spans(branch):
        grouped.setdefault(span["traceId"], []).append(span)
    return [Trace(spans) for spans in grouped.values()]


def through(folder, branches):
    """What the recorder exported, and what came out of each branch, with the Collector at rest."""
    collector = backends.Collector(folder, branches=branches)
    try:
        record(collector)
        collector.stop()
        return traces(collector, "otlp"), {branch: traces(collector, branch) for branch in branches}
    finally:
        collector.stop()


def counted(found, failed):
    return sum(
        load.TWO_56 / (load.TWO_56 - trace.threshold) for trace in found if trace.failed == failed
    )


def check_sums(found, failing_chance, other_chance):
    """Sums by weight are true within what chance explains, given the part of each kind that is
    left."""
    for failed, true, chance in (
        (True, FAILING, failing_chance),
        (False, COUNT - FAILING, other_chance),
    ):
        low, high = load.bounds(true, chance) if chance < 1 else (true, true)
        assert low / chance <= counted(found, failed) <= high / chance


def ids(found):
    return {trace.id for trace in found}


def test_a_collector_hands_them_on(tmp_path):
    sent, through_batch = through(tmp_path, {"batch": {"batch": {"timeout": "100ms"}}})
    assert ids(through_batch["batch"]) == ids(sent)
    failing = [trace for trace in sent if trace.failed]
    assert len(failing) == FAILING and all(trace.threshold == 0 for trace in failing)
    # The flag is the head's decision: of the failing ones, three quarters have it not.
    assert all(trace.sampled == (trace.randomness >= QUARTER) for trace in sent)
    late_sampled = [trace for trace in failing if not trace.sampled]
    assert FAILING > len(late_sampled) > FAILING / 2 and all(
        t.sampled for t in sent if not t.failed
    )
    check_sums(sent, 1, 0.25)


SAMPLERS = {
    "equal_half": {"probabilistic_sampler": {"mode": "equalizing", "sampling_percentage": 50}},
    "equal_eighth": {"probabilistic_sampler": {"mode": "equalizing", "sampling_percentage": 12.5}},
    "proportional": {"probabilistic_sampler": {"mode": "proportional", "sampling_percentage": 50}},
    "hash": {"probabilistic_sampler": {"sampling_percentage": 50}},
    "hash_open": {"probabilistic_sampler": {"sampling_percentage": 50, "fail_closed": False}},
    "marked": {
        "transform": {
            "trace_statements": [
                'set(span.attributes["sampling.priority"], 1) '
                'where IsMatch(span.trace_state["ot"], "^th:0(;|$)")'
            ]
        },
        "probabilistic_sampler": {"mode": "proportional", "sampling_percentage": 50},
    },
}


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    return through(tmp_path_factory.mktemp("samplers"), SAMPLERS)


def expect_thresholds(found, failing, others):
    assert {trace.threshold for trace in found if trace.failed} == {failing}
    assert {trace.threshold for trace in found if not trace.failed} == {others}
    assert all(trace.randomness >= trace.threshold for trace in found)


def test_an_equalizing_sampler_thins_late_sampled_ones_and_counts_true(sampled):
    sent, found = sampled
    # Above our ratio: those that the ratio chose pass, the others are thinned to the sampler's
    # part.
    half = found["equal_half"]
    expect_thresholds(half, HALF, QUARTER)
    assert ids(half) == {t.id for t in sent if not t.failed or t.randomness >= HALF}
    check_sums(half, 0.5, 0.25)
    # Below it: one part for all.
    eighth = found["equal_eighth"]
    expect_thresholds(eighth, EIGHTH, EIGHTH)
    assert ids(eighth) == {t.id for t in sent if t.randomness >= EIGHTH}
    check_sums(eighth, 0.125, 0.125)


def test_a_proportional_sampler_thins_all_and_counts_true(sampled):
    sent, found = sampled
    expect_thresholds(found["proportional"], HALF, EIGHTH)
    assert ids(found["proportional"]) == {
        t.id for t in sent if t.randomness >= (HALF if t.failed else EIGHTH)
    }
    check_sums(found["proportional"], 0.5, 0.125)


def test_a_sampler_by_hash_refuses_what_has_a_threshold(sampled):
    """The mode that applies where none is named: every span is lost, or with fail_closed off every
    span passes."""
    sent, found = sampled
    assert found["hash"] == []
    assert ids(found["hash_open"]) == ids(sent)
    check_sums(found["hash_open"], 1, 0.25)


def test_samplers_take_what_always_on_sends(tmp_path):
    """Without a ratio there is no threshold: none that a sampler by hash refuses, and none that
    marks a span."""
    branches = {name: SAMPLERS[name] for name in ("hash", "marked")}
    collector = backends.Collector(tmp_path, branches=branches)
    try:
        record(collector, OTEL_TRACES_SAMPLER="always_on")
        collector.stop()
        assert not any(span.get("traceState") for _, _, span in collector.spans())
        low, high = load.bounds(COUNT, 0.5)
        for branch in branches:
            assert low <= len({span["traceId"] for _, _, span in collector.spans(branch)}) <= high
    finally:
        collector.stop()


def test_a_priority_keeps_late_sampled_ones_through_a_sampler(sampled):
    sent, found = sampled
    expect_thresholds(found["marked"], 0, EIGHTH)
    assert ids(found["marked"]) == {t.id for t in sent if t.failed or t.randomness >= EIGHTH}
    check_sums(found["marked"], 1, 0.125)


def policy(name, kind, **given):
    return {"name": name, "type": kind, **({kind: given} if given else {})}


def tail(*policies):
    return {"tail_sampling": {"decision_wait": "1s", "policies": list(policies)}}


def test_tail_sampling_sees_flags_status_and_tracestate(tmp_path):
    branches = {
        "flags": tail(policy("flags", "trace_flags")),
        "status": tail(policy("errors", "status_code", status_codes=["ERROR"])),
        "state": tail(policy("late_sampled", "trace_state", key="ot", values=["th:0"])),
        "half": tail(policy("half", "probabilistic", sampling_percentage=50)),
        "both": tail(
            policy("late_sampled", "trace_state", key="ot", values=["th:0"]),
            policy("half", "probabilistic", sampling_percentage=50),
        ),
    }
    sent, found = through(tmp_path, branches)
    failing = {trace.id for trace in sent if trace.failed}
    assert ids(found["flags"]) == {trace.id for trace in sent if trace.sampled}, (
        "late sampled ones are lost"
    )
    assert ids(found["status"]) == ids(found["state"]) == failing
    # It chooses by its own hash and leaves the threshold as it was: sums are off by its
    # percentage.
    low, high = load.bounds(len(sent), 0.5)
    assert low <= len(found["half"]) <= high
    assert counted(found["half"], True) < 0.7 * FAILING and counted(found["half"], False) < 0.7 * (
        COUNT - FAILING
    )
    assert ids(found["both"]) == failing | ids(found["half"])


def test_metrics_of_spans_count_by_weight(tmp_path):
    collector = backends.Collector(
        tmp_path, connectors={"span_metrics": {"metrics_flush_interval": "200ms"}}
    )
    try:
        exported = record(collector)["exported"]
        collector.wait_spans(exported)
        others = sum(4 for trace in traces(collector, "otlp") if not trace.failed)
        failing, fine = "STATUS_CODE_ERROR", "STATUS_CODE_UNSET"
        right = {
            ("child", failing): FAILING,
            ("child", fine): others,
            ("root", fine): FAILING + others,
        }

        def calls():
            *_, latest = [
                m for m in collector.metrics() if m["name"] == "traces.span.metrics.calls"
            ]
            points = [
                (load.plain(point), int(point["asInt"])) for point in latest["sum"]["dataPoints"]
            ]
            return {(of["span.name"], of["status.code"]): value for of, value in points}

        backends.wait_for(lambda: calls() == right, 20, f"the metrics of the spans are not {right}")
    finally:
        collector.stop()


def test_jaeger_shows_and_finds_them(jaeger):
    spans = record(jaeger, ratio=1e-12, count=20)
    assert spans["exported"] == spans["sampled_error"] == 4

    def search():
        tags = json.dumps({"sampling.reason": "error"})
        data = backends.get_json(jaeger.url("traces"), service="late_sampled", tags=tags)["data"]
        return data if len(data) == 2 else None

    for trace in backends.wait_for(search, 20, "two traces with an error"):
        shown = jaeger.trace(trace["traceID"], 2)
        assert sorted(span["operationName"] for span in shown["spans"]) == ["child", "root"]
        for span in shown["spans"]:
            assert span.get("flags", 0) & 1 == 0 and not span["warnings"]
            tags = {tag["key"]: tag["value"] for tag in span["tags"]}
            assert tags["w3c.tracestate"] == "ot=th:0"
        newer = backends.get_json(
            f"http://127.0.0.1:{jaeger.query}/api/v3/traces/{trace['traceID']}"
        )
        (resource,) = newer["result"]["resourceSpans"]
        assert sum(len(scope["spans"]) for scope in resource["scopeSpans"]) == 2


@pytest.mark.slow
def test_tempo_finds_and_keeps_them(tmp_path):
    tempo = backends.Tempo(tmp_path)
    try:
        assert record(tempo, ratio=1e-12, count=20)["sampled_error"] == 4

        def search():
            found = backends.get_json(
                tempo.url("api/search"), q='{ span.sampling.reason = "error" }'
            )["traces"]
            return found if len(found) == 2 else None

        def spans(trace):
            answer = backends.get_json(tempo.url(f"api/v2/traces/{trace['traceID']}"))["trace"]
            return [
                s
                for resource in answer["resourceSpans"]
                for scope in resource["scopeSpans"]
                for s in scope["spans"]
            ]

        for place in ("in memory", "in a block"):
            for trace in backends.wait_for(search, 30, f"two traces with an error, {place}"):
                assert sorted((s["name"], s["traceState"]) for s in spans(trace)) == [
                    ("child", "ot=th:0"),
                    ("root", "ot=th:0"),
                ]
            backends.wait_for(
                lambda: list((tmp_path / "tempo/blocks").rglob("meta.json")), 60, "no block"
            )
    finally:
        tempo.stop()
