"""Runs real ASGI servers in separate processes: a program with an `app`, started on a free port of
the loopback interface, its spans in one file and its output in another."""

import contextlib
import importlib.util
import os
import pathlib
import socket
import subprocess
import sys
import textwrap
import time

import pytest
from support import clean_environment, file_spans

# The arguments of `python -m`; PORT is replaced.
SERVERS = {
    "uvicorn-h11": "uvicorn program:app --host 127.0.0.1 --port PORT --loop asyncio --http h11",
    "uvicorn-httptools": "uvicorn program:app --host 127.0.0.1 --port PORT --http httptools",
    "hypercorn": "hypercorn program:app -b 127.0.0.1:PORT --access-logfile - --error-logfile -",
    "granian": "granian program:app --interface asgi --host 127.0.0.1 --port PORT --access-log",
    "gunicorn": "gunicorn program:app -k asgi -b 127.0.0.1:PORT --access-logfile -",
}
NEEDS = {"uvicorn-h11": "h11", "uvicorn-httptools": "httptools"}


def need(server):
    """Skips the test if the server is not installed."""
    pytest.importorskip(server.split("-")[0])
    pytest.importorskip(NEEDS.get(server, "sys"))
    if server == "gunicorn" and importlib.util.find_spec("gunicorn.asgi") is None:
        pytest.skip("this gunicorn has no ASGI worker of its own")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self, process, port, folder):
        self.process, self.port, self.folder = process, port, folder

    def output(self):
        return (self.folder / "output").read_text(errors="replace")

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), 20)

    def spans(self, count=0, seconds=20.0):
        """The spans so far; waits until there are count of them."""
        deadline = time.monotonic() + seconds
        while True:
            found = []
            with contextlib.suppress(FileNotFoundError):
                found = file_spans(self.folder)
            if len(found) >= count:
                return [with_attributes(span) for span in found]
            assert time.monotonic() < deadline, f"{len(found)} of {count} spans: {self.output()}"
            time.sleep(0.05)


def with_attributes(span):
    """The span with a dict of its attributes under "named", and its status code."""
    named = {}
    for pair in span.get("attributes", ()):
        ((kind, value),) = pair["value"].items()
        named[pair["key"]] = int(value) if kind == "intValue" else value
    return {**span, "named": named, "code": span.get("status", {}).get("code", 0)}


@contextlib.contextmanager
def serving(source, folder, server="uvicorn-h11", options="", **environment):
    need(server)
    folder = pathlib.Path(folder)
    (folder / "program.py").write_text(textwrap.dedent(source))
    port = free_port()
    settings = {
        "TELEMETRY_ENABLED": "true",
        "TELEMETRY_BACKEND": "hybrid",
        "OTEL_TRACE_SAMPLE": "1.0",
        "OTEL_TRACES_EXPORTER": "file",
        "DJP_TELEMETRY_FILE_PATH": str(folder / "spans.jsonl"),
        "DJP_TELEMETRY_FLUSH_INTERVAL": "0.1",
        "PYTHONPATH": os.pathsep.join([str(folder), *(path for path in sys.path if path)]),
    }
    with open(folder / "output", "wb") as output:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                *SERVERS[server].replace("PORT", str(port)).split(),
                *options.split(),
            ],
            env=clean_environment(**{**settings, **environment}),
            cwd=folder,
            stdout=output,
            stderr=output,
        )
    running = Server(process, port, folder)
    try:
        deadline = time.monotonic() + 40
        while True:
            with contextlib.suppress(OSError):
                running.connect().close()
                break
            assert process.poll() is None and time.monotonic() < deadline, running.output()
            time.sleep(0.05)
        yield running
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def read_answer(connection):
    """(status, body) of the next response on a persistent connection; it must have a
    content-length."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(1)
        assert more, data
        data += more
    head = data.decode("latin-1").lower()
    size = int(head.split("content-length:")[1].split("\r\n")[0])
    body = b""
    while len(body) < size:
        more = connection.recv(size - len(body))
        assert more, body
        body += more
    return int(data.split()[1]), body
