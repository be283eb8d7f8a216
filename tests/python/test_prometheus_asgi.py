"""A registry over ASGI, WSGI, http.server, its own server and a file."""

import asyncio
import gzip
import http.client
import threading
from http.server import HTTPServer

import pytest
from djp_telemetry import prometheus
from djp_telemetry.prometheus import exposition


class Broken:
    def collect(self):
        metric = prometheus.Metric("broken", "d", "gauge")
        metric.add_sample("broken", {"a": None}, 1)
        yield metric


@pytest.fixture
def registry():
    made = prometheus.CollectorRegistry()
    prometheus.Counter("c", "d", registry=made).inc(2)
    prometheus.Gauge("g", "d", registry=made)
    return made


def over_asgi(app, query=b"", headers=()):
    sent = []

    async def receive():
        return {"type": "http.request"}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "query_string": query, "headers": list(headers)}
    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


def over_wsgi(app, method="GET", query="", **environ):
    seen = []
    environ = {"REQUEST_METHOD": method, "PATH_INFO": "/", "QUERY_STRING": query, **environ}
    (body,) = app(environ, lambda *args: seen.append(args))
    return int(seen[0][0].split()[0]), dict(seen[0][1]), body


def test_asgi(registry):
    app = prometheus.make_asgi_app(registry)
    status, headers, body = over_asgi(app)
    assert (status, headers) == (
        200,
        {b"Content-Type": b"text/plain; version=0.0.4; charset=utf-8"},
    )
    assert b"c_total 2.0" in body
    status, headers, packed = over_asgi(app, b"name[]=c_total", [(b"accept-encoding", b"gzip")])
    assert headers[b"Content-Encoding"] == b"gzip"
    assert b"# TYPE g" not in gzip.decompress(packed)
    accept = [(b"Accept", b"application/openmetrics-text;version=1.0.0")]
    assert over_asgi(app, b"", accept)[2].endswith(b"# EOF\n")
    plain = prometheus.make_asgi_app(registry, disable_compression=True)
    assert b"Content-Encoding" not in over_asgi(plain, b"", [(b"accept-encoding", b"gzip")])[1]


def test_wsgi(registry):
    app = prometheus.make_wsgi_app(registry)
    assert b"c_total 2.0" in over_wsgi(app)[2]
    assert over_wsgi(app, "OPTIONS") == (200, {"Allow": "OPTIONS,GET"}, b"")
    assert over_wsgi(app, "POST")[0] == 405
    assert over_wsgi(app, PATH_INFO="/favicon.ico") == (200, {}, b"")


def test_a_metric_that_cannot_be_written_does_not_take_the_page_down(registry):
    registry.register(Broken())
    status, _, body = over_wsgi(prometheus.make_wsgi_app(registry))
    assert status == 200
    assert b"c_total 2.0" in body
    with pytest.raises(AttributeError) as caught:
        prometheus.generate_latest(registry)
    assert caught.value.args[-1].name == "broken"


def get(port, path="/metrics"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, body


def test_its_own_server(registry):
    server, thread = prometheus.start_http_server(0, "127.0.0.1", registry)
    try:
        assert get(server.server_port)[0] == 200
        assert b"c_total 2.0" in get(server.server_port)[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_handler_of_http_server(registry):
    server = HTTPServer(("127.0.0.1", 0), prometheus.MetricsHandler.factory(registry))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        status, body = get(server.server_port, "/?name[]=g")
        assert status == 200
        assert b"c_total" not in body
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_file_is_replaced_at_once(registry, tmp_path):
    path = tmp_path / "x.prom"
    prometheus.write_to_textfile(str(path), registry)
    before = path.read_bytes()
    assert b"c_total 2.0" in before
    registry.register(Broken())
    with pytest.raises(AttributeError):
        prometheus.write_to_textfile(str(path), registry, tmpdir=str(tmp_path))
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["x.prom"]


def test_certificates_that_do_not_exist_raise():
    for files in (("no", "no"), ("no", "no", "no")):
        with pytest.raises(OSError, match="Cannot load"):
            exposition._get_ssl_ctx(files[0], files[1], 16, *files[2:])
