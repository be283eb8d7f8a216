"""tests/vectors/http_server.json through ASGI: the same spans, statuses and labels for the same
requests as in every other language."""

import asyncio
import json
import pathlib

import asgi_driver as driver
import pytest
from djp_telemetry.asgi import TelemetryMiddleware

pytest.importorskip("djp_telemetry._native")

VECTORS = json.loads(
    (pathlib.Path(__file__).parents[1] / "vectors" / "http_server.json").read_text()
)
STATUS = {"unset": 0, "ok": 1, "error": 2}


class Boom(Exception):
    pass


def application(case):
    async def app(scope, receive, send):
        if case["route"] is not None:
            scope["route"] = type("Route", (), {"path_format": case["route"]})
        message = await receive()
        while message.get("more_body"):
            message = await receive()
        if case["behaviour"] == "throw":
            raise Boom("early")
        if message["type"] == "http.disconnect":
            return
        await send({"type": "http.response.start", "status": case["status"], "headers": []})
        if case["behaviour"] == "answer":
            await send({"type": "http.response.body", "body": b"done"})
            return
        await send({"type": "http.response.body", "body": b"part", "more_body": True})
        if case["behaviour"] == "throw_late":
            raise Boom("late")
        assert (await receive())["type"] == "http.disconnect"

    return TelemetryMiddleware(app)


def incoming(case):
    body = case.get("body", "").encode()
    parts = [body[:4], body[4:]] if case.get("chunked") else [body]
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages[-1]["more_body"] = False
    gone = [{"type": "http.disconnect"}]
    return gone if case["behaviour"] == "leave" else messages + gone


def perform(case):
    path, _, query = case["path"].partition("?")
    body = case.get("body")
    length = (
        [("content-length", str(len(body)).encode())] if body and not case.get("chunked") else []
    )
    scope = driver.http_scope(path, case["method"], length, query_string=query.encode())
    connection = driver.Connection(*incoming(case))

    async def main():
        try:
            await application(case)(scope, connection.receive, connection.send)
        except Boom:
            assert case["behaviour"].startswith("throw")

    asyncio.run(asyncio.wait_for(main(), 20))
    ((span, attributes),) = driver.server_spans()
    return span, attributes


def expected(case, conventions):
    return {key: "Boom" if value == "CLASS" else value for key, value in case[conventions].items()}


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["case"])
@pytest.mark.parametrize("conventions", ["old", "stable", "both"])
def test_case(case, conventions):
    semconv = {"old": "", "stable": "http", "both": "http/dup"}[conventions]
    with driver.telemetry(semconv=semconv):
        span, attributes = perform(case)
        wanted = {}
        for part in ("old", "stable") if conventions == "both" else (conventions,):
            wanted.update(expected(case, part))
        seconds = attributes.pop("http.duration_seconds", None)
        message = attributes.pop("error.message", None)
        assert attributes == wanted and (seconds is None) == (conventions == "stable")
        assert (message is not None) == (case["exception"] and conventions != "stable")
        assert span.name == (case["stable_name"] if conventions == "stable" else "http.server")
        assert span.status.code == STATUS[case["span_status"]]
        assert [event.name for event in span.events] == ["exception"] * case["exception"]
        assert driver.requests_total() == {tuple(case["metrics"]): 1}
        assert sum(driver.samples("http_request_size_bytes_sum").values()) == (case["size"] or 0)
        assert "secret" not in str(span) and "secret" not in str(driver.samples())
