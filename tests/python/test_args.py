"""Arguments of the extension's functions: TypeError for calls that no signature fits, as any Python
function raises it, and iterables of any length."""

import itertools
import os

import pytest
from djp_telemetry import Baggage, SpanContext, extract, get_tracer, inject, start_span
from growth import gives_back, new, references
from starve import starves_well
from support import take, telemetry

pytest.importorskip("djp_telemetry._native")
LINK = SpanContext(1, 1)
ITEMS_MAX = 20_000
LINKS = 128  # of a span


@pytest.fixture(autouse=True)
def memory():
    with telemetry():
        yield


def words(text):
    return text.split()


def calls():
    """{name: (function, its required arguments, names of all its arguments, how many by place)}"""
    span, tracer = start_span("s"), get_tracer("t")
    traced = (
        "name context kind attributes links start_time record_exception set_status_on_exception"
    )
    traced += " end_on_exit parent"
    return {
        "start_span": (
            start_span,
            ("n",),
            words("name attributes parent kind links start_time"),
            2,
        ),
        "tracer.start_span": (tracer.start_span, ("n",), words(traced), 9),
        "start_as_current_span": (tracer.start_as_current_span, ("n",), words(traced), 9),
        "get_tracer": (get_tracer, (), words("name version schema_url attributes"), 4),
        "set_attribute": (span.set_attribute, ("k", 1), ["key", "value"], 2),
        "set_attributes": (span.set_attributes, ({},), ["attributes"], 1),
        "add_event": (span.add_event, ("e",), ["name", "attributes", "timestamp"], 3),
        "add_link": (span.add_link, (LINK,), ["context", "attributes"], 2),
        "record_exception": (
            span.record_exception,
            (ValueError(),),
            ["exception", "attributes", "timestamp", "escaped"],
            4,
        ),
        "set_status": (span.set_status, ("ok",), ["status", "description"], 2),
        "update_name": (span.update_name, ("n",), ["name"], 1),
        "end": (span.end, (), ["end_time"], 1),
        "inject": (inject, (), ["carrier", "setter", "context"], 3),
        "extract": (extract, ({},), ["carrier", "getter"], 2),
        "baggage.set": (Baggage().set, ("k", "v"), ["key", "value", "properties"], 3),
        "SpanContext": (
            SpanContext,
            (1, 2),
            words("trace_id span_id is_remote trace_flags trace_state"),
            5,
        ),
    }


NAMES = words(
    "start_span tracer.start_span start_as_current_span get_tracer set_attribute set_attributes "
    "add_event add_link record_exception set_status update_name end inject extract baggage.set "
    "SpanContext"
)


@pytest.mark.parametrize("name", NAMES)
class TestSignature:
    def test_calls_that_fit(self, name):
        function, required, names, places = calls()[name]
        function(*required)
        function(**dict(zip(names, required)))
        function(*required, **dict.fromkeys(names[len(required) :]))
        function(*[*required, *[None] * places][:places])
        made = {"".join(word): None for word in map(list, names)}  # other objects, equal words
        function(**{**made, **dict(zip(map("".join, map(list, names)), required))})
        for order in itertools.islice(itertools.permutations(names), 30):
            given = {**dict.fromkeys(names), **dict(zip(names, required))}
            function(**{word: given[word] for word in order})

    def test_an_argument_is_missing(self, name):
        function, required, names, _ = calls()[name]
        for count, word in enumerate(names[: len(required)]):
            with pytest.raises(TypeError, match="missing|required") as error:
                function(*required[:count])
            assert f"'{word}'" in str(error.value) or "SpanContext" in str(error.value)
            others = {key: value for key, value in zip(names, required) if key != word}
            with pytest.raises(TypeError, match="missing|required"):
                function(**others)

    def test_an_unknown_keyword(self, name):
        function, required, _, _ = calls()[name]
        with pytest.raises(TypeError, match="unexpected keyword argument 'unknown'"):
            function(*required, unknown=1)
        with pytest.raises(TypeError, match="unexpected keyword argument"):
            function(*required, **{"\ud800é": 1})

    def test_an_argument_twice(self, name):
        function, required, names, places = calls()[name]
        if not required:
            required = (None,)
        with pytest.raises(TypeError, match=f"multiple values for argument '{names[0]}'"):
            function(*required, **{names[0]: None})

    def test_too_many_places(self, name):
        function, required, _, places = calls()[name]
        with pytest.raises(TypeError, match="takes fewer positional arguments"):
            function(*[*required, *[None] * 12][: places + 1])


def test_errors_name_the_function():
    for call, text in (
        (lambda: start_span(), "start_span() missing a required argument: 'name'"),
        (lambda: start_span("n", x=1), "start_span() got an unexpected keyword argument 'x'"),
        (lambda: start_span("n", name=1), "start_span() got multiple values for argument 'name'"),
        (lambda: extract({}, None, 1), "extract() takes fewer positional arguments"),
    ):
        with pytest.raises(TypeError) as error:
            call()
        assert str(error.value) == text


# ---- items -------------------------------------------------------------------------------------


def links(given):
    """How many links a span got from an iterable, and how many attributes it dropped."""
    start_span("s", links=given).end()
    span = take().one("s")
    return len(span.links) + span.dropped_links_count, span.dropped_attributes_count


class Listed(list):
    def __iter__(self):
        return iter([LINK])


class Failing:
    def __init__(self, before, error=RuntimeError):
        self.before, self.error = before, error

    def __iter__(self):
        for _ in range(self.before):
            yield LINK
        raise self.error


@pytest.mark.parametrize(
    ("given", "count"),
    [
        (list, 0),
        (lambda: [LINK] * 3, 3),
        (lambda: (LINK,) * (LINKS + 7), LINKS + 7),
        (lambda: iter([LINK] * 3), 3),
        (lambda: {"a": LINK}.values(), 1),
        (lambda: (LINK for _ in range(ITEMS_MAX - 1)), ITEMS_MAX - 1),
        (lambda: (LINK for _ in range(ITEMS_MAX)), ITEMS_MAX),
        (lambda: (LINK for _ in range(ITEMS_MAX + 1)), ITEMS_MAX),
        (lambda: itertools.repeat(LINK), ITEMS_MAX),
        (lambda: [LINK] * (ITEMS_MAX + 9), ITEMS_MAX + 9),
        (lambda: (LINK,) * (ITEMS_MAX + 9), ITEMS_MAX + 9),
        (lambda: Listed([1, 2, 3]), 1),
        (lambda: Failing(ITEMS_MAX), ITEMS_MAX),
    ],
)
def test_iterables_of_any_length(given, count):
    assert links(given()) == (count, 0)


@pytest.mark.parametrize(
    "given",
    [7, object(), Failing(0), Failing(2), Failing(ITEMS_MAX - 1), Failing(1, StopIteration)],
)
def test_iterables_that_fail(given):
    assert links(given) == (0, 1)


def test_items_are_given_back():
    def call():
        for given in (
            [new("x")],
            iter([new("é" * 50), LINK]),
            Failing(2),
            Failing(0),
            7,
            (new("x") for _ in range(50)),
        ):
            start_span("s", links=given).end()
        for wrong in ({new("unknown"): 1}, {"name": new("x")}):
            with pytest.raises(TypeError):
                start_span("s", **wrong)

    with telemetry(exporter="file", file_path=os.devnull):
        assert gives_back(call, 50) and references(call, LINK, Failing) == [0, 0]


def test_arguments_without_memory():
    generator = {"a": LINK}
    assert starves_well(lambda: start_span("s", links=generator.values()))
    assert starves_well(lambda: start_span(name="s", parent=None))
