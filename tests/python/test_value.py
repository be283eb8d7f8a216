"""Python values as attributes: what OTLP has a type for arrives exactly, everything else is
counted, and no code of the program runs. Limits, references and the cache of keys."""

import dataclasses
import enum
import itertools
import logging
import math
import os
import random
import sys
import types

import djp_telemetry
import pytest
from djp_telemetry import _values
from growth import gives_back, heap, new, references
from starve import starve, starves_well
from support import attributes, take, telemetry

pytest.importorskip("djp_telemetry._native")
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


# ---- edges -------------------------------------------------------------------------------------


def by_every_way(value):
    """The value as a span's attribute, set later, of an event, a link and an exception; and how
    many of them were dropped."""
    span = djp_telemetry.start_span("s", {"v": value})
    span.set_attribute("w", value)
    span.set_attributes({"x": value})
    span.add_event("e", {"v": value})
    span.add_link(djp_telemetry.SpanContext(1, 1), {"v": value})
    span.record_exception(ValueError(), {"v": value})
    span.end()
    (found,) = take()
    sets = [found.attributes, found.events[0].attributes, found.links[0].attributes]
    kept = [attributes(pairs) for pairs in [*sets, found.events[1].attributes]]
    values = [kept[0].get(key, "none") for key in "vwx"] + [
        one.get("v", "none") for one in kept[1:]
    ]
    return values, found.dropped_attributes_count


class Float:
    def __float__(self):
        raise RuntimeError("no code of the program runs")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (2**63 - 1, 2**63 - 1),
        (2**63, str(2**63)),
        (-(2**63), -(2**63)),
        (-(2**63) - 1, str(-(2**63) - 1)),
        (int(sys.float_info.max), str(int(sys.float_info.max))),
        (-1, -1),
        (-1.0, -1.0),
        ([2**64, -(2**64), -1], [str(2**64), str(-(2**64)), -1]),
        ({"a": 2**64}, {"a": str(2**64)}),
        ("a\ud800", "a\ufffd"),
        (["é" * 5000, "\ud800"], ["é" * 5000, "\ufffd"]),
        ({"é" * 300: "\ud800"}, {"é" * 300: "\ufffd"}),
        ([[], {}, (), b"", ""], [[], {}, [], b"", ""]),
        ([None, [None]], [None, [None]]),
        ({"a": None}, {"a": None}),
        (memoryview(b"ab"), b"ab"),
        (Number.TWO, 2),
        (True, True),
    ],
)
def test_values_by_every_way(given, expected):
    values, dropped = by_every_way(given)
    assert values == [expected] * 6 and dropped == 0
    assert {type(value) for value in values} == {type(expected)}


@pytest.mark.parametrize(
    "given",
    [
        10**400,
        -(10**400),
        [1, 10**400],
        {"a": 10**400},
        {1: 2},
        {"a": {1: 2}},
        object(),
        Float(),
        [Float()],
        {"a": object()},
        type,
        pytest,
        len,
    ],
)
def test_values_that_are_dropped_by_every_way(given):
    assert by_every_way(given) == (["none"] * 6, 6)


def test_none_is_no_value_by_every_way():
    assert by_every_way(None) == (["none"] * 6, 0)


def test_only_what_is_dropped_is_dropped():
    good = {f"k{n}": n for n in range(20)}
    span = djp_telemetry.start_span("s")
    span.add_event("e", {**good, "bad": object(), 7: 1, "none": None, "last": "x"})
    span.add_event("f", {**good, "bad": {1: 2}, "worse": object()})
    span.end()
    (found,) = take()
    assert attributes(found.events[0].attributes) == {**good, "last": "x"}
    assert attributes(found.events[1].attributes) == good and found.dropped_attributes_count == 4


class Mapping:
    """A mapping that is no dict."""

    def __init__(self, pairs, fails=None):
        self.pairs, self.fails = pairs, fails

    def keys(self):
        if self.fails == "keys":
            raise RuntimeError
        return iter(self.pairs)

    def __getitem__(self, key):
        if self.fails == key:
            raise RuntimeError
        return self.pairs[key]


