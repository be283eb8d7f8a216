"""The W3C trace-context harness, end to end: a real ASGI server handles POST /test by posting on to
the given addresses, and the requests there must be correct for each of the 41 cases. Header fields
are sent byte for byte, duplicates and case included."""

import asyncio
import collections
import contextlib
import json
import pathlib
import re
import socket
import socketserver
import threading

import asgi_driver as driver
import djp_telemetry
import pytest
from djp_telemetry.asgi import TelemetryMiddleware

pytest.importorskip("djp_telemetry._native")
uvicorn = pytest.importorskip("uvicorn")

VECTORS = pathlib.Path(__file__).parent.parent / "vectors"
CASES = [
    case
    for name in ("traceparent.json", "tracestate.json")
    for case in json.loads((VECTORS / name).read_text())["cases"]
    if case.get("harness")
]
TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


class Collector(socketserver.ThreadingTCPServer):
    """Stores the header fields of every POST, in their order."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self):
        self.received = collections.defaultdict(list)
        super().__init__(("127.0.0.1", 0), self.Handler)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            path = self.rfile.readline().split()[1].decode()
            fields = []
            while (line := self.rfile.readline().strip()) != b"":
                name, _, value = line.decode("latin-1").partition(":")
                fields.append((name.strip().lower(), value.strip()))
            self.rfile.read(int(dict(fields).get("content-length", 0)))
            self.server.received[path].append(fields)
            self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")


def post(port, path, body, headers=()):
    """One request over a separate socket; returns the status."""
    lines = [
        f"POST {path} HTTP/1.1",
        "host: localhost",
        f"content-length: {len(body)}",
        "connection: close",
    ]
    lines += [f"{name}: {value}" for name, value in headers]
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.settimeout(10)
        connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return int(answer.split()[1])


async def service(scope, receive, send):
    """The service under test: its only tracing is inject()."""
    if scope["type"] != "http":
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    for item in json.loads(body):
        carrier = {}
        djp_telemetry.inject(carrier)
        port, path = re.fullmatch(r"http://127\.0\.0\.1:(\d+)(/.*)", item["url"]).groups()
        arguments = json.dumps(item["arguments"]).encode()
        await asyncio.get_running_loop().run_in_executor(
            None, post, int(port), path, arguments, list(carrier.items())
        )
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


@contextlib.contextmanager
def serving(app, **options):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", **options))
    server.install_signal_handlers = lambda: None
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(15)
        listener.close()


@pytest.fixture(scope="module")
def ports():
    collector = Collector()
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    with driver.telemetry(), serving(TelemetryMiddleware(service), http="h11") as port:
        yield port, collector
    collector.shutdown()
    collector.server_close()


def sent_on(ports, name, headers, callbacks=1):
    """The trace ids, parent ids, flags and tracestates that arrived at the collector."""
    port, collector = ports
    path = f"/callback/{name}"
    before = len(collector.received[path])
    items = [
        {"url": f"http://127.0.0.1:{collector.server_address[1]}{path}", "arguments": []}
    ] * callbacks
    assert post(port, "/test", json.dumps(items).encode(), headers) == 200
    arrived = collector.received[path][before:]
    assert len(arrived) == callbacks
    found = []
    for fields in arrived:
        (traceparent,) = [value for name, value in fields if name == "traceparent"]
        trace_id, parent_id, flags = TRACEPARENT.fullmatch(traceparent).groups()
        assert int(trace_id, 16) and int(parent_id, 16)
        found.append(
            (
                trace_id,
                parent_id,
                int(flags, 16),
                [value for name, value in fields if name == "tracestate"],
            )
        )
    return found


def members(values):
    """The members that the service did not add itself."""
    items = [item.strip() for value in values for item in value.split(",")]
    return [item for item in items if item and not item.startswith("ot=")]


def check(ports, name, request):
    sent = {
        value.split("-")[1]
        for header, value in request["headers"]
        if "-" in value and len(value.split("-")) > 1
    }
    for trace_id, parent_id, flags, states in sent_on(ports, name, request["headers"]):
        if request["continued"] is None:
            assert trace_id not in sent
        else:
            assert trace_id == request["continued"] and parent_id != request["parent"]
            assert flags & 3 & request["flags"] == request["flags"] & 3
        assert members(states) == members([request["tracestate"]])


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_case(ports, case):
    for request in case["requests"]:
        check(ports, case["case"], request)


def test_every_callback_has_its_own_parent(ports):
    """The harness' advanced cases: three callbacks of one request continue one trace, with the
    parent that the service has then."""
    valid = "00-12345678901234567890123456789012-1234567890123456-01"
    for headers, trace in (
        ([("traceparent", valid)], "12345678901234567890123456789012"),
        ([], None),
        ([("traceparent", "00-00000000000000000000000000000000-1234567890123456-01")], None),
    ):
        found = sent_on(ports, "advanced", headers, 3)
        (trace_id,) = {item[0] for item in found}
        assert trace_id == trace if trace else int(trace_id, 16)
        assert all(item[1] != "1234567890123456" for item in found)


def test_all_cases_are_here():
    assert len({case["case"] for case in CASES}) == 41
