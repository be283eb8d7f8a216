"""A loopback gRPC receiver that writes HTTP/2 frame by frame. A test chooses the order and the
pieces of the response, the GOAWAY and the end of the connection. It supports one client with small
header blocks."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
LARGEST = 0x7FFFFFFF


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return (
        struct.pack(">I", len(payload))[1:]
        + bytes([kind, flags])
        + struct.pack(">I", stream)
        + payload
    )


def literal(name: str, value: str) -> bytes:
    """A header field without indexing and without Huffman codes; both texts are shorter than 127
    bytes."""
    return b"\x00" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


class H2FaultServer:
    """script: one list of steps for each call, the last list repeats. Steps: "headers", "message",
    "ok" or ("trailers", status): parts of the response; "error": a trailers-only response with
    status 14; "goaway" (this stream is the last one), "goaway_all" (the first of a graceful pair),
    "goaway_before" (this stream was not processed); "reset" (the stream, refused), "close" (FIN),
    "|" (sends the preceding frames as a separate packet), "wait" (a pause for it to arrive). A call
    counts as accepted when its list contains "ok"."""

    def __init__(self, *script: list, context: ssl.SSLContext | None = None):
        self.script = list(script)
        self.accepted: list[bytes] = []
        self.refused = 0
        self.connections = 0
        self._context = context
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.port}"
        self._open: list[socket.socket] = []
        self._last: dict[socket.socket, int] = {}
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> H2FaultServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self._context:
                connection = self._context.wrap_socket(connection, server_side=True)
            self._open.append(connection)
            self._talk(connection)
        except (OSError, EOFError):
            pass
        finally:
            connection.close()

    def _talk(self, connection: socket.socket) -> None:
        stream = connection.makefile("rb")

        def read(size: int) -> bytes:
            data = stream.read(size)
            if data is None or len(data) < size:
                raise EOFError
            return data

        assert read(len(PREFACE)) == PREFACE
        connection.sendall(frame(SETTINGS, 0, 0))
        bodies: dict[int, bytes] = {}
        self._last[connection] = LARGEST
        while True:
            head = read(9)
            size, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
            number = int.from_bytes(head[5:], "big") & LARGEST
            payload = read(size)
            if kind == SETTINGS and not flags & ACK:
                connection.sendall(frame(SETTINGS, ACK, 0))
            elif kind == PING and not flags & ACK:
                connection.sendall(frame(PING, ACK, 0, payload))
            elif kind == DATA:
                bodies[number] = bodies.get(number, b"") + payload
                if size:
                    grown = struct.pack(">I", size)
                    connection.sendall(
                        frame(WINDOW_UPDATE, 0, 0, grown) + frame(WINDOW_UPDATE, 0, number, grown)
                    )
            if number > self._last[connection]:
                continue  # opened after the GOAWAY: not processed
            if (
                kind in (DATA, HEADERS)
                and flags & END_STREAM
                and self._answer(connection, number, bodies.pop(number))
            ):
                return

    def _answer(self, connection: socket.socket, number: int, body: bytes) -> bool:
        with self._lock:
            steps = self.script.pop(0) if len(self.script) > 1 else self.script[0]
            if "ok" in steps:
                self.accepted.append(body)
            else:
                self.refused += 1
        pending = b""
        for step in steps:
            if step in ("|", "wait", "close"):
                connection.sendall(pending)
                pending = b""
                time.sleep(0.02 if step == "wait" else 0)
                if step == "close":
                    with contextlib.suppress(OSError):
                        connection.shutdown(socket.SHUT_WR)
                    return True
            else:
                pending += self._piece(step, number)
                if step in ("goaway", "goaway_before"):
                    self._last[connection] = number if step == "goaway" else number - 1
        connection.sendall(pending)
        return False

    def _piece(self, step: object, number: int) -> bytes:
        # :status 200 is number 8 of the static table
        content = b"\x88" + literal("content-type", "application/grpc")
        if step == "headers":
            return frame(HEADERS, END_HEADERS, number, content)
        if step == "message":
            return frame(DATA, 0, number, bytes(5))
        if step == "ok":
            return frame(HEADERS, END_HEADERS | END_STREAM, number, literal("grpc-status", "0"))
        if step == "error":
            return frame(
                HEADERS, END_HEADERS | END_STREAM, number, content + literal("grpc-status", "14")
            )
        if step == "reset":
            return frame(RST_STREAM, 0, number, struct.pack(">I", 7))
        if isinstance(step, tuple):
            return frame(
                HEADERS, END_HEADERS | END_STREAM, number, literal("grpc-status", str(step[1]))
            )
        last = {"goaway": number, "goaway_all": LARGEST, "goaway_before": max(number - 2, 0)}[
            str(step)
        ]
        return frame(GOAWAY, 0, 0, struct.pack(">II", last, 0))
