"""A server of Jaeger's remote sampling protocol on a loopback port. It can be slow, wrong, too
verbose or gone."""

import json
import socket
import threading
import time


def probability(ratio):
    return {"strategyType": "PROBABILISTIC", "probabilisticSampling": {"samplingRate": ratio}}


def rate(traces):
    return {"strategyType": 1, "rateLimitingSampling": {"maxTracesPerSecond": traces}}


def operations(default, lower=0, **named):
    listed = [
        {"operation": name, "probabilisticSampling": {"samplingRate": ratio}}
        for name, ratio in named.items()
    ]
    return {
        "strategyType": 0,
        "probabilisticSampling": {"samplingRate": default},
        "operationSampling": {
            "defaultSamplingProbability": default,
            "defaultLowerBoundTracesPerSecond": lower,
            "perOperationStrategies": listed,
            "defaultUpperBoundTracesPerSecond": 0,
        },
    }


class SamplingServer:
    """`answer` is an object to be sent as JSON, bytes to be sent as a body, or a function of the
    connection."""

    def __init__(self, answer=None):
        self.answer = answer
        self.status = "200 OK"
        self.extra = ""  # more header lines
        self.requests = []  # the head of each
        self.closed = 0  # connections that the other side ended
        self.port = 0
        self._listener = None
        self._connections = set()
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.stop()

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        """Listens, at the same port again after stop()."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def stop(self):
        """Ends every connection; later clients are refused."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has just ended

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        self._connections.add(connection)
        with connection:
            try:
                while self._one(connection):
                    pass
            except OSError:
                self.closed += 1
        self._connections.discard(connection)

    def _one(self, connection):
        head = b""
        while b"\r\n\r\n" not in head:
            piece = connection.recv(4096)
            if not piece:
                self.closed += 1
                return False
            head += piece
        self.requests.append(head.decode())
        if callable(self.answer):
            self.answer(connection)
            return True
        body = self.answer if isinstance(self.answer, bytes) else json.dumps(self.answer).encode()
        kind = "text/plain" if isinstance(self.answer, bytes) else "application/json"
        start = (
            f"HTTP/1.1 {self.status}\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {len(body)}\r\n{self.extra}\r\n"
        )
        connection.sendall(start.encode() + body)
        return True


def until(right, limit=60):
    """Waits until right() returns something true, and returns that."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        found = right()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"it did not happen within {limit} s")
