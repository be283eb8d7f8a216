"""Every kind of Python value as an attribute: supported values arrive exactly, others are counted,
nothing raises."""

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import ipaddress
import json
import logging
import math
import pathlib
import types
import uuid

import djp_telemetry
import pytest
from support import attributes, take, telemetry

DEPTH = 30  # DJP_VALUE_DEPTH_MAX: the limit of the official decoders


@pytest.fixture(autouse=True)
def memory():
    with telemetry():
        yield


def record(values):
    with djp_telemetry.start_span("values", values):
        pass
    span = take().one("values")
    found = attributes(span.attributes)
    found.pop("sampling.reason", None)
    return found, span.dropped_attributes_count


class Word(str, enum.Enum):
    ONE = "one"


class Number(enum.IntEnum):
    TWO = 2


class Text(str):
    def __str__(self):
        raise RuntimeError("no user code runs while recording")


class Real(float):
    pass


@pytest.mark.parametrize(
    "given, expected",
    [
        ("text", "text"),
        ("", ""),
        ("grüße \U0001f600", "grüße \U0001f600"),
        ("nul\0inside", "nul\0inside"),
        (True, True),
        (False, False),
        (0, 0),
        (-1, -1),
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
        (2**63, str(2**63)),
        (-(2**100), str(-(2**100))),
        (1.5, 1.5),
        (math.inf, math.inf),
        (b"\0\xff", b"\0\xff"),
        (bytearray(b"ab"), b"ab"),
        ([1, "a", 2.5, True, None], [1, "a", 2.5, True, None]),
        ((1, (2, (3,))), [1, [2, [3]]]),
        ([], []),
        ({"a": {"b": [1]}}, {"a": {"b": [1]}}),
        ({}, {}),
        (Word.ONE, "one"),
        (Number.TWO, 2),
        (Text("sub"), "sub"),
        (Real(2.0), 2.0),
    ],
)
def test_values_that_have_a_counterpart(given, expected):
    found, dropped = record({"k": given})
    assert found == {"k": expected}
    assert type(found["k"]) is type(expected)
    assert dropped == 0


def test_nan_stays_nan():
    found, dropped = record({"k": math.nan})
    assert math.isnan(found["k"]) and dropped == 0


MODULES = (
    collections,
    dataclasses,
    datetime,
    decimal,
    enum,
    fractions,
    ipaddress,
    pathlib,
    types,
    uuid,
)
VECTORS = json.loads((pathlib.Path(__file__).parent.parent / "vectors" / "values.json").read_text())


@pytest.mark.parametrize(
    "vector", [v for v in VECTORS if "python" in v], ids=lambda vector: vector["is"]
)
def test_shared_vectors(vector, caplog):
    given = eval(vector["python"], {module.__name__: module for module in MODULES})
    key = "vector " + vector["is"]
    with djp_telemetry.start_span("values", {key: given, "other": 1}) as span:
        span.set_attribute(key + " set", given)
        span.add_event("event", {key: given})
    recorded = take().one("values")
    found = attributes(recorded.attributes)
    if vector.get("kept", True):
        assert (
            found[key]
            == found[key + " set"]
            == attributes(recorded.events[0].attributes)[key]
            == vector["value"]
        )
        assert type(found[key]) is type(vector["value"])
        assert recorded.dropped_attributes_count == 0 and not caplog.records
    else:
        assert key not in found and recorded.dropped_attributes_count == 3
        assert [record.getMessage().count(key) for record in caplog.records] == [1, 1]


def test_an_attribute_that_is_not_kept_is_named_once(caplog):
    with djp_telemetry.start_span("values") as span:
        for _ in range(3):
            span.set_attribute("strange.one", object())
        span.set_attribute("strange.two", [1, Shouting()])
    messages = [
        record.getMessage() for record in caplog.records if record.levelno == logging.WARNING
    ]
    assert len(messages) == 2
    assert "strange.one" in messages[0] and "object" in messages[0] and "strange.two" in messages[1]


class Shifted(datetime.datetime):
    def isoformat(self, *arguments, **more):
        raise RuntimeError("no user code runs while recording")

    __str__ = __repr__ = isoformat


@dataclasses.dataclass
class Unreadable:
    part: object

    def __repr__(self):
        raise RuntimeError("broken")


def test_methods_of_subclasses_do_not_run():
    assert record({"k": Shifted(2026, 1, 31)}) == ({"k": "2026-01-31T00:00:00.000"}, 0)
    assert record({"k": Unreadable(1), "kept": 1}) == ({"kept": 1}, 1)


def test_an_enumeration_of_other_things_gives_its_names():
    assert record({"k": enum.Enum("Handler", {"FIRST": object()}).FIRST}) == ({"k": "FIRST"}, 0)


