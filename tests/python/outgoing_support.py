"""A server on the loopback interface that notes what comes, and one function for each client
library, which makes a request and returns the status."""

import asyncio
import http.server
import socket
import threading
import time

import pytest

httpx = pytest.importorskip("httpx")
urllib3 = pytest.importorskip("urllib3")
requests = pytest.importorskip("requests")
aiohttp = pytest.importorskip("aiohttp")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.seen.append(
            (self.path, {name.lower(): value for name, value in self.headers.items()})
        )
        if self.path.startswith("/slow"):
            time.sleep(1.5)
        status = 302 if self.path == "/moved" else int(self.path.partition("status=")[2] or 200)
        self.send_response(status)
        if status == 302:
            self.send_header("location", "/there")
        size = 1000 if self.path.startswith("/cut") else 2
        self.send_header("content-length", str(size))
        self.end_headers()
        self.wfile.write(b"ok")
        if size > 2:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.do_GET()

    def log_message(self, *args):
        pass


@pytest.fixture(name="server")
def serving():
    """The server: url, and seen, the path and headers of each request."""
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    httpd.seen = []
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    httpd.url = f"http://127.0.0.1:{httpd.server_address[1]}"
    yield httpd
    httpd.shutdown()
    httpd.server_close()


def sync_httpx(method, url, **more):
    with httpx.Client(trust_env=False, follow_redirects=True) as client:
        return client.request(method, url, **more).status_code


def async_httpx(method, url, **more):
    async def main():
        async with httpx.AsyncClient(trust_env=False, follow_redirects=True) as client:
            return (await client.request(method, url, **more)).status_code

    return asyncio.run(main())


def by_requests(method, url, **more):
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, url, **more).status_code


def by_urllib3(method, url, timeout=None, **more):
    return (
        urllib3.PoolManager(retries=urllib3.Retry(1, backoff_factor=0))
        .request(method, url, timeout=timeout or 30, **more)
        .status
    )


def by_aiohttp(method, url, timeout=None, **more):
    async def main():
        limit = aiohttp.ClientTimeout(total=timeout or 30)
        async with (
            aiohttp.ClientSession(timeout=limit) as session,
            session.request(method, url, **more) as response,
        ):
            await response.read()
            return response.status

    return asyncio.run(main())


async def started(server):
    """Waits until a request has come."""
    deadline = time.monotonic() + 60
    while not server.seen and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    assert server.seen
