"""A million simulated requests through the API, the tail decision and the encoder: 1 % fail, 0.5 %
are slow. The exported spans, counted by their adjusted counts, match within 1 %."""

import itertools
import math

import djp_telemetry as d
import pytest
from support import take, telemetry

pytest.importorskip("djp_telemetry._native")

COUNT = 1_000_000
STEP = 20_000  # requests between two reads of the exporter
BASE = 1_700_000_000_000_000_000
MS = 1_000_000
FINE, FAILING, SLOW = range(3)
KINDS = [FAILING] * 10 + [SLOW] * 5 + [FINE] * 985
TWO_56 = 1 << 56


def request(n, kind, parent):
    """Of the failing ones, every other fails in a child."""
    root = d.start_span("request", None, parent=parent, start_time=BASE)
    if kind == FAILING:
        child = d.start_span("child", None, parent=root, start_time=BASE) if n % 2 else root
        child.set_status("error")
        child.end(BASE + MS)
    root.end(BASE + (3000 if kind == SLOW else 20) * MS)


def reason(span):
    (found,) = [
        pair.value.string_value for pair in span.attributes if pair.key == "sampling.reason"
    ]
    return found


def count(sums):
    for span in take():
        if span.name == "request":
            assert span.trace_state.startswith("ot=th:")
            threshold = int(span.trace_state[len("ot=th:") :].ljust(14, "0"), 16)
            why = reason(span)
            sums[why] = sums.get(why, 0.0) + TWO_56 / (TWO_56 - threshold)


def simulate(parents):
    """The sums of adjusted counts, by the reason for which traces were sampled."""
    sums = {}
    for n, kind, parent in zip(range(COUNT), itertools.cycle(KINDS), parents):
        request(n, kind, parent)
        if n % STEP == STEP - 1:
            count(sums)
    status = d.telemetry_status()
    assert status["spans"]["ended"] == COUNT + COUNT // 200 and not any(status["dropped"].values())
    return sums


def check(sums):
    assert set(sums) == {"error", "slow", "ratio"}
    assert (sums["error"], sums["slow"]) == (COUNT // 100, COUNT // 200)
    assert abs(sum(sums.values()) / COUNT - 1) < 0.01
    assert abs(sums["ratio"] / (COUNT - COUNT // 100 - COUNT // 200) - 1) < 0.01


@pytest.mark.slow
def test_adjusted_counts_at_a_quarter_with_ids_of_our_own():
    """1 % is 5.7 standard deviations here: a correct implementation misses it once in 10^8 runs. At
    a ratio of 1 % it would be one."""
    ratio = 0.25
    assert 0.01 / math.sqrt((1 - ratio) / ratio / COUNT) > 5.7
    with telemetry(sample_ratio=ratio, service_name="weights"):
        check(simulate(itertools.repeat(None)))


def even_parents():
    """Callers that leave the decision to the service, with evenly spaced trace ids: the remaining
    error comes from the adjusted counts."""
    golden = int(TWO_56 * (math.sqrt(5) - 1) / 2)
    for n in range(COUNT):
        trace_id = f"{n + 1:018x}{n * golden % TWO_56:014x}"
        yield d.extract({"traceparent": f"00-{trace_id}-00f067aa0ba902b7-00"})


@pytest.mark.slow
def test_adjusted_counts_at_one_percent_with_ids_that_lie_evenly():
    with telemetry(sample_ratio=0.01, sampler="traceidratio", service_name="weights"):
        sums = simulate(even_parents())
    check(sums)
    assert abs(sum(sums.values()) / COUNT - 1) < 0.0005
