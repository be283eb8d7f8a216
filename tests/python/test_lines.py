"""Single lines of OpenMetrics that are not valid."""

import pytest
from djp_telemetry.prometheus.openmetrics._lines import read_native_value, read_sample, read_time


@pytest.mark.parametrize(
    "line",
    [
        "a",
        "a ",
        "a  1",
        "a 1 ",
        "a 1_0",
        "a 1 z",
        "a 1 1.1.1",
        "a 1 # ",
        'a 1 # {b="c"}1',
        'a 1 # {b="c"} 1 1 1',
        'a 1# {b="c"} 1',
        'a{b="c" 1',
        'a{b="c",,d="e"} 1',
        'a{,b="c"} 1',
        "a{b=c} 1",
        'a{b="c",b="d"} 1',
        '{b="c"} 1',
        '{"a.b","c"} 1',
        "0a 1",
        'a 1 # {b="' + 128 * "c" + '"} 1',
    ],
)
def test_an_invalid_sample_is_refused(line):
    with pytest.raises(ValueError):
        read_sample(line)


def test_a_sample_has_all_parts():
    sample = read_sample('a{b="c\\"\\n"} 1.5 2.25 # {d="e"} 3 4')
    assert (sample.name, sample.labels, sample.value) == ("a", {"b": 'c"\n'}, 1.5)
    assert str(sample.timestamp) == "2.250000000"
    assert (sample.exemplar.labels, sample.exemplar.value) == ({"d": "e"}, 3)
    assert float(sample.exemplar.timestamp) == 4


@pytest.mark.parametrize("text", ["", " 1", "1_0", "nan", "inf", "x"])
def test_an_invalid_time_is_refused(text):
    with pytest.raises(ValueError):
        read_time(text)


def test_a_native_histogram_without_a_field_is_refused():
    with pytest.raises(ValueError, match="schema"):
        read_native_value("{count:1,sum:2}")
