"""A loopback HTTP/1.1 receiver with faults from a script, whose last behaviour repeats.

A connection that opens with the HTTP/2 preface gets the same behaviours as raw bytes, so they also
reach gRPC clients.
"""

from __future__ import annotations

import asyncio
import dataclasses
import email.utils
import gzip
import socket
import ssl
import struct
import threading
import time

HUGE = 16 << 20


@dataclasses.dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int


def partial_success(rejected: int, message: str) -> bytes:
    """ExportTraceServiceResponse with a partial success, encoded by hand."""
    inner = b"\x08" + bytes([rejected]) if rejected else b""
    inner += b"\x12" + bytes([len(message)]) + message.encode()
    return b"\x0a" + bytes([len(inner)]) + inner


def answer(
    status: int, body: bytes = b"", content_type: str = "application/x-protobuf", **headers: str
) -> bytes:
    lines = [
        f"HTTP/1.1 {status} Scripted",
        f"Content-Length: {len(body)}",
        f"Content-Type: {content_type}",
    ]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def http_date(seconds: float) -> str:
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


PLAIN = {
    "ok": lambda: answer(200),
    "ok_json": lambda: answer(200, b"{}", "application/json"),
    "ok_text": lambda: answer(200, b"thank you", "text/plain"),
    "ok_no_type": lambda: b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
    "ok_gzip": lambda: answer(
        200, gzip.compress(partial_success(3, "zipped")), Content_Encoding="gzip"
    ),
    "partial": lambda: answer(200, partial_success(5, "half of them")),
    "partial_json": lambda: answer(
        200, b'{"partialSuccess":{"rejectedSpans":"7","errorMessage":"some"}}', "application/json"
    ),
    "partial_logs_json": lambda: answer(
        200,
        b'{"partialSuccess":{"rejectedLogRecords":"7","errorMessage":"some"}}',
        "application/json",
    ),
    "partial_metrics_json": lambda: answer(
        200,
        b'{"partialSuccess":{"rejectedDataPoints":"3","errorMessage":"some"}}',
        "application/json",
    ),
    "warning": lambda: answer(200, partial_success(0, "old schema")),
    "bad_protobuf": lambda: answer(200, b"\xff\xff\xff\xff"),
    "web_page": lambda: answer(200, b"<html>log in</html>", "text/html"),
    "400": lambda: answer(400, b"\x08\x03\x12\x09bad spans"),
    "401_echo": lambda: answer(401, b"no access for Bearer topsecretvalue, sorry", "text/plain"),
    "404": lambda: answer(404, b"nothing here", "text/plain; charset=utf-8"),
    "413": lambda: answer(413),
    "500": lambda: answer(500),
    "501": lambda: answer(501),
    "302": lambda: answer(302, Location="http://127.0.0.1:1/elsewhere"),
    "429": lambda: answer(429, Retry_After="2"),
    "429_fast": lambda: answer(429, Retry_After="1"),
    "502": lambda: answer(502),
    "503": lambda: answer(503, b"busy", "text/plain"),
    "503_date": lambda: answer(503, Retry_After=http_date(30)),
    "503_bad_date": lambda: answer(503, Retry_After="soon"),
    "504": lambda: answer(504),
    "bomb": lambda: answer(200, gzip.compress(b"\0" * HUGE), Content_Encoding="gzip"),
    "bad_gzip": lambda: answer(200, b"this is not gzip at all", Content_Encoding="gzip"),
    "huge": lambda: answer(200, b"\0" * HUGE),
    "ok_then_close": lambda: answer(200, Connection="close"),
}


class FaultServer:
    """Runs in a separate thread. requests: the received requests, in order; connections: the number
    of accepted ones."""

    def __init__(
        self,
        *script: str,
        tls: ssl.SSLContext | None = None,
        port: int = 0,
        unix: str | None = None,
    ):
        self.script = list(script) or ["ok"]
        self.requests: list[Request] = []
        self.connections = 0
        self.port = port
        self._tls, self._unix = tls, unix
        self._loop = asyncio.new_event_loop()
        self._ready, self._stop = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def __enter__(self) -> FaultServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/v1/traces"

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        if self._unix:
            server = await asyncio.start_unix_server(self._connection, self._unix, ssl=self._tls)
        else:
            server = await asyncio.start_server(
                self._connection, "127.0.0.1", self.port, ssl=self._tls
            )
            self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        try:
            while await self._one(reader, writer, number):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def _one(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ", 2)
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:] if line)
        }
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.requests.append(Request(method, path, headers, body, number))
        behaviour = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if behaviour in PLAIN:
            writer.write(PLAIN[behaviour]())
            await writer.drain()
            return behaviour != "ok_then_close"
        await getattr(self, "_do_" + behaviour)(writer)
        return False

    async def _do_hang(self, writer: asyncio.StreamWriter) -> None:
        await self._stop.wait()

    async def _do_close(self, writer: asyncio.StreamWriter) -> None:
        pass

    async def _do_ok_and_close_quietly(self, writer: asyncio.StreamWriter) -> None:
        writer.write(PLAIN["ok"]())
        await writer.drain()

    def _send_reset(self, writer: asyncio.StreamWriter) -> None:
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async def _do_reset(self, writer: asyncio.StreamWriter) -> None:
        self._send_reset(writer)

    async def _do_reset_in_answer(self, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(200, b"x" * 1000)[:200])
        await writer.drain()
        await asyncio.sleep(0.05)
        self._send_reset(writer)

    async def _do_cut_answer(self, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(200, b"x" * 1000)[:200])
        await writer.drain()

    async def _do_garbage(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\x01\x02 what is this? \xff\xfe" * 50)
        await writer.drain()

    async def _do_drip(self, writer: asyncio.StreamWriter) -> None:
        while not self._stop.is_set():
            for byte in answer(200, b"x" * 100000):
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.02)

    async def _do_endless_headers(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while not self._stop.is_set():
            writer.write(b"X-More: " + b"y" * 900 + b"\r\n")
            await writer.drain()

    async def _do_endless_interim(self, writer: asyncio.StreamWriter) -> None:
        while not self._stop.is_set():
            writer.write(b"HTTP/1.1 103 Early Hints\r\nX-More: yyyyyyyyyyyyyyyyyyyyyyyyyy\r\n\r\n")
            await writer.drain()
