"""Reading the headers of a scope: every form of a header list, each name in any case and length,
and valid body lengths only."""

import asyncio

import asgi_driver as driver
import djp_telemetry
import pytest
from djp_telemetry.asgi import TelemetryMiddleware

pytest.importorskip("djp_telemetry._native")

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01".encode()
OTHER = b"00-11111111111111111111111111111112-2222222222222223-01"


def read(headers, **options):
    """The context of a request with these headers, and the recorded size."""
    seen = {}

    async def app(scope, receive, send):
        seen.update(djp_telemetry.inject())
        await driver.answering()(scope, receive, send)

    with driver.telemetry(**options):
        scope = driver.http_scope("/", "POST")
        scope["headers"] = headers
        connection = driver.Connection()
        asyncio.run(TelemetryMiddleware(app)(scope, connection.receive, connection.send))
        sizes = list(driver.samples("http_request_size_bytes_sum").values())
    states = [
        member
        for member in seen.get("tracestate", "").split(",")
        if member and not member.startswith("ot=")
    ]
    return {
        "trace": seen.get("traceparent", "")[3:35] == TRACE,
        "state": ",".join(states) or None,
        "baggage": seen.get("baggage"),
        "size": sizes[0] if sizes else None,
    }


ALL = [
    (b"traceparent", PARENT),
    (b"tracestate", b"x=1"),
    (b"baggage", b"k=v"),
    (b"content-length", b"7"),
]
WHOLE = {"trace": True, "state": "x=1", "baggage": "k=v", "size": 7}


@pytest.mark.parametrize("kind", [list, tuple])
@pytest.mark.parametrize("pair", [list, tuple])
def test_lists_and_tuples_of_pairs(kind, pair):
    assert read(kind(pair(one) for one in ALL)) == WHOLE


def test_other_headers_before_and_between_do_not_matter():
    others = [
        (b"", b""),
        (b"x" * 7, b"k=w"),
        (b"y" * 10, b"z=1"),
        (b"z" * 11, OTHER),
        (b"w" * 14, b"9"),
    ]
    mixed = [one for pair in zip(others[1:], ALL) for one in pair]
    assert read(others + mixed + others) == WHOLE


@pytest.mark.parametrize("place", range(4))
def test_a_name_that_differs_in_one_letter_is_another(place):
    name, value = ALL[place]
    for other in (b"X" + name[1:], name[:-1] + b"X", name + b"x", name[:-1], b"x" + name):
        headers = [pair for pair in ALL if pair[0] != name] + [(other, value)]
        found = read(headers)
        key = list(WHOLE)[place]
        assert found[key] != WHOLE[key], other


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (b"0", 0),
        (b"1", 1),
        (b"007", 7),
        (b"9" * 15, 999999999999999),
        (b"9" * 18, None),
        (b"9" * 19, None),
        (b"", None),
        (b"-1", None),
        (b"+1", None),
        (b"1 ", None),
        (b"1:", None),
        (b"1/", None),
        (b"0x1", None),
        (b"1.5", None),
    ],
)
def test_a_length_is_digits_and_no_more_than_are_exact(text, size):
    found = read([(b"content-length", text)])["size"]
    if text == b"9" * 18:
        assert found == pytest.approx(1e18)
    else:
        assert found == size


def test_two_parents_are_none_and_several_states_and_baggages_are_joined():
    assert read([ALL[0], (b"traceparent", OTHER)])["trace"] is False
    assert read([ALL[0], ALL[0]])["trace"] is False
    states = [(b"tracestate", f"s{i}=1".encode()) for i in range(3)]
    assert read([ALL[0], *states])["state"] == "s0=1,s1=1,s2=1"
    bags = [(b"baggage", f"b{i}=1".encode()) for i in range(3)]
    assert read(bags)["baggage"] == "b0=1,b1=1,b2=1"


@pytest.mark.parametrize("count", [31, 32, 33])
def test_more_than_32_fields_of_baggage_are_not_read(count):
    bags = [(b"baggage", f"b{i}=1".encode()) for i in range(count)]
    assert len(read(bags)["baggage"].split(",")) == min(count, 32)


@pytest.mark.parametrize(
    ("propagators", "trace", "baggage"),
    [
        ("tracecontext,baggage", True, "k=v"),
        ("tracecontext", True, None),
        ("baggage", False, "k=v"),
        ("none", False, None),
    ],
)
@pytest.mark.parametrize("backend", ["hybrid", "prom"])
def test_only_the_formats_that_are_configured_are_read(propagators, trace, baggage, backend):
    from djp_telemetry import extract

    found = read(ALL, propagators=propagators, backend=backend)
    assert (found["trace"], found["baggage"]) == (trace, baggage)
    with driver.telemetry(propagators=propagators, backend=backend):
        context = extract({name.decode(): value.decode() for name, value in ALL[:3]})
        assert context.get_span_context().is_valid == trace
        assert context.baggage.get("k") == (baggage and "v")


@pytest.mark.parametrize(
    ("version", "leaves"),
    [
        ("2.4", True),
        ("2.5", True),
        ("2.10", True),
        ("3.0", True),
        ("2.3", False),
        ("2.0", False),
        ("1.9", False),
        ("", False),
        (None, False),
        (2.4, False),
    ],
)
def test_an_oserror_of_send_says_that_the_client_left_where_the_specification_says_so(
    version, leaves
):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message):
        raise OSError("gone")

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    with driver.telemetry():
        scope = driver.http_scope("/")
        scope["asgi"] = (
            {"version": "3.0"} if version is None else {"version": "3.0", "spec_version": version}
        )
        with pytest.raises(OSError, match="gone"):
            asyncio.run(TelemetryMiddleware(app)(scope, receive, send))
        ((span, attributes),) = driver.server_spans()
        assert attributes.get("http.client_disconnected", False) == leaves
        assert (span.status.code == 2) == (not leaves)
