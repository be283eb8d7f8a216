"""The parsers of header fields without the native core, at their limits. That they read as the core
does is in test_propagate.py and test_pass_through.py."""

import pytest
from djp_telemetry import _w3c

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
IDS = int(TRACE, 16), int(SPAN, 16)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PARENT, (*IDS, 1)),
        (f" \t{PARENT} ", (*IDS, 1)),
        (f"00-{TRACE}-{SPAN}-ff", (*IDS, 3)),
        (f"00-{TRACE}-{SPAN}-00", (*IDS, 0)),
        (f"01-{TRACE}-{SPAN}-01", (*IDS, 1)),
        (f"01-{TRACE}-{SPAN}-01-more\n", (*IDS, 1)),
        (f"fe-{TRACE}-{SPAN}-02-", (*IDS, 2)),
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"00-{TRACE}-{SPAN}-01-", None),
        (f"00-{TRACE}-{SPAN}-01-more", None),
        (f"01-{TRACE}-{SPAN}-01more", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (PARENT.upper(), None),
        (PARENT[:-1], None),
        (PARENT + "0", None),
        (PARENT + "\n", None),
        ("", None),
    ],
)
def test_traceparent(text, expected):
    assert _w3c.parse_traceparent(text) == expected


def test_a_written_traceparent():
    assert _w3c.write_traceparent(*IDS, 1) == PARENT
    assert _w3c.write_traceparent(1, 2, 0xFF) == f"00-{1:032x}-{2:016x}-03"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (["a=1"], "a=1"),
        (["a=1,b=2", "c=3"], "a=1,b=2,c=3"),
        ([" a=1\t, ,\t", "", "b=2"], "a=1,b=2"),
        (["a=1,a=2"], "a=1"),
        (["a=1,b"], ""),
        (["a=1,=2"], ""),
        (["a=1,b="], ""),
        (["a=1,B=2"], ""),
        (["a=1=2"], ""),
        (["a=1 "], "a=1"),
        (["a= 1"], "a= 1"),
        (["k" * 256 + "=1"], "k" * 256 + "=1"),
        (["k" * 257 + "=1"], ""),
        (["a=" + "v" * 256], "a=" + "v" * 256),
        (["a=" + "v" * 257], ""),
        (["0a-_*/@z=!~"], "0a-_*/@z=!~"),
        (["a@@b=1"], "a@@b=1"),
        (["-a=1"], ""),
        (["a=\u00e9"], ""),
        ([], ""),
    ],
)
def test_tracestate(fields, expected):
    assert _w3c.parse_tracestate(fields) == expected


def test_the_number_of_members():
    most = ",".join(f"k{i}=1" for i in range(32))
    assert _w3c.parse_tracestate([most]) == most == _w3c.parse_tracestate(most.split(","))
    assert _w3c.parse_tracestate([most + ",more=1"]) == ""
    assert _w3c.parse_tracestate([most + ",k0=1"]) == ""  # a repeated member counts


def test_the_size_of_a_tracestate():
    """Long members are removed first, then the last ones."""
    short = [f"k{i:02}=" + "v" * 124 for i in range(8)]  # 128 characters each, and a comma
    assert _w3c.parse_tracestate([",".join(short[:7])]) == ",".join(short[:7])
    assert _w3c.parse_tracestate([",".join(short)]) == ",".join(short[:7])
    exact = [*short[:7], "x=" + "v" * (1024 - 7 * 129 - 2)]
    assert len(",".join(exact)) == 1024
    assert _w3c.parse_tracestate([",".join(exact)]) == ",".join(exact)
    exact[7] += "v"
    assert _w3c.parse_tracestate([",".join(exact)]) == ",".join(exact[:7])
    long = ["l=" + "v" * 127, *short]
    assert _w3c.parse_tracestate([",".join(long)]) == ",".join(short[:7])
    two = ["l=" + "v" * 127, *short[:6], "m=" + "v" * 130]
    assert _w3c.parse_tracestate([",".join(two)]) == ",".join(two[:7])


