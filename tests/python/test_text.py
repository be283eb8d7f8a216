"""Text between Python and the core: every width of characters, lone surrogates at every place,
bytes, and no second copy of a long text in Python's object."""

import random
import sys

import djp_telemetry
import pytest
from djp_telemetry import Baggage, SpanContext
from growth import gives_back, heap, new
from starve import starves_well
from support import attributes, take, telemetry

pytest.importorskip("djp_telemetry._native")
CACHED_MAX = 4096  # characters


@pytest.fixture(autouse=True)
def memory():
    with telemetry():
        yield


def through(text):
    """The text as the core received it."""
    djp_telemetry.start_span("s", {"k": text}).end()
    (span,) = take()
    return attributes(span.attributes)["k"]


def name_of(given):
    djp_telemetry.start_span(given).end()
    (span,) = take()
    return span.name


def expected(text):
    return "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)


TEXTS = {
    "ascii": "plain\0text\x7f",
    "latin": "grüße ÿ",
    "two bytes": "€ \u0100 \uffff",
    "four bytes": "\U00010000 \U0010ffff",
    "first surrogate": "\ud800",
    "last surrogate": "\udfff",
    "surrogate at the begin": "\ud800ab",
    "surrogate at the end": "ab\udfff",
    "surrogate beside latin": "é\udabcé",
    "surrogate beside four bytes": "\U0001f600\ud83d",
    "a pair of surrogates": "\ud83d\ude00",
    "surrogates only": "\ud800\udbff\udc00\udfff",
    "below the surrogates": "\ud7ff",
    "above the surrogates": "\ue000",
    "the same first byte": "\ud000\ud7ff\ud800\ud7ff",
    "korean": "한국어\ud800한국어",
    "ends with that byte": "í\u00ed",
}


@pytest.mark.parametrize("kind", list(TEXTS))
@pytest.mark.parametrize("size", ["short", "long"])
def test_characters_of_every_width(kind, size):
    text = TEXTS[kind] if size == "short" else TEXTS[kind] * 1500
    assert through(text) == expected(text)


def test_random_texts():
    source = random.Random(3)
    places = ["a", "é", "€", "\ud7ff", "\ue000", "\ud800", "\udfff", "\U0001f600", "\ued00"]
    for _ in range(300):
        text = "".join(source.choice(places) for _ in range(source.randrange(1, 12)))
        assert through(text) == expected(text)


@pytest.mark.parametrize("given", [b"as bytes", b"", bytearray(b"x"), 7, None, object(), ["a"]])
def test_other_types(given):
    """bytes are text, everything else counts as not given."""
    assert name_of(given) == (given.decode() if type(given) is bytes and given else "unnamed")


def test_text_of_a_subclass_is_read_without_its_methods():
    class Text(str):
        def __str__(self):
            raise RuntimeError

        __len__ = encode = __str__

    assert name_of(Text("é sub\ud800")) == "é sub\ufffd"
    assert through(Text("é sub\ud800")) == "é sub\ufffd" and through(Text("plain")) == "plain"


@pytest.mark.parametrize(("size", "cached"), [(CACHED_MAX, True), (CACHED_MAX + 1, False)])
@pytest.mark.parametrize("letter", ["é", "€", "\U0001f600"])
def test_long_texts_get_no_second_copy(size, cached, letter):
    text = letter * size
    before = sys.getsizeof(text)
    assert through(text) == text
    assert (sys.getsizeof(text) > before) is cached


def test_text_of_the_core_is_decoded_with_replacement():
    assert Baggage(b"a=%ff%C3%A9").get("a") == "\ufffdé"
    assert Baggage("a=").get("a") == "" and Baggage().to_header() == ""
    assert SpanContext(1, 2).trace_state.to_header() == ""


def texts():
    for text in (*TEXTS.values(), "é" * 5000, "\ud800" * 5000):
        djp_telemetry.start_span(new(text)).end()
        Baggage().set("k", new(text)).get("k")
    djp_telemetry.start_span(new("b").encode()).end()


def test_texts_are_given_back():
    djp_telemetry.set_enabled(False)
    assert gives_back(texts, 30)
    assert heap() is None or gives_back(texts, 30, measure=heap)


def test_texts_without_memory():
    latin, surrogate, long = "é" * 9, "\ud800", "é" * 5000
    for text in (latin, surrogate, long):
        assert starves_well(lambda text=text: Baggage().set("k", text + "x").get("k"))
        assert starves_well(lambda text=text: djp_telemetry.start_span(text))
