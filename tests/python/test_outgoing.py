"""Outgoing requests of httpx, requests, urllib3 and aiohttp: the behaviour that all have in common,
their headers and their spans."""

import re
import socket
import subprocess
import sys

import djp_telemetry
import pytest
from djp_telemetry import attach, baggage, detach, instrument_outgoing, start_span
from outgoing_support import (
    aiohttp,
    async_httpx,
    by_aiohttp,
    by_requests,
    by_urllib3,
    httpx,
    requests,
    serving,  # noqa: F401 (the fixture `server`)
    sync_httpx,
    urllib3,
)
from support import attributes, clean_environment, take, telemetry

CLIENTS = [sync_httpx, async_httpx, by_requests, by_urllib3, by_aiohttp]
FAILURES = (
    httpx.HTTPError,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    aiohttp.ClientError,
    TimeoutError,
)
every_client = pytest.mark.parametrize("call", CLIENTS, ids=lambda call: call.__name__)


@every_client
def test_context_and_baggage_are_carried(server, call):
    with telemetry():
        end = instrument_outgoing()
        token = attach(baggage.set_baggage("tenant", "acme"))
        with start_span("caller") as span:
            assert call("GET", server.url + "/x") == 200
            assert call("GET", server.url + "/x", headers={"traceparent": "mine"}) == 200
        detach(token)
        end()
        assert call("GET", server.url + "/x") == 200
        names = [recorded.name for recorded in take()]
    context = span.get_span_context()
    first, second, third = (headers for _, headers in server.seen)
    assert (
        first["traceparent"]
        == f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
    )
    assert first["baggage"] == "tenant=acme"
    assert second["traceparent"] == "mine" and "traceparent" not in third
    assert names == ["caller"]


@every_client
@pytest.mark.parametrize("semconv", ["old", "http", "http/dup"])
def test_the_span_of_a_request(server, call, semconv):
    with telemetry(semconv=semconv):
        end = instrument_outgoing(spans=True)
        with start_span("caller"):
            call("GET", server.url.replace("//", "//user:secret@") + "/a?key=hidden&flag#part")
            call("GET", server.url + "/b?status=404")
        end()
        spans = take()
    good, bad = [span for span in spans if span.name != "caller"]
    found = attributes(good.attributes)
    port = int(server.url.rpartition(":")[2])
    assert found["url.full"] == server.url + "/a?key=REDACTED&REDACTED"
    assert good.kind == 3 and good.parent_span_id == spans.one("caller").span_id
    assert (
        good.status.code == 0
        and bad.status.code == 2
        and attributes(bad.attributes)["error.type"] == "404"
    )
    if semconv != "http":
        assert (
            good.name == "http.client"
            and found["http.method"] == "GET"
            and found["http.status_code"] == 200
        )
        assert (found["http.scheme"], found["net.peer.name"], found["net.peer.port"]) == (
            "http",
            "127.0.0.1",
            port,
        )
    if semconv != "old":
        assert found["http.request.method"] == "GET" and found["http.response.status_code"] == 200
        assert (found["url.scheme"], found["server.address"], found["server.port"]) == (
            "http",
            "127.0.0.1",
            port,
        )
    assert good.name == ("GET" if semconv == "http" else "http.client")
    assert server.seen[0][1]["traceparent"].split("-")[2] == good.span_id.hex()


@every_client
def test_a_refused_connection_and_a_time_out_are_errors(server, call):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}/"
        with telemetry():
            end = instrument_outgoing(spans=True)
            with pytest.raises(FAILURES):
                call("GET", nobody)
            with pytest.raises(FAILURES):
                call("GET", server.url + "/slow", timeout=0.2)
            end()
            refused, late = take()
    assert (
        refused.status.code == 2 and attributes(refused.attributes)["error.type"] == "ECONNREFUSED"
    )
    assert refused.events[0].name == "exception"
    assert late.status.code == 2 and "Timeout" in attributes(late.attributes)["error.type"]