@pytest.mark.parametrize(
    ("given", "expected", "dropped"),
    [
        (Mapping({"a": 1, "b": "é" * 5000}), {"a": 1, "b": "é" * 5000}, 0),
        (Mapping({}), {}, 0),
        (Mapping({"a": 1, "b": 2}, "b"), {}, 1),
        (Mapping({"a": 1}, "keys"), {}, 1),
        (types.MappingProxyType({"a": 1, 7: 2}), {"a": 1}, 1),
        (None, {}, 0),
        ({}, {}, 0),
        ([("a", 1)], {}, 1),
        (
            type("Both", (Mapping,), {"__len__": lambda self: 1, "__iter__": iter})({"a": 1}),
            {"a": 1},
            0,
        ),
    ],
)
def test_attributes_of_every_form(given, expected, dropped):
    span = djp_telemetry.start_span("s", given)
    span.end()
    (found,) = take()
    own = attributes(found.attributes)
    own.pop("sampling.reason")
    assert own == expected and found.dropped_attributes_count == dropped
    span = djp_telemetry.start_span("s")
    span.set_attributes(given)
    span.add_event("e", given)
    span.end()
    (found,) = take()
    own = attributes(found.attributes)
    own.pop("sampling.reason")
    assert own == attributes(found.events[0].attributes) == expected
    assert found.dropped_attributes_count == 2 * dropped


def test_a_mapping_without_end_is_read_in_part():
    class Endless(Mapping):
        def keys(self):
            return itertools.count()  # no texts, so that the table of keys keeps its room

        def __getitem__(self, key):
            return 1

    djp_telemetry.start_span("s", Endless({})).end()
    (found,) = take()
    assert found.dropped_attributes_count == 20_000


@dataclasses.dataclass(repr=False)
class Replacing:
    """A value whose text, which is recorded, changes the dict that it is in."""

    owner: dict

    def __repr__(self):
        self.owner.clear()
        for n in range(50):
            self.owner[new(f"k{n}")] = new("v")
        return "replaced"


def test_a_dict_that_changes_while_it_is_read():
    for _ in range(5):
        given = {}
        given.update({"first": 1, "odd": Replacing(given), "odder": Replacing(given), "last": 2})
        djp_telemetry.start_span("s", given).end()
        (found,) = take()
        kept = attributes(found.attributes)
        assert len(kept) <= 5 and kept["first"] == 1 and kept["odd"] == "replaced"
        assert "odd" not in given


def test_a_dict_that_grows_while_it_is_read_ends():
    given = {}

    @dataclasses.dataclass(repr=False)
    class Adding:
        number: int

        def __repr__(self):
            given[f"k{self.number + 1}"] = Adding(self.number + 1)
            return "added"

    given["k0"] = Adding(0)
    djp_telemetry.start_span("s", given).end()
    (found,) = take()
    assert attributes(found.attributes)["k0"] == "added" and len(found.attributes) <= 3


# ---- keys --------------------------------------------------------------------------------------


def test_keys_of_every_text():
    keys = ["plain", "é", "€" * 300, "k" * 256, "k" * 257, "a\ud800", Text("sub"), "nul\0inside"]
    for _ in range(3):
        found, dropped = record({key: number for number, key in enumerate(keys)})
        assert list(found.values()) == list(range(len(keys))) and dropped == 0
    assert [len(key) for key in found] == [len(key) for key in keys]


@pytest.mark.parametrize(("size", "kept"), [(256, True), (257, False)])
def test_the_cache_keeps_short_keys_only(size, kept):
    key = new("k" * (size - 1))
    before = sys.getrefcount(key)
    span = djp_telemetry.start_span("s")
    for _ in range(5):
        span.set_attribute(key, 1)
    assert sys.getrefcount(key) - before == kept


def test_a_key_that_takes_the_place_of_another():
    """The slots of the cache are found by address: a key replaces what was there."""
    keys = [f"some key {n}" for n in range(1500)]
    order = random.Random(1)
    for _ in range(3):
        order.shuffle(keys)
        for start in range(0, 1500, 100):
            djp_telemetry.start_span("s", {key: key for key in keys[start : start + 100]}).end()
        for span in take():
            found = attributes(span.attributes)
            found.pop("sampling.reason")
            assert len(found) == 100 and all(key == value for key, value in found.items())


