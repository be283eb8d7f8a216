"""Real servers with several requests on a connection: pipelined ones, and ones after a body so
large that the server reads on in the context of the request."""

import json

import pytest
from asgi_server import SERVERS, read_answer, serving

pytest.importorskip("djp_telemetry._native")

PROGRAM = """
import json
from djp_telemetry import init_telemetry, baggage, get_current_trace_id, inject
from djp_telemetry.asgi import TelemetryMiddleware
init_telemetry()

async def application(scope, receive, send):
    if scope["type"] != "http":
        return
    own = dict(baggage.get_all())
    before = {"baggage": own, "sent_on": inject({}), "trace": get_current_trace_id()}
    while (await receive()).get("more_body"):
        pass
    body = json.dumps(before).encode()
    length = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": length})
    await send({"type": "http.response.body", "body": body})

app = TelemetryMiddleware(application, excluded_paths=["/excluded"])
"""
TRACE = "a" * 32
CARRIED = "baggage: tenant=acme\r\ntraceparent: 00-" + TRACE + "-" + "1" * 16 + "-01\r\n"


def request(path, headers="", body=b""):
    length = f"content-length: {len(body)}\r\n" if body else ""
    method = "POST" if body else "GET"
    return f"{method} {path} HTTP/1.1\r\nhost: x\r\n{headers}{length}\r\n".encode() + body


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("backend", ["hybrid", "prom"])
def test_requests_of_one_connection_share_nothing(tmp_path, server, backend):
    with serving(PROGRAM, tmp_path, server, TELEMETRY_BACKEND=backend) as running:
        with running.connect() as connection:
            connection.sendall(request("/a", CARRIED, b"x" * 300_000))
            answers = [json.loads(read_answer(connection)[1])]
            for path in ("/b", "/excluded", "/c"):
                connection.sendall(request(path))
                answers.append(json.loads(read_answer(connection)[1]))
            connection.sendall(request("/d", CARRIED) + request("/excluded") + request("/e"))
            answers += [json.loads(read_answer(connection)[1]) for _ in range(3)]
    carried = [
        answer["baggage"] == {"tenant": "acme"} and answer["trace"] == TRACE for answer in answers
    ]
    assert carried == [True, False, False, False, True, False, False], answers
    for answer, mine in zip(answers, carried):
        assert mine or (answer["baggage"] == {} and TRACE not in json.dumps(answer)), answers