@every_client
def test_a_redirect(server, call):
    with telemetry():
        end = instrument_outgoing(spans=True)
        with start_span("caller"):
            assert call("GET", server.url + "/moved") == 200
        end()
        spans = take()
    assert [path for path, _ in server.seen] == ["/moved", "/there"]
    assert all("traceparent" in headers for _, headers in server.seen)
    assert all(span.status.code == 0 for span in spans)


@every_client
def test_origins(server, call):
    for origins, carried in [
        (server.url + "/", True),
        ([re.compile("^http://127")], True),
        (lambda origin: origin == server.url, True),
        ("http://127.0.0.1", False),
        ([], False),
        (7, False),
        (lambda origin: 1 / 0, False),
    ]:
        server.seen.clear()
        with telemetry():
            end = instrument_outgoing(origins=origins)
            with start_span("caller"):
                assert call("GET", server.url + "/x") == 200
            end()
        assert ("traceparent" in server.seen[0][1]) is carried, origins


@every_client
@pytest.mark.parametrize(
    "path, headers",
    [
        ("/v1/traces", {}),
        ("/v1/metrics", {"content-type": "application/x-protobuf"}),
        ("/v0.4/traces", {}),
        ("/any", {"user-agent": "OTel-OTLP-Exporter-Python/1"}),
        ("/any", {"x-sentry-auth": "x"}),
    ],
)
def test_requests_of_other_agents_are_left_alone(server, call, path, headers):
    with telemetry():
        end = instrument_outgoing(spans=True)
        with start_span("caller"):
            call("POST", server.url + path, headers=headers)
        end()
        assert [span.name for span in take()] == ["caller"]
    assert "traceparent" not in server.seen[0][1]


@every_client
def test_what_came_goes_on_while_nothing_is_recorded(server, call):
    djp_telemetry.shutdown(1)
    end = instrument_outgoing(spans=True)
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with djp_telemetry.use_span(djp_telemetry.extract({"traceparent": parent}).span):
        assert call("GET", server.url + "/x") == 200
    end()
    assert server.seen[0][1]["traceparent"] == parent


def test_libraries_that_are_imported_later(server):
    program = f"""
import sys
import djp_telemetry as d
d.init_telemetry(enabled=True, backend="otel", exporter="memory")
d.instrument_outgoing()
assert not {{"httpx", "urllib3", "aiohttp"}} & set(sys.modules)
import asyncio, aiohttp, httpx, requests
async def get():
    async with aiohttp.ClientSession() as session, session.get("{server.url}/aiohttp"):
        pass
with d.start_span("caller"):
    httpx.get("{server.url}/httpx", trust_env=False)
    requests.get("{server.url}/requests")
    asyncio.run(get())
"""
    environment = clean_environment(
        PYTHONPATH=":".join(path for path in sys.path if path), NO_PROXY="*"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert [path for path, headers in server.seen if "traceparent" in headers] == [
        "/httpx",
        "/requests",
        "/aiohttp",
    ]


def test_it_may_be_called_twice_and_ended_in_any_order(server):
    with telemetry():
        first, second = instrument_outgoing(spans=True), instrument_outgoing(spans=True)
        with start_span("caller"):
            sync_httpx("GET", server.url + "/x")
        assert len(take()) == 2
        first()
        second()
        sync_httpx("GET", server.url + "/x")
    assert "traceparent" not in server.seen[-1][1]


def test_ending_it_puts_everything_back():
    places = [
        (httpx.Client, "_send_single_request"),
        (httpx.AsyncClient, "_send_single_request"),
        (urllib3.connectionpool.HTTPConnectionPool, "urlopen"),
        (aiohttp.ClientSession, "_request"),
    ]
    before = [getattr(owner, name) for owner, name in places]
    first, second = instrument_outgoing(), instrument_outgoing()
    assert all(getattr(owner, name) is not one for (owner, name), one in zip(places, before))
    second()
    first()
    assert [getattr(owner, name) for owner, name in places] == before
