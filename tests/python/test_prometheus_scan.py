"""Parts of lines."""

import pytest
from djp_telemetry.prometheus import _scan


def test_a_series_is_read_in_both_spellings():
    assert _scan.read_series('a{b="c"} 1', False) == ("a", {"b": "c"}, 8)
    assert _scan.read_series('{"a.b","c.d"="e"} 1', False) == ("a.b", {"c.d": "e"}, 17)
    assert _scan.read_series("a 1", False) == ("a", {}, 1)
    assert _scan.read_series('a { b = "c" , } 1', False)[:2] == ("a", {"b": "c"})


@pytest.mark.parametrize(
    "text",
    ['"a" 1', '{b="c"} 1', 'a{"b"} 1', "a{b} 1", "a.b 1", "", 'a{__b="c"} 1', 'a{b="c\\"} 1'],
)
def test_a_wrong_series_is_refused(text):
    with pytest.raises(ValueError):
        _scan.read_series(text, False)


def test_escapes():
    assert _scan.unescape(r"a\\n\"\n\t") == 'a\\n"\n\\t'
    assert _scan.unescape_help(r"a\\\n\"") == 'a\\\n\\"'


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("1.5", 1.5), ("+Inf", float("inf"))])
def test_numbers(text, number):
    assert _scan.read_number(text) == number
    assert type(_scan.read_number(text)) is type(number)
    with pytest.raises(ValueError):
        _scan.read_number(f" {text}")
