"""gRPC behind proxies and load balancers that end connections: each request is accepted once,
whatever the order and pieces of the response, the GOAWAY and the end of the connection, with and
without TLS."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time

import pytest
from h2_fault_server import H2FaultServer
from send_otlp import Sender

pytest.importorskip("grpc")
from certificates import Certificates  # noqa: E402
from grpc_fault_server import GrpcFaultServer  # noqa: E402

ANSWER = ["headers", "message", "ok"]
CALLS = 30

ORDERS = {
    "answer, GOAWAY and end in one packet": [*ANSWER, "goaway", "close"],
    "GOAWAY in front of the answer": ["goaway", *ANSWER],
    "GOAWAY, answer, end": ["goaway", *ANSWER, "close"],
    "GOAWAY long before the answer": ["goaway", "wait", *ANSWER],
    "GOAWAY long before, end long after": ["goaway", "wait", *ANSWER, "wait", "close"],
    "head alone, the rest with the GOAWAY": ["headers", "wait", "message", "ok", "goaway"],
    "trailers with the GOAWAY": ["headers", "message", "wait", "ok", "goaway", "close"],
    "every frame alone": ["headers", "wait", "message", "wait", "ok", "wait", "goaway"],
    "GOAWAY in the middle": ["headers", "wait", "goaway", "wait", "message", "ok", "close"],
    "GOAWAY between message and trailers": ["headers", "message", "goaway", "wait", "ok"],
    "graceful: highest id, answer, last id": ["goaway_all", "wait", *ANSWER, "goaway"],
    "graceful in one packet": ["goaway_all", *ANSWER, "goaway", "close"],
    "graceful behind the answer": [*ANSWER, "goaway_all", "wait", "goaway", "wait", "close"],
    "highest id only": [*ANSWER, "goaway_all"],
    "GOAWAY on the idle connection": [*ANSWER, "wait", "goaway"],
    "late end": [*ANSWER, "wait", "goaway", "wait", "wait", "close"],
    "end without a word": [*ANSWER, "close"],
    "end of the idle connection without a word": [*ANSWER, "wait", "close"],
}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    if not shutil.which("openssl"):
        pytest.skip("the openssl command is not here")
    return Certificates(tmp_path_factory.mktemp("certificates"))


def receiver(script, certificates, tls):
    context = certificates.http() if tls else None
    if context:
        context.set_alpn_protocols(["h2"])
    return H2FaultServer(*script, context=context), {"ca": certificates["ca.pem"]} if tls else {}


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("reused", [False, True], ids=["first call", "third call"])
@pytest.mark.parametrize("order", ORDERS)
def test_each_request_is_accepted_once(order, reused, tls, certificates):
    script = [ANSWER, ANSWER, ORDERS[order]] * CALLS if reused else [ORDERS[order]]
    server, options = receiver(script, certificates, tls)
    with server, Sender(server.url, "grpc", **options) as sender:
        summary = sender.many(CALLS)
        accepted = len(server.accepted)
    assert (summary["sent"], accepted) == (CALLS, CALLS), summary


@pytest.mark.parametrize(
    "order", [["goaway_before", "close"], ["reset"], ["goaway_before", "wait", "close"]]
)
def test_a_call_that_was_not_looked_at_is_sent_again_at_once(order):
    """The receiver reports that it did not process the call: another connection sends it, without a
    back-off."""
    with H2FaultServer(ANSWER, order, ANSWER) as server, Sender(server.url, "grpc") as sender:
        results = [sender.send() for _ in range(3)]
        assert [result["outcome"] for result in results] == ["sent"] * 3
        assert (len(server.accepted), server.refused) == (3, 1)


@pytest.mark.parametrize(
    "order",
    [["error"], ["error", "goaway", "close"], ["goaway", "error"], ["headers", ("trailers", 14)]],
)
def test_a_refusal_stays_a_refusal(order):
    with H2FaultServer(ANSWER, order, ANSWER) as server, Sender(server.url, "grpc") as sender:
        results = [sender.send() for _ in range(3)]
        accepted = len(server.accepted)
    assert [result["outcome"] for result in results] == ["sent", "retry", "sent"]
    assert (accepted, server.refused, results[1]["status"]) == (2, 1, 14)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed")
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("keepalive", [1, 2, 3, 50])
def test_through_nginx(keepalive, tls, certificates, tmp_path):
    port = free_port()
    scratch = " ".join(
        f"{name}_temp_path {tmp_path}/{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    keys = (
        f"ssl_certificate {certificates['server.pem']}; "
        f"ssl_certificate_key {certificates['server.key']};"
        if tls
        else ""
    )
    with GrpcFaultServer("ok") as upstream:
        (tmp_path / "nginx.conf").write_text(
            f"daemon off; error_log {tmp_path}/error.log; pid {tmp_path}/nginx.pid; events {{}} "
            f"http {{ access_log off; {scratch} "
            f"server {{ listen 127.0.0.1:{port} {'ssl' if tls else ''} http2; {keys} "
            f"keepalive_requests {keepalive}; "
            f"location / {{ grpc_pass grpc://127.0.0.1:{upstream.port}; }} }} }}"
        )
        nginx = subprocess.Popen(
            ["nginx", "-c", str(tmp_path / "nginx.conf")], stderr=subprocess.DEVNULL
        )
        try:
            deadline = time.monotonic() + 20
            while socket.socket().connect_ex(("127.0.0.1", port)) != 0:
                assert time.monotonic() < deadline and nginx.poll() is None, (
                    tmp_path / "error.log"
                ).read_text()
                time.sleep(0.05)
            options = {"ca": certificates["ca.pem"]} if tls else {}
            with Sender(
                f"{'https' if tls else 'http'}://127.0.0.1:{port}", "grpc", **options
            ) as sender:
                summary = sender.many(120)
            assert (summary["sent"], len(upstream.calls)) == (120, 120), summary
        finally:
            nginx.terminate()
            nginx.wait(20)