@pytest.mark.parametrize(
    ("fields", "entries"),
    [
        (["a=1"], [("a", "1", "")]),
        (["a=1,b=2", "c=3"], [("a", "1", ""), ("b", "2", ""), ("c", "3", "")]),
        ([" a = 1 ;\tp = 2 ; q "], [("a", "1", "p=2;q")]),
        (["a=1;bad prop;p=x y;q=1"], [("a", "1", "q=1")]),
        (["a=%C3%A9%20"], [("a", "\u00e9 ", "")]),
        (["a=%ff"], [("a", "\ufffd", "")]),
        (["a=%zz"], [("a", "%zz", "")]),
        (["a="], [("a", "", "")]),
        (["a"], []),
        (["=1"], []),
        (["a b=1"], []),
        (["a=b c"], []),
        (['a="1"'], []),
        (["a=1,b=1,a=2"], [("a", "2", ""), ("b", "1", "")]),
        (["a=1=2"], [("a", "1=2", "")]),
    ],
)
def test_baggage(fields, entries):
    assert list(_w3c.parse_baggage(fields)) == entries


def test_the_limits_of_baggage():
    many = ",".join(f"k{i}=v" for i in range(181))
    found = _w3c.parse_baggage([many + ",k0=last"])
    assert len(found) == 180 and found[0] == ("k0", "last", "") and found[-1][0] == "k179"
    size = 8192 - len("a=")
    assert len(_w3c.parse_baggage(["a=" + "v" * size])) == 1
    assert _w3c.parse_baggage(["a=" + "v" * (size + 1)]) == ()
    # what does not fit is left out, what comes after it may fit
    found = _w3c.parse_baggage(["a=" + "v" * 8000, "b=" + "v" * 8000, "c=1"])
    assert [entry[0] for entry in found] == ["a", "c"]
    found = _w3c.parse_baggage(["a=" + "v" * (size - 4), "b=1"])  # and a comma
    assert [entry[0] for entry in found] == ["a", "b"]
    found = _w3c.parse_baggage(["a=" + "v" * (size - 3), "b=1"])
    assert [entry[0] for entry in found] == ["a"]


def test_the_bytes_that_are_looked_at():
    """64 KiB of members, each with a comma, in all fields together."""
    filler = "x" * 65530  # no member: it has no value
    assert _w3c.parse_baggage([filler + ",a=1,b=2"]) == (("a", "1", ""),)
    assert _w3c.parse_baggage([filler + "y,a=1"]) == (("a", "1", ""),)
    assert _w3c.parse_baggage([filler + "yy,a=1"]) == ()
    assert _w3c.parse_baggage([filler, "a=1", "b=2"]) == (("a", "1", ""),)
    assert _w3c.parse_baggage(["z" * 65535 + ",a=1"]) == ()
    assert _w3c.parse_baggage(["z" * 70000 + ",a=1", "b=2"]) == (("b", "2", ""),)


@pytest.mark.parametrize(
    ("given", "result"),
    [
        (("b", "1", None), "a=1,b=1"),
        ((b"b", b"1", b"p=1"), "a=1,b=1;p=1"),
        (("a", "2", ""), "a=2"),
        (("b", "\u00e9 ,;%", None), "a=1,b=%C3%A9%20%2C%3B%25"),
        (("b", "\ud800", None), "a=1,b=%EF%BF%BD%EF%BF%BD%EF%BF%BD"),
        (("b", "1", " p = 1 ;; q "), "a=1,b=1;p=1;q"),
        (("b", "1", "p q"), "a=1"),
        (("b", "1", 7), "a=1,b=1"),
        (("b c", "1", None), "a=1"),
        (("", "1", None), "a=1"),
        ((7, "1", None), "a=1"),
        (("b", 7, None), "a=1"),
        (("b", "v" * 8190, None), "a=1"),
    ],
)
def test_an_entry_that_is_set(given, result):
    assert _w3c.baggage_text(_w3c.set_entry((("a", "1", ""),), *given)) == result


def test_values_of_carriers():
    found = _w3c.read({"TraceParent": b"x", "HTTP_BAGGAGE": ["a", b"b", 7], "other": "y"}, None)
    assert found == {"traceparent": ["x"], "tracestate": [], "baggage": ["a", "b"]}
    most = _w3c.read([("baggage", str(i)) for i in range(40)], None)["baggage"]
    assert most == [str(i) for i in range(32)]
    for nothing in (None, 7, "text", object()):
        assert _w3c.read(nothing, None)["traceparent"] == []


def test_written_carriers():
    carrier = [(b"a", b"b")]
    _w3c.write(carrier, None, "baggage", "\u00ff")
    assert carrier[1] == (b"baggage", b"\xff")
    carrier = [7]
    _w3c.write(carrier, None, "baggage", "a=1")
    assert carrier[1] == ("baggage", "a=1")
