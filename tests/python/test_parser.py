"""The parsers read what those of prometheus_client read, and refuse what these refuse."""

import random

import pytest
from prometheus_support import outcome, pair

TEXTS = [
    '# HELP a help\n# TYPE a counter\na{foo="bar",b="c\\\\"} 1 123\n',
    '# TYPE h histogram\nh_bucket{le="1"} 2\nh_bucket{le="+Inf"} 3\nh_count 3\nh_sum 4\n\n# note\n',
    '# HELP s x\\ny\n# TYPE s summary\ns{quantile="0.5"} NaN\ns_count 1\ns_sum 1\n',
    '# TYPE "a.b" gauge\n{"a.b",x="1"} 4\nx\t{ a = "b" , } 3\nalone 1.5e3\n',
]
OPENMETRICS = [
    '# TYPE a counter\n# HELP a help\na_total{b="c"} 1 123.5 # {x="y"} 0.5 12\na_created 3\n'
    "# EOF\n",
    '# TYPE a histogram\na_bucket{le="1.0"} 0 # {a="b"} 0.5\na_bucket{le="+Inf"} 3\na_count 3\n'
    'a_sum 2\n# TYPE b gaugehistogram\nb_bucket{le="-1"} 1\nb_bucket{le="+Inf"} 3\nb_gcount 3\n'
    "b_gsum -2\n# EOF\n",
    '# TYPE s summary\ns{quantile="0.5"} 2\ns_count 3\ns_sum 2\n# TYPE i info\ni_info{a="b"} 1\n'
    '# TYPE st stateset\nst{st="a"} 1\nst{st="b"} 0\n# EOF\n',
    '# TYPE a_seconds gauge\n# UNIT a_seconds seconds\na_seconds 1.5\na_seconds{x="1"} NaN\nb 1\n'
    "# EOF\n",
    '# TYPE nh histogram\nnh{a="b"} {count:24,sum:100,schema:0,zero_threshold:0.001,zero_count:4,'
    "positive_spans:[0:2,1:2],positive_deltas:[2,1,-2,3]}\n# EOF\n",
]


def read(module, text):
    return outcome(lambda: list(module.text_string_to_metric_families(text)))


@pytest.mark.parametrize("text", TEXTS)
def test_the_text_format_is_read_alike(text):
    ours, theirs = pair("parser")
    assert read(ours, text) == read(theirs, text)


@pytest.mark.parametrize("text", OPENMETRICS)
def test_openmetrics_is_read_alike(text):
    ours, theirs = pair("openmetrics.parser")
    assert read(ours, text) == read(theirs, text)


@pytest.mark.parametrize("seed", range(20))
def test_a_line_too_many_or_too_few_is_judged_alike(seed):
    ours, theirs = pair("openmetrics.parser")
    choose = random.Random(seed)
    for text in OPENMETRICS[:4]:
        lines = text.splitlines(keepends=True)
        at = choose.randrange(len(lines))
        changed = choose.choice(
            [
                lines[:at] + lines[at + 1 :],
                [*lines[: at + 1], lines[at], *lines[at + 1 :]],
                [*lines[:at], *lines[at + 1 :], lines[at]],
                [*lines[:at], lines[at].replace(" 1", "  1", 1), *lines[at + 1 :]],
            ]
        )
        assert read(ours, "".join(changed)) == read(theirs, "".join(changed)), changed


def test_parse_labels():
    ours, theirs = pair("parser")
    for text in ('a="b"', 'a="b",', "", "a=b", 'a="b",a="c"', 'a="b" c="d"', ',a="1"'):
        for openmetrics in (False, True):
            got = [
                outcome(lambda p=p, t=text, o=openmetrics: p.parse_labels(t, o))
                for p in (ours, theirs)
            ]
            assert got[0] == got[1], (text, openmetrics)
