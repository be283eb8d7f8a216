"""The lifespan of an application is passed through, and recorded spans are exported before the
server receives the end of the shutdown."""

import asyncio

import djp_telemetry
import pytest
from djp_telemetry.asgi import TelemetryMiddleware
from support import telemetry

pytest.importorskip("djp_telemetry._native")

END = ["lifespan.shutdown.complete", "lifespan.shutdown.failed"]
OTHERS = ["lifespan.startup.complete", "lifespan.startup.failed", "lifespan.other"]


def sent(message):
    """Whether the application's span was exported when the server got its message."""
    seen = []

    async def app(scope, receive, send):
        assert scope["type"] == "lifespan"
        djp_telemetry.start_span("last").end()
        assert (await receive())["type"] == "told"
        await send(message)

    async def receive():
        return {"type": "told"}

    async def send(got):
        assert got is message
        spans = djp_telemetry.telemetry_status()["spans"]
        seen.append(spans["exported"])

    with telemetry(flush_interval=60):
        asyncio.run(
            TelemetryMiddleware(app)(
                {"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send
            )
        )
    (exported,) = seen
    return exported == 1


@pytest.mark.parametrize("kind", END)
def test_what_was_recorded_is_sent_before_the_end(kind):
    assert sent({"type": kind, "message": "x"})


@pytest.mark.parametrize("kind", OTHERS)
def test_nothing_is_sent_for_other_messages(kind):
    assert not sent({"type": kind})


@pytest.mark.parametrize(
    "message", [None, "lifespan.shutdown.complete", 7, {}, {"type": None}, [END[0]]]
)
def test_what_is_no_message_is_handed_on(message):
    assert not sent(message)


def test_an_application_without_a_lifespan_fails_as_it_did():
    class Unsupported(Exception):
        pass

    async def app(scope, receive, send):
        raise Unsupported

    with telemetry(), pytest.raises(Unsupported):
        asyncio.run(TelemetryMiddleware(app)({"type": "lifespan"}, None, None))
