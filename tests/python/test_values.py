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
