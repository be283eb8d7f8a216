"""The receive of a request: messages pass unchanged, bodies are counted, and a client that leaves
is noted."""

import asyncio

import asgi_driver as driver
import pytest
from djp_telemetry.asgi import TelemetryMiddleware


@pytest.fixture
def on():
    with driver.telemetry():
        yield


def test_client_disconnect_is_noted_and_no_error(on):
    class ClientDisconnect(Exception):
        pass

    async def leaving(scope, receive, send):
        assert (await receive())["type"] == "http.disconnect"

    async def raising(scope, receive, send):
        await receive()
        raise ClientDisconnect

    for app in (leaving, raising):
        connection = driver.Connection({"type": "http.disconnect"})

        async def main(app=app, connection=connection):
            try:
                await TelemetryMiddleware(app)(
                    driver.http_scope(), connection.receive, connection.send
                )
            except ClientDisconnect:
                assert app is raising

        asyncio.run(main())
        ((span, attributes),) = driver.server_spans()
        assert span.status.code == 0 and attributes["http.client_disconnected"] is True
    assert driver.requests_total() == {("GET", "unmatched", "499"): 2}


def test_disconnect_after_the_response_is_not_noted(on):
    async def app(scope, receive, send):
        await driver.answering()(scope, receive, send)
        assert (await receive())["type"] == "http.disconnect"

    driver.request(TelemetryMiddleware(app), incoming=[{"type": "http.disconnect"}])
    assert "http.client_disconnected" not in driver.server_spans()[0][1]


def test_request_size_is_counted_when_the_length_is_unknown(on):
    async def app(scope, receive, send):
        while (await receive())["more_body"]:
            pass
        await driver.answering()(scope, receive, send)

    chunks = [{"type": "http.request", "body": b"x" * 100, "more_body": i < 2} for i in range(3)]
    driver.request(TelemetryMiddleware(app), "/u", "POST", incoming=chunks)
    assert driver.samples("http_request_size_bytes_sum") == {
        'http_request_size_bytes_sum{method="POST",endpoint="unmatched"}': 300
    }


async def _await(awaitable):
    return await awaitable


def test_broken_messages_are_handed_on(on):
    messages = [
        None,
        {},
        {"type": None},
        {"type": "http.response.start"},
        {"type": "http.response.start", "status": "x"},
    ]
    messages += [
        {"type": "http.response.start", "status": 10**30},
        {"type": "http.response.body", "more_body": 0},
    ]

    async def app(scope, receive, send):
        for message in messages:
            await send(message)

    connection = driver.Connection()
    asyncio.run(
        _await(TelemetryMiddleware(app)(driver.http_scope(), connection.receive, connection.send))
    )
    assert connection.sent == messages
