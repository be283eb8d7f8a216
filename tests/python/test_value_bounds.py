"""The limits of one attribute; and endless values, in a process with a separate memory limit."""

import djp_telemetry
import pytest
from support import attributes, run_program, take, telemetry

pytest.importorskip("djp_telemetry._native")

NODES = 20_000
DEPTH = 30


@pytest.fixture(autouse=True)
def memory():
    with telemetry(ring_bytes=16 << 20):
        yield


def kept(value):
    """Whether the value arrived unchanged, beside one that must arrive."""
    with djp_telemetry.start_span("s", {"v": value, "beside": 1}):
        pass
    span = take().one("s")
    found = attributes(span.attributes)
    assert found["beside"] == 1
    assert span.dropped_attributes_count == (0 if "v" in found else 1)
    if "v" not in found:
        return False
    assert found["v"] == (list(value) if isinstance(value, (tuple, set)) else value)
    return True


@pytest.mark.parametrize(("count", "whole"), [(NODES - 1, True), (NODES, True), (NODES + 1, False)])
def test_values_of_one_attribute(count, whole):
    half = count // 2
    assert kept([1] * count) == whole
    assert kept((1,) * count) == whole
    assert kept({f"k{i}": 1 for i in range(count)}) == whole
    assert kept([[1] * (half - 2), [1] * (count - half)]) == whole


@pytest.mark.parametrize(("count", "whole"), [(NODES - 2, True), (NODES + 1, False)])
def test_values_that_are_made_plain_first(count, whole):
    assert kept(set(range(count))) == whole


@pytest.mark.parametrize("levels", [DEPTH - 1, DEPTH, DEPTH + 1, DEPTH + 2])
def test_levels_of_one_attribute(levels):
    value = "end"
    for _ in range(levels):
        value = [value]
    with djp_telemetry.start_span("s", {"v": value}):
        pass
    found = attributes(take().one("s").attributes)["v"]
    depth = 0
    while isinstance(found, list):
        found, depth = (found[0] if found else None), depth + 1
    assert depth == min(levels, DEPTH)
    assert (found == "end") == (levels <= DEPTH)


ENDLESS = """
    import collections, os, resource, types
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
    import djp_telemetry
    from djp_telemetry import metrics
    djp_telemetry.init_telemetry(file_path=os.environ["SPANS"], log_level="none")
    wide = []
    wide.extend([wide] * 10)
    members = {}
    members.update({str(i): members for i in range(10)})
    mixed = [collections.deque(), {1, 2}, types.MappingProxyType(members), object()]
    mixed[0].extend([mixed] * 10)
    shared = ["x" * 1000]
    for _ in range(25):
        shared = [shared, shared]
    for value in (wide, members, mixed, shared, {"a": wide, "b": mixed}, (wide, shared)):
        with djp_telemetry.start_span("s", {"v": value, "beside": 1}) as span:
            span.set_attribute("w", value)
            span.add_event("e", {"v": value})
            span.add_link(djp_telemetry.SpanContext(1, 1), {"v": value})
            span.record_exception(ValueError("x"), {"v": value})
    labels = metrics.Counter("c", "h", ["a"])
    for i in range(200_000):
        labels.labels("x" * 200 + str(i)).inc()
    baggage = djp_telemetry.Baggage()
    for i in range(2_000):
        baggage = baggage.set(f"k{i}", "v" * 1000)
    djp_telemetry.extract({"baggage": "k=v," * 5_000_000, "tracestate": "a=b," * 5_000_000})
    assert djp_telemetry.shutdown(20)
    print("ended")
"""


def test_what_would_never_end_stays_inside_of_a_limit_of_memory(tmp_path):
    assert run_program(ENDLESS, tmp_path, timeout=120).stdout == "ended\n"
