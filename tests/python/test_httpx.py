"""Requests of httpx: the end of a span, its protocol version, and cancelled requests."""

import asyncio

import pytest
from djp_telemetry import instrument_outgoing
from outgoing_support import (
    async_httpx,
    httpx,
    serving,  # noqa: F401 (the fixture `server`)
    started,
    sync_httpx,
)
from support import attributes, take, telemetry

each_kind = pytest.mark.parametrize(
    "call", [sync_httpx, async_httpx], ids=lambda call: call.__name__
)


@each_kind
def test_an_answer_that_is_cut_off_is_an_error(server, call):
    with telemetry():
        end = instrument_outgoing(spans=True)
        with pytest.raises(httpx.RemoteProtocolError):
            call("GET", server.url + "/cut")
        end()
        (span,) = take()
    assert span.status.code == 2
    assert attributes(span.attributes)["error.type"] == "RemoteProtocolError"
    assert attributes(span.attributes)["http.status_code"] == 200


@each_kind
def test_the_first_of_several_hops(server, call):
    """httpx copies the headers of a request, so the next hop has a context already."""
    with telemetry(semconv="stable"):
        end = instrument_outgoing(spans=True)
        assert call("GET", server.url + "/moved") == 200
        end()
        (span,) = [attributes(span.attributes) for span in take()]
    assert span["http.response.status_code"] == 302
    assert span["network.protocol.version"] == "1.1"
    assert "http.request.resend_count" not in span
    assert len({headers["traceparent"] for _, headers in server.seen}) == 1


def test_streams_end_with_their_body(server):
    with telemetry():
        end = instrument_outgoing(spans=True)
        with (
            httpx.Client(trust_env=False) as client,
            client.stream("GET", server.url + "/x") as response,
        ):
            assert [span.name for span in take()] == []
            assert response.read() == b"ok"
        end()
        assert len(take()) == 1


def test_asynchronous_streams_end_with_their_body(server):
    async def main():
        async with (
            httpx.AsyncClient(trust_env=False) as client,
            client.stream("GET", server.url + "/x") as response,
        ):
            assert [span.name for span in take()] == []
            assert await response.aread() == b"ok"

    with telemetry():
        end = instrument_outgoing(spans=True)
        asyncio.run(main())
        end()
        assert len(take()) == 1


def test_without_spans_the_body_is_that_of_the_library(server):
    with telemetry():
        end = instrument_outgoing()
        with (
            httpx.Client(trust_env=False) as client,
            client.stream("GET", server.url + "/x") as response,
        ):
            assert type(response.stream).__module__.startswith("httpx")
        end()


def test_a_request_that_is_given_up_is_no_error(server):
    async def get():
        async with httpx.AsyncClient(trust_env=False) as client:
            await client.get(server.url + "/slow")

    async def main():
        task = asyncio.ensure_future(get())
        await started(server)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with telemetry():
        end = instrument_outgoing(spans=True)
        asyncio.run(main())
        end()
        (span,) = take()
    assert span.status.code == 0 and not span.events


def test_a_body_that_is_given_up_is_no_error(server):
    async def main():
        async with (
            httpx.AsyncClient(trust_env=False) as client,
            client.stream("GET", server.url + "/x") as response,
        ):
            parts = response.aiter_raw()
            await parts.__anext__()
            await parts.aclose()

    with telemetry():
        end = instrument_outgoing(spans=True)
        asyncio.run(main())
        end()
        (span,) = take()
    assert span.status.code == 0 and not span.events
