"""Requests of urllib3, and so of requests: retries and redirects, addresses, and the errors of
greenlets."""

import socket

import pytest
from djp_telemetry import instrument_outgoing, start_span
from outgoing_support import (
    by_requests,
    by_urllib3,
    serving,  # noqa: F401 (the fixture `server`)
    urllib3,
)
from support import attributes, take, telemetry


def test_redirects_of_a_pool_and_of_a_manager(server):
    pool = urllib3.HTTPConnectionPool("127.0.0.1", int(server.url.rpartition(":")[2]))
    with telemetry(semconv="stable"):
        end = instrument_outgoing(spans=True)
        assert pool.urlopen("GET", "/moved").status == 200
        assert by_urllib3("GET", server.url + "/moved") == 200
        end()
        whole, first, second = [attributes(span.attributes) for span in take()]
    assert whole["url.full"] == first["url.full"] == server.url + "/moved"
    assert second["url.full"] == server.url + "/there"
    shown = [
        (span["http.response.status_code"], span.get("http.request.resend_count"))
        for span in (whole, first, second)
    ]
    assert shown == [(200, 1), (302, None), (200, 1)]
    assert whole["network.protocol.version"] == "1.1"


def test_requests_makes_one_request_for_each_hop(server):
    with telemetry(semconv="stable"):
        end = instrument_outgoing(spans=True)
        assert by_requests("GET", server.url + "/moved") == 200
        end()
        spans = [attributes(span.attributes) for span in take()]
    assert [span["url.full"] for span in spans] == [server.url + "/moved", server.url + "/there"]
    assert not any("http.request.resend_count" in span for span in spans)


def test_retries_are_one_request_and_its_error_is_the_last_one():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/"
        with telemetry():
            end = instrument_outgoing(spans=True)
            with pytest.raises(urllib3.exceptions.MaxRetryError):
                urllib3.PoolManager().request(
                    "GET", address, retries=urllib3.Retry(2, backoff_factor=0)
                )
            end()
            (span,) = take()
    assert attributes(span.attributes)["error.type"] == "ECONNREFUSED"
    assert span.events[0].name == "exception"


def test_a_pool_and_its_headers(server):
    port = int(server.url.rpartition(":")[2])
    with telemetry(semconv="stable"):
        end = instrument_outgoing(spans=True)
        with start_span("caller"):
            pool = urllib3.HTTPConnectionPool("127.0.0.1", port, headers={"X-Mine": "pool"})
            pool.urlopen("GET", "/a")
            pool.urlopen("GET", "/b", headers={"Traceparent": "mine"})
            pool.urlopen("GET", "/c", None, {"x-mine": "call"})
        end()
        spans = [span for span in take() if span.name != "caller"]
    first, second, third = (headers for _, headers in server.seen)
    assert first["x-mine"] == "pool" and "traceparent" in first
    assert second["traceparent"] == "mine" and "x-mine" not in second
    assert third["x-mine"] == "call" and "traceparent" in third
    assert [attributes(span.attributes)["url.full"] for span in spans] == [
        server.url + "/a",
        server.url + "/c",
    ]


def test_an_address_of_version_6():
    try:
        free = socket.socket(socket.AF_INET6)
        free.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 on this machine")
    with free, telemetry(semconv="stable"):
        port = free.getsockname()[1]
        end = instrument_outgoing(spans=True)
        with pytest.raises(urllib3.exceptions.HTTPError):
            urllib3.PoolManager(retries=False).request("GET", f"http://[::1]:{port}/x")
        end()
        (span,) = take()
    found = attributes(span.attributes)
    assert found["url.full"] == f"http://[::1]:{port}/x"
    assert (found["server.address"], found["server.port"]) == ("::1", port)


class Timeout(BaseException):
    """As gevent and eventlet have it."""


class GreenletExit(BaseException):
    """The same."""


@pytest.mark.parametrize("kind, status", [(Timeout, 2), (GreenletExit, 0)])
def test_time_outs_and_ends_of_greenlets(server, monkeypatch, kind, status):
    def interrupted(*_, **__):
        raise kind("after 1 second")

    with telemetry():
        end = instrument_outgoing(spans=True)
        monkeypatch.setattr(urllib3.HTTPConnectionPool, "_make_request", interrupted)
        with pytest.raises(kind):
            urllib3.PoolManager().request("GET", server.url + "/ok")
        end()
        (span,) = take()
    assert span.status.code == status and len(span.events) == status // 2