def test_sampler_and_scope_attributes_are_converted_alike():
    with telemetry(sampler='rule_based(attribute("day"="2026-01-31") => always_on, any => drop)'):
        with djp_telemetry.start_span("kept", {"day": datetime.date(2026, 1, 31)}):
            pass
        with djp_telemetry.start_span("dropped", {"day": datetime.date(2026, 2, 1)}):
            pass
        assert [span.name for span in take()] == ["kept"]


class Index:
    def __index__(self):
        raise RuntimeError("no user code runs while recording")


class Shouting:
    def __str__(self):
        raise RuntimeError("no user code runs while recording")

    __repr__ = __float__ = __str__


@pytest.mark.parametrize(
    "given",
    [
        object(),
        Index(),
        Shouting(),
        {Shouting()},
        10**400,
        lambda: None,
        {1: 2},
        [object()],
        Exception("x"),
    ],
)
def test_values_without_a_counterpart_are_counted(given):
    assert record({"k": given, "kept": 1}) == ({"kept": 1}, 1)


def test_none_is_skipped_and_not_counted():
    assert record({"k": None}) == ({}, 0)


def test_keys_that_are_not_text_are_counted():
    assert record({1: "a", None: "b", "": "c", "kept": 1}) == ({"kept": 1}, 3)


def test_lone_surrogates_are_replaced():
    found, dropped = record({"k\ud800": "a\udfffb"})
    assert found == {"k\ufffd": "a\ufffdb"} and dropped == 0


def test_structures_that_contain_themselves_end():
    cycle = [1]
    cycle.append(cycle)
    found, _ = record({"k": cycle})
    depth, level = 0, found["k"]
    while isinstance(level, list):
        assert level[0] == 1
        level, depth = level[1], depth + 1
    assert depth == DEPTH


def test_wide_cycles_are_refused_quickly():
    cycle = []
    cycle.extend([cycle] * 10)
    assert record({"k": cycle, "kept": 1}) == ({"kept": 1}, 1)


def test_deep_nesting_is_cut():
    deep = {}
    for _ in range(1000):
        deep = {"d": deep}
    found, _ = record({"k": deep})
    depth, level = 0, found["k"]
    while level:
        level, depth = level["d"], depth + 1
    assert depth == DEPTH


def test_a_huge_string_does_no_harm():
    found, dropped = record({"k": "x" * 10_000_000, "kept": 1})
    assert found.get("kept") == 1
    assert dropped == (0 if "k" in found else 1)


def test_many_attributes_are_limited_and_counted():
    found, dropped = record({f"k{i}": i for i in range(10_000)})
    assert len(found) == 127 and dropped == 10_000 - 127  # one place is for sampling.reason


def test_the_last_value_of_a_key_wins_also_under_another_object():
    with djp_telemetry.start_span("values") as span:
        span.set_attribute("".join(["ke", "y"]), 1)
        span.set_attribute("".join(["k", "ey"]), 2)
    assert attributes(take().one("values").attributes)["key"] == 2


def test_mappings_that_are_not_dicts():
    from types import MappingProxyType

    assert record(MappingProxyType({"a": 1})) == ({"a": 1}, 0)


@pytest.mark.parametrize("wrong", [1, "text", [1, 2], object()])
def test_attributes_of_a_wrong_type_are_counted(wrong):
    assert record(wrong) == ({}, 1)


def test_numpy_scalars():
    numpy = pytest.importorskip("numpy")
    found, dropped = record({"i": numpy.int64(7), "f": numpy.float32(0.5), "b": numpy.bool_(True)})
    assert found == {"i": 7, "f": 0.5, "b": True} and dropped == 0


def test_keys_may_come_and_go():
    """The key cache compares addresses: a new string at an old address must not get the old key."""
    for i in range(5000):
        with djp_telemetry.start_span("values") as span:
            span.set_attribute(f"key{i % 700}", i)
        if i % 1000 == 999:
            for recorded in take():
                ((key, number),) = [
                    item
                    for item in attributes(recorded.attributes).items()
                    if item[0] != "sampling.reason"
                ]
                assert key == f"key{number % 700}"


def test_a_text_that_fits_no_span_is_cut_not_lost():
    huge = "\u00e9" * 3_000_000
    span = djp_telemetry.start_span("s", {"before": 1, "huge": huge, "after": "x"})
    span.set_attribute("list", [huge, "end"])
    span.add_event("e", {"huge": huge})
    span.end()
    (found,) = take()
    kept = attributes(found.attributes)
    assert (kept["before"], kept["after"], kept["list"][1]) == (1, "x", "end")
    for text in (kept["huge"], kept["list"][0], attributes(found.events[0].attributes)["huge"]):
        assert set(text) == {"\u00e9"} and 10_000 < len(text) < 600_000
