"""Numbers as Prometheus writes them."""

import math

import pytest
from prometheus_support import pair


@pytest.mark.parametrize(
    "number",
    [0, 1, -1, 0.1, 1e6, 1234567, 12345678.9, 1e16, 1e22, -1e9, 1e-7, math.inf, -math.inf, "3"],
)
def test_numbers(number):
    ours, theirs = pair("utils")
    assert ours.floatToGoString(number) == theirs.floatToGoString(number)


def test_versions():
    ours, theirs = pair("utils")
    for text in ("1.0.0", "2", "1.x.3", ""):
        assert ours.parse_version(text) == theirs.parse_version(text)
