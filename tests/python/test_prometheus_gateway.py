"""The Pushgateway, by a server on the loopback interface."""

import gzip
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import prometheus_client
import pytest
from djp_telemetry import prometheus
from djp_telemetry.prometheus import _gateway


@pytest.fixture
def gateway():
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            seen.append((self.command, self.path, dict(self.headers), body))
            if self.path.startswith("/moved"):
                self.send_response(301)
                self.send_header("Location", f"http://localhost:{self.server.server_port}/to")
            else:
                self.send_response(201 if "bad" not in self.path else 500)
            self.end_headers()

        do_POST = do_DELETE = do_PUT

        def log_message(self, *args):
            pass

    server = HTTPServer(("localhost", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://localhost:{server.server_port}", seen
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def registry():
    made = prometheus.CollectorRegistry()
    prometheus.Gauge("g", "d", registry=made).set(3)
    return made


def test_metrics_are_pushed_and_deleted(gateway, registry):
    url, seen = gateway
    key = {"instance": "a b", "x": "", "y": "q?"}
    prometheus.push_to_gateway(url, "my/job", registry, key)
    prometheus.pushadd_to_gateway(url.split("//")[1], "job", registry, compression="gzip")
    prometheus.delete_from_gateway(url + "/", "job", {"a": 1})
    assert [entry[:2] for entry in seen] == [
        ("PUT", "/metrics/job@base64/bXkvam9i/instance@base64/YSBi/x@base64/=/y/q%3F"),
        ("POST", "/metrics/job/job"),
        ("DELETE", "/metrics/job/job/a/1"),
    ]
    assert b"\ng 3.0\n" in seen[0][3]
    assert gzip.decompress(seen[1][3]) == seen[0][3]
    assert seen[2][3] == b""
    assert seen[0][2]["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_a_failure_and_a_wrong_compression_raise(gateway, registry):
    url, _ = gateway
    with pytest.raises(OSError):
        prometheus.push_to_gateway(url, "bad", registry)
    with pytest.raises(ValueError, match="brotli"):
        prometheus.push_to_gateway(url, "job", registry, compression="brotli")


def test_handlers(gateway, registry):
    url, seen = gateway

    def with_password(*args, **kwargs):
        return _gateway.basic_auth_handler(*args, username="u", password="p", **kwargs)

    prometheus.push_to_gateway(url, "job", registry, handler=with_password)
    assert seen[0][2]["Authorization"] == "Basic dTpw"
    prometheus.push_to_gateway(
        url + "/moved", "job", registry, handler=_gateway.passthrough_redirect_handler
    )
    assert [entry[:2] for entry in seen[1:]] == [("PUT", "/moved/metrics/job/job"), ("PUT", "/to")]
    assert seen[1][3] == seen[2][3] != b""


def test_the_address_of_the_host():
    theirs = prometheus_client.instance_ip_grouping_key()
    assert prometheus.instance_ip_grouping_key() == theirs
