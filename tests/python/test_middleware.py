"""The middleware around real servers and without the native core."""

import asyncio
import socket
import subprocess
import sys
import textwrap
import threading

import asgi_driver as driver
import pytest
from djp_telemetry.asgi import TelemetryMiddleware


def run_without_core(code):
    """Runs code in a process without the native core."""
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={
            "PYTHONPATH": ":".join(sys.path),
            "DJP_TELEMETRY_NATIVE": "off",
            "PATH": "/usr/bin:/bin",
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_everything_imports_and_passes_through_without_the_core():
    out = run_without_core(
        """
        import asyncio, inspect
        import djp_telemetry
        from djp_telemetry import metrics, middleware, prom
        from djp_telemetry.asgi import TelemetryMiddleware, metrics_app
        assert djp_telemetry.__impl__ == "noop"
        prom.record_http_request("GET", "/", 200, 0.1)
        prom.set_queue_depth("q", 1)
        assert prom.generate_metrics_text() == "" and metrics.generate_metrics().startswith(b"#")
        metrics.Counter("c", "c", ["a"]).labels("x").inc()
        calls = []

        async def app(scope, receive, send):
            calls.append((scope, receive, send))

        wrapped = TelemetryMiddleware(app, metrics_path="/metrics", excluded_paths="/health")
        assert inspect.iscoroutinefunction(wrapped.__call__)
        asyncio.run(wrapped({"type": "http"}, 1, 2))
        asyncio.run(wrapped.__call__({"type": "http"}, 1, 2))
        assert calls == [({"type": "http"}, 1, 2)] * 2

        async def scrape():
            sent = []

            async def send(message):
                sent.append(message)

            await metrics_app({"type": "http", "headers": []}, None, send)
            return sent

        assert asyncio.run(scrape())[0]["status"] == 200
        print("done")
        """
    )
    assert out == "done\n"


@pytest.fixture
def server():
    """A real uvicorn around a Starlette application that streams, fails and echoes."""
    pytest.importorskip("djp_telemetry._native")
    uvicorn = pytest.importorskip("uvicorn")
    applications = pytest.importorskip("starlette.applications")
    responses = pytest.importorskip("starlette.responses")
    routing = pytest.importorskip("starlette.routing")

    async def stream(request):
        async def body():
            while not await request.is_disconnected():
                yield b"x" * 1000
                await asyncio.sleep(0.005)

        return responses.StreamingResponse(body())

    async def fail(request):
        raise RuntimeError("no")

    async def echo(request):
        return responses.PlainTextResponse(await request.body())

    app = applications.Starlette(
        routes=[
            routing.Route("/stream", stream),
            routing.Route("/fail", fail),
            routing.Route("/echo/{x}", echo, methods=["POST"]),
        ]
    )
    app.add_middleware(TelemetryMiddleware, metrics_path="/metrics")
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(16)
    running = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
    with driver.telemetry():
        thread.start()
        yield listener.getsockname()[1]
        running.should_exit = True
        thread.join(15)
    listener.close()


def exchange(port, text, read=None):
    """Sends raw bytes; returns what came back, or its first read bytes."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.settimeout(10)
        connection.sendall(text.replace("\n", "\r\n").encode())
        answer = b""
        while read is None or len(answer) < read:
            piece = connection.recv(65536)
            if not piece:
                break
            answer += piece
    return answer


def test_real_server(server):
    echoed = exchange(
        server, "POST /echo/1 HTTP/1.1\nhost: x\ncontent-length: 5\nconnection: close\n\nhello"
    )
    assert echoed.startswith(b"HTTP/1.1 200") and echoed.endswith(b"hello")
    assert exchange(server, "GET /fail HTTP/1.1\nhost: x\nconnection: close\n\n").startswith(
        b"HTTP/1.1 500"
    )
    assert exchange(server, "GET /nowhere HTTP/1.1\nhost: x\nconnection: close\n\n").startswith(
        b"HTTP/1.1 404"
    )
    scrape = exchange(server, "GET /metrics HTTP/1.1\nhost: x\nconnection: close\n\n").decode()
    for line in (
        'http_requests_total{method="POST",endpoint="/echo/{x}",status_code="200"} 1\n',
        'http_requests_total{method="GET",endpoint="/fail",status_code="500"} 1\n',
        'http_requests_total{method="GET",endpoint="unmatched",status_code="404"} 1\n',
        'http_request_size_bytes_sum{method="POST",endpoint="/echo/{x}"} 5\n',
    ):
        assert line in scrape
    found = {
        attributes.get("http.route"): span.status.code for span, attributes in driver.server_spans()
    }
    assert found == {"/echo/{x}": 0, "/fail": 2, None: 0}


def test_client_that_leaves_a_stream(server):
    assert b"200 OK" in exchange(server, "GET /stream HTTP/1.1\nhost: x\n\n", read=5000)
    found = []
    for _ in range(200):
        found += driver.server_spans()
        if found:
            break
        threading.Event().wait(0.02)
    ((span, attributes),) = found
    assert span.status.code == 0 and attributes["http.client_disconnected"] is True
    assert attributes["http.status_code"] == 200
