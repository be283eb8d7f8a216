"""Requests of the aiohttp client: addresses and headers of the session, and what is recorded of a
call."""

import asyncio

import pytest
from djp_telemetry import instrument_outgoing, start_span
from outgoing_support import (
    aiohttp,
    by_aiohttp,
    serving,  # noqa: F401 (the fixture `server`)
    started,
)
from support import attributes, take, telemetry


def test_a_call_with_its_redirects_is_one_request(server):
    with telemetry(semconv="stable"):
        end = instrument_outgoing(spans=True)
        assert by_aiohttp("GET", server.url + "/moved") == 200
        assert by_aiohttp("GET", server.url + "/there") == 200
        end()
        moved, straight = [attributes(span.attributes) for span in take()]
    assert moved["url.full"] == server.url + "/moved"
    assert moved["http.response.status_code"] == 200
    assert moved["http.request.resend_count"] == 1
    assert moved["network.protocol.version"] == "1.1"
    assert "http.request.resend_count" not in straight


def test_the_address_and_the_headers_of_the_session(server):
    async def main():
        async with aiohttp.ClientSession(
            server.url + "/", headers={"X-Mine": "session", "traceparent": "session"}
        ) as session:
            await session.get("/a?key=hidden")
        async with aiohttp.ClientSession(server.url, headers={"x-mine": "session"}) as session:
            await session.request("get", "/b", headers=[("x-mine", "call")])

    with telemetry(semconv="stable"):
        end = instrument_outgoing(spans=True)
        with start_span("caller"):
            asyncio.run(main())
        end()
        spans = [span for span in take() if span.name != "caller"]
    (_, first), (_, second) = server.seen
    assert (first["x-mine"], first["traceparent"]) == ("session", "session")
    assert second["x-mine"] == "call" and "traceparent" in second
    (span,) = spans  # a request that has a context already is not recorded
    assert span.name == "GET"  # as it is sent
    assert attributes(span.attributes)["url.full"] == server.url + "/b"


def test_an_error_may_have_a_status(server):
    async def main():
        async with aiohttp.ClientSession(raise_for_status=True) as session:
            with pytest.raises(aiohttp.ClientResponseError):
                await session.get(server.url + "/b?status=503")

    with telemetry():
        end = instrument_outgoing(spans=True)
        asyncio.run(main())
        end()
        (span,) = take()
    found = attributes(span.attributes)
    assert (found["http.status_code"], found["error.type"]) == (503, "ClientResponseError")


def test_a_response_of_an_own_class(server):
    class Response(aiohttp.ClientResponse):
        @property
        def history(self):
            raise RuntimeError("mine")

    async def main():
        async with aiohttp.ClientSession(response_class=Response) as session:
            return (await session.get(server.url + "/x")).status

    with telemetry():
        end = instrument_outgoing(spans=True)
        assert asyncio.run(main()) == 200
        end()
        (span,) = take()
    assert span.status.code == 0


def test_a_request_that_is_given_up_is_no_error(server):
    async def get():
        async with aiohttp.ClientSession() as session:
            await session.get(server.url + "/slow")

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
