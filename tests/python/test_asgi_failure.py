"""Failures of a request. The status is the one that was sent, whichever layer sent it. The
exception is on the span, even if the framework handles it. A failure after the response is a
separate span. The server's log lines about it carry its ids."""

import asyncio
import re
import time

import asgi_driver as driver
import djp_telemetry
import pytest
from asgi_applications import Boom, Catches, ask, exceptions, fastapi_app, one
from asgi_server import SERVERS, serving
from djp_telemetry.asgi import TelemetryMiddleware
from djp_telemetry.integrations.structlog import add_trace_context

pytest.importorskip("djp_telemetry._native")


@pytest.fixture
def on():
    with driver.telemetry():
        yield


# ---- after the answer ----
@pytest.mark.parametrize("added", [True, False])
@pytest.mark.parametrize("ratio", [1.0, 1e-9])
def test_background_work_that_fails_is_a_span_of_its_own(added, ratio):
    with driver.telemetry(sample_ratio=ratio):
        assert ask(fastapi_app(added), "/late/1") == 200
        found = {span.name: span for span in driver.spans()}
        assert driver.requests_total() == {("GET", "/late/{n}", "200"): 1}
    late = found["http.server.background"]
    assert late.status.code == 2 and exceptions(late) == ["Boom"] and late.kind == 1
    if ratio == 1.0:
        request = found["http.server"]
        assert (
            late.parent_span_id == request.span_id
            and request.status.code == 0
            and not request.events
        )
        assert late.start_time_unix_nano >= request.end_time_unix_nano - 1_000_000


def test_background_work_that_fails_at_once(on):
    async def app(scope, receive, send):
        await driver.answering()(scope, receive, send)
        raise Boom

    assert ask(TelemetryMiddleware(app)) == 200
    found = {span.name: span for span in driver.spans()}
    assert set(found) == {"http.server", "http.server.background"}
    assert found["http.server"].status.code == 0 and exceptions(
        found["http.server.background"]
    ) == ["Boom"]


def test_an_exception_behind_an_answer_of_500_belongs_to_it(on):
    async def app(scope, receive, send):
        await driver.answering(500)(scope, receive, send)
        await asyncio.sleep(0)
        raise Boom

    ask(TelemetryMiddleware(app))
    (span,) = driver.spans()
    assert span.status.code == 2 and exceptions(span) == ["Boom"]


# ---- the server's own lines ----
PROGRAM = """
import logging, sys
handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(logging.Formatter("LINE %(name)s [%(trace_id)s] %(message).60s"))
from djp_telemetry import init_telemetry, get_current_trace_id
from djp_telemetry.asgi import TelemetryMiddleware
init_telemetry()

def listen():  # with the first request: servers set their loggers up when the program is loaded
    for name in ("uvicorn.error", "uvicorn.access", "hypercorn.error", "hypercorn.access",
                 "_granian", "granian.access", "gunicorn.error", "gunicorn.access"):
        logger = logging.getLogger(name)
        if handler not in logger.handlers:
            logger.addHandler(handler)

async def application(scope, receive, send):
    if scope["type"] != "http":
        return
    listen()
    if scope["path"] == "/fails":
        raise LookupError("no")
    length = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": length})
    await send({"type": "http.response.body", "body": b"ok"})

app = TelemetryMiddleware(application)
"""


@pytest.mark.parametrize("server", SERVERS)
def test_lines_of_the_server_carry_the_ids(tmp_path, server):
    with serving(PROGRAM, tmp_path, server) as running:
        for path in ("/fails", "/fine"):
            with running.connect() as connection:
                connection.sendall(
                    f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode()
                )
                answer = b"".join(iter(lambda reader=connection: reader.recv(65536), b""))
                assert int(answer.split()[1]) == (500 if path == "/fails" else 200)
        spans = running.spans(2)
        failed, fine = sorted(spans, key=lambda span: -span["code"])
        deadline = time.monotonic() + 10
        pattern = re.compile(r"^LINE (\\S+) \\[(.*?)\\] (.*)$".replace("\\\\", "\\"), re.M)
        while True:
            lines = pattern.findall(running.output())
            about = [line for line in lines if "xception" in line[2] or "Error" in line[2]]
            if about or time.monotonic() > deadline:
                break
            time.sleep(0.1)
    assert about and all(line[1] == failed["traceId"] for line in about), running.output()
    for line in lines:
        if "/fails" in line[2]:
            assert line[1] == failed["traceId"], line
        if "/fine" in line[2]:
            assert line[1] == fine["traceId"], line


def ids_of_a_line():
    record = {}
    djp_telemetry._loader.impl.stamp(record)
    assert add_trace_context(None, "info", {}).get("trace_id", "") == record["trace_id"]
    return record["trace_id"]


@pytest.mark.parametrize("headers", [[], [("baggage", b"a=b")]], ids=["bare", "carrying"])
@pytest.mark.parametrize("excluded", [False, True])
def test_lines_after_a_failure_carry_its_ids_until_the_next_request(excluded, headers):
    async def fails(scope, receive, send):
        raise Boom

    async def main():
        connection = driver.Connection()
        assert ids_of_a_line() == ""
        with pytest.raises(Boom):
            await TelemetryMiddleware(fails)(
                driver.http_scope(), connection.receive, connection.send
            )
        after = ids_of_a_line()
        assert djp_telemetry.get_current_trace_id() == "" and djp_telemetry.inject({}) == {}
        with djp_telemetry.start_span("other"):
            assert ids_of_a_line() == djp_telemetry.get_current_trace_id() != after
        seen = []

        async def next_one(scope, receive, send):
            seen.append(ids_of_a_line())
            await driver.answering()(scope, receive, send)

        app = TelemetryMiddleware(next_one, excluded_paths="/" if excluded else ())
        await app(driver.http_scope(headers=headers), connection.receive, connection.send)
        assert ids_of_a_line() == "" and seen[0] != after and bool(seen[0]) != excluded
        return after

    with driver.telemetry():
        after = asyncio.run(main())
        assert after in [span.trace_id.hex() for span, _ in driver.server_spans()]


def test_a_status_after_the_first_one_is_not_what_was_sent(on):
    async def streams(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        raise Boom("in the middle")

    # then 418, which a server would refuse
    assert ask(TelemetryMiddleware(Catches(streams))) == 200
    _, attributes = one()
    assert attributes["http.status_code"] == 200

    async def strict(scope, receive, send):
        begun = []

        async def sending(message):
            if message["type"] == "http.response.start":
                if begun:
                    raise RuntimeError("the response has begun")
                begun.append(message)
            await send(message)

        await TelemetryMiddleware(Catches(streams))(scope, receive, sending)

    assert ask(strict) == 200
    span, attributes = one()
    assert (
        attributes["http.status_code"] == 200
        and span.status.code == 2
        and exceptions(span) == ["RuntimeError"]
    )
    assert {labels[2] for labels in driver.requests_total()} == {"200"}
