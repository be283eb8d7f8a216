"""Drives ASGI applications in process and reads the recorded spans through the official protobuf
classes."""

from __future__ import annotations

import asyncio
import contextlib
import re
import struct

import djp_telemetry
from djp_telemetry._loader import native


@contextlib.contextmanager
def telemetry(**options):
    """Telemetry with the memory exporter that samples every trace; ended afterwards."""
    settings = {
        "enabled": True,
        "backend": "hybrid",
        "exporter": "memory",
        "sample_ratio": 1.0,
        **options,
    }
    djp_telemetry.shutdown(1)
    djp_telemetry.init_telemetry(**settings)
    try:
        yield
    finally:
        djp_telemetry.shutdown(1)


def spans():
    """Every span that ended since the last call, as protobuf messages."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    djp_telemetry.flush(5)
    data = native.sdk_take_exported() or b""
    found, at = [], 0
    while at < len(data):
        (size,) = struct.unpack_from("<I", data, at)
        request = ExportTraceServiceRequest.FromString(data[at + 4 : at + 4 + size])
        at += 4 + size
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                found.extend(scope.spans)
    return found


def attributes(message):
    return {
        item.key: getattr(item.value, item.value.WhichOneof("value") or "string_value")
        for item in message.attributes
    }


def server_spans():
    """(span, attributes) of every recorded server span, without the attributes of the sampler."""
    found = [(span, attributes(span)) for span in spans() if span.kind == 2]
    for _, named in found:
        named.pop("sampling.reason", None)
    return found


def samples(prefix=""):
    """The exposition as {series: value}."""
    from djp_telemetry.metrics import generate_metrics_text

    found = {}
    for line in generate_metrics_text().splitlines():
        match = re.match(r"^([a-z_:A-Z0-9]+(?:\{.*\})?) (\S+)", line)
        if match and not line.startswith("#") and match[1].startswith(prefix):
            found[match[1]] = float(match[2])
    return found


def requests_total():
    """{(method, endpoint, status): count}"""
    pattern = re.compile(r'method="(.*?)",endpoint="(.*?)",status_code="(.*?)"')
    return {
        pattern.search(key).groups(): value for key, value in samples("http_requests_total").items()
    }


def convention_requests():
    """requests_total() of the families of the conventions, where no route is an empty text."""
    pattern = re.compile(
        r'method="(.*?)",.*http_route="(.*?)",http_response_status_code="(.*?)"', re.DOTALL
    )
    return {
        pattern.search(key).groups(): value
        for key, value in samples("http_server_request_duration_seconds_count").items()
    }


def http_scope(path="/", method="GET", headers=(), **more):
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [
            (name.encode() if isinstance(name, str) else name, value) for name, value in headers
        ],
        "client": ("127.0.0.1", 1234),
        "server": ("127.0.0.1", 80),
        "state": {},
        **more,
    }


class Connection:
    """The server's side of one request: the messages to receive and the messages that were sent."""

    def __init__(self, *incoming):
        self.incoming = list(incoming) or [
            {"type": "http.request", "body": b"", "more_body": False}
        ]
        self.sent = []
        self.wait = None

    async def receive(self):
        if not self.incoming:
            await asyncio.Event().wait()
        return self.incoming.pop(0)

    async def send(self, message):
        self.sent.append(message)
        if self.wait is not None:
            await self.wait(message)

    @property
    def status(self):
        return next(
            (
                message["status"]
                for message in self.sent
                if message["type"] == "http.response.start"
            ),
            None,
        )

    @property
    def body(self):
        return b"".join(m.get("body", b"") for m in self.sent if m["type"] == "http.response.body")


def request(app, path="/", method="GET", headers=(), incoming=(), **more):
    """One request through app; returns the connection."""
    connection = Connection(*incoming)

    async def main():
        await app(http_scope(path, method, headers, **more), connection.receive, connection.send)

    asyncio.run(asyncio.wait_for(main(), 20))
    return connection


def answering(status=200, body=b"ok", route=None):
    """An application that responds at once and sets a route in the scope, as Starlette does."""

    class Route:
        path_format = route

    async def app(scope, receive, send):
        if route is not None:
            scope["route"] = Route
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})

    return app


def lifespan(app):
    connection = Connection({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})

    async def main():
        await app(
            {"type": "lifespan", "asgi": {"version": "3.0"}}, connection.receive, connection.send
        )

    asyncio.run(main())
    return [message["type"] for message in connection.sent]