def test_a_key_that_was_refused_is_not_kept():
    for _ in range(3):
        found, dropped = record({"": 1, "kept": 2})
        assert found == {"kept": 2} and dropped == 1


# ---- times -------------------------------------------------------------------------------------


def start_of(given):
    djp_telemetry.start_span("s", start_time=given).end()
    return take().one("s").start_time_unix_nano


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (1_700_000_000_123_456_789, 1_700_000_000_123_456_789),
        (1_700_000_000.5, 1_700_000_000_500_000_000),
        (1.0, 1_000_000_000),
        (1, 1),
        (1.7e10, 17_000_000_000_000_000_000),
        (2**63 - 1, 2**63 - 1),
    ],
)
def test_times(given, expected):
    djp_telemetry.start_span("s").add_event("e", None, given)
    span = djp_telemetry.start_span("s")
    span.add_event("e", timestamp=given)
    span.end()
    assert take().one("s").events[0].time_unix_nano == expected
    assert start_of(given) == expected


@pytest.mark.parametrize(
    "given",
    [
        None,
        0,
        -1,
        -1.0,
        0.0,
        1.8e10,
        1e300,
        math.inf,
        math.nan,
        2**63,
        2**70,
        -(2**70),
        "1",
        object(),
    ],
)
def test_times_that_are_none_mean_now(given):
    before = start_of(None)
    found = start_of(given)
    assert before <= found <= start_of(None)


# ---- references --------------------------------------------------------------------------------


def test_the_helper_module_is_not_held():
    def call():
        with djp_telemetry.start_span("s", {"k": {1, 2}}) as span:
            span.add_event("e", {"k": {1, 2}})

    djp_telemetry.set_enabled(True)
    assert references(call, _values, _values.plain, _values.plain_items) == [0, 0, 0]


ODD = object()


def recorded():
    span = djp_telemetry.start_span("s")
    for value in (
        [new("é" * 5000), 1 << 70, new("a\ud800"), {new("é" * 5000): new("x")}],
        {new("é" * 5000): 1 << 70, 7: ODD},
        {new("x"), ODD},
        [ODD, new("é" * 5000)],
        Mapping({"a": new("é" * 5000), "b": ODD}),
        Mapping({"a": new("b")}, "a"),
        Mapping({}, "keys"),
        10**400,
        [[new("a\ud800")] * 10] * 10,
    ):
        span.set_attribute("k", value)
        span.set_attributes({"k": value})
        span.set_attributes(value)
        span.add_event("e", {"k": value})
        span.add_event("e", value)
    span.set_attribute("k", [None] * 20001)
    span.end()


@pytest.fixture
def quiet():
    logging.disable()  # a test keeps its log records
    yield
    logging.disable(logging.NOTSET)


def test_values_are_given_back(quiet):
    with telemetry(exporter="file", file_path=os.devnull):
        assert references(recorded, ODD, None, Mapping, rounds=20) == [0, 0, 0]
        assert gives_back(recorded, 10)
        djp_telemetry.flush(10)
        assert heap() is None or gives_back(lambda: (recorded(), djp_telemetry.flush(10)), 10, heap)


def test_values_without_memory():
    span = djp_telemetry.start_span("s")
    values = {
        "text": "é" * 5000,
        "wide": 1 << 70,
        "list": ["\ud800", [1, {"a": "\ud800"}]],
        "dict": {"é" * 5000: 1 << 70},
    }
    for value in values.values():
        assert starves_well(lambda value=value: span.set_attribute("k", value))
        assert starves_well(lambda value=value: span.add_event("e", {"k": value}))
    assert starves_well(lambda: span.set_attributes(types.MappingProxyType(values)), 120)
    # a helper in Python, in which the interpreter itself loses memory
    assert starve(lambda: span.set_attribute("k", {1, 2}))
    assert starve(lambda: span.add_event("e", {"k": {1, 2}}))
    assert starves_well(lambda: span.set_attribute("never seen before" + str(span), 1))
    span.end()
