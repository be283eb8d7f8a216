"""TLS and mutual TLS for both protocols, with certificates made for the test."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from certificates import Certificates
from fault_server import FaultServer
from send_otlp import Sender, send_once
from support import run_program

grpc = pytest.importorskip("grpc")
from grpc_fault_server import GrpcFaultServer  # noqa: E402

pytestmark = pytest.mark.skipif(
    not shutil.which("openssl"), reason="the openssl command is not here"
)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(params=["http", "grpc"])
def serve(request, certificates):
    """Starts the protocol's server; yields (server, protocol)."""
    servers = []

    def start(**options):
        if request.param == "http":
            server = FaultServer("ok", tls=certificates.http(**options))
        else:
            server = GrpcFaultServer("ok", credentials=certificates.rpc(**options))
        servers.append(server)
        return server, request.param

    yield start
    for server in servers:
        server.stop()


def test_a_known_authority_is_enough(serve, certificates):
    server, protocol = serve()
    with Sender(server.url, protocol, ca=certificates["ca.pem"]) as sender:
        assert sender.many(200)["sent"] == 200
    seen = (
        {call.peer for call in server.calls}
        if protocol == "grpc"
        else {request.connection for request in server.requests}
    )
    assert len(seen) == 1


def test_an_unknown_authority_gets_nothing(serve, certificates):
    server, protocol = serve()
    for options in ({}, {"ca": certificates["other.pem"]}):
        result = send_once(server.url, protocol, **options)
        assert result["outcome"] == "retry" and "certificate" in result["message"].lower(), result
    assert not (server.calls if protocol == "grpc" else server.requests)


def test_another_name_gets_nothing(serve, certificates):
    server, protocol = serve(name="stranger")
    result = send_once(server.url, protocol, ca=certificates["ca.pem"])
    assert result["outcome"] == "retry" and "certificate" in result["message"].lower(), result
    assert not (server.calls if protocol == "grpc" else server.requests)


def test_mutual_tls(serve, certificates):
    server, protocol = serve(mutual=True)
    assert send_once(server.url, protocol, ca=certificates["ca.pem"])["outcome"] == "retry"
    assert not (server.calls if protocol == "grpc" else server.requests)
    with Sender(
        server.url,
        protocol,
        ca=certificates["ca.pem"],
        cert=certificates["client.pem"],
        key=certificates["client.key"],
    ) as sender:
        assert sender.many(50)["sent"] == 50


@pytest.mark.parametrize(
    "options",
    [
        {"ca": "/nonexistent/ca.pem"},
        {"ca": "ca.pem", "cert": "/nonexistent/client.pem", "key": "/nonexistent/key"},
    ],
)
def test_missing_files_are_named_by_the_message(serve, certificates, options):
    server, protocol = serve()
    known = {
        name: certificates[value] if value == "ca.pem" else value for name, value in options.items()
    }
    result = send_once(server.url, protocol, **known)
    assert result["outcome"] == "retry" and "/nonexistent/" in result["message"], result


def test_plain_text_against_tls_and_the_other_way_round(serve, certificates):
    server, protocol = serve()
    result = send_once(server.url.replace("https:", "http:"), protocol)
    assert result["outcome"] in ("retry", "rejected") and result["message"]
    with FaultServer("ok") as plain:
        result = send_once(plain.url.replace("http:", "https:"), protocol, timeout_ns=300_000_000)
        # it waits for the rest of a request
        assert result["outcome"] == "aborted" and plain.requests == []


def test_grpc_needs_http2(certificates):
    with FaultServer("ok", tls=certificates.http()) as server:
        result = send_once(f"https://127.0.0.1:{server.port}", "grpc", ca=certificates["ca.pem"])
    assert result["outcome"] in ("retry", "rejected") and "gRPC" in result["message"], result


def test_a_forked_child_says_no_goodbye_on_the_parents_connection(serve, certificates):
    server, protocol = serve()
    with Sender(server.url, protocol, ca=certificates["ca.pem"]) as sender:
        assert sender.send()["outcome"] == "sent"
        assert [result["outcome"] for result in sender.in_child()] == ["sent", "sent"]
        assert sender.many(20)["sent"] == 20
    seen = (
        [call.peer for call in server.calls]
        if protocol == "grpc"
        else [request.connection for request in server.requests]
    )
    assert len(set(seen)) == 2 and len(set(seen[:1] + seen[3:])) == 1


@pytest.mark.parametrize("name", ["ca", "cert", "key"])
def test_a_file_that_hangs_holds_up_nobody(serve, certificates, tmp_path, name):
    """A named pipe without a writer in the place of a file."""
    os.mkfifo(tmp_path / "pipe")
    server, protocol = serve(mutual=True)
    files = {
        "ca": certificates["ca.pem"],
        "cert": certificates["client.pem"],
        "key": certificates["client.key"],
    }
    with Sender(server.url, protocol, **{**files, name: str(tmp_path / "pipe")}) as sender:
        result = sender.send()
        assert result["outcome"] == "retry" and "it is no regular file" in result["message"], result
        assert sender.in_child()[0]["outcome"] == "retry"


@pytest.mark.parametrize(
    "form", [["rsa", "-aes256"], ["pkcs8", "-topk8"], ["rsa", "-aes256", "-traditional"]]
)
def test_an_encrypted_key_is_an_error_and_no_question(serve, certificates, tmp_path, form):
    key = tmp_path / "key"
    command = [
        "openssl",
        *form,
        "-in",
        certificates["client.key"],
        "-out",
        str(key),
        "-passout",
        "pass:secret",
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    server, protocol = serve(mutual=True)
    files = {"ca": certificates["ca.pem"], "cert": certificates["client.pem"], "key": str(key)}
    result = send_once(server.url, protocol, **files)
    assert result["outcome"] == "retry" and "encrypted" in result["message"], result


def test_a_new_key_is_found_after_a_failure(serve, certificates, tmp_path):
    server, protocol = serve(mutual=True)
    files = {
        "ca": certificates["ca.pem"],
        "cert": str(tmp_path / "cert"),
        "key": str(tmp_path / "key"),
    }
    shutil.copy(certificates["other.pem"], files["cert"])
    shutil.copy(certificates["other.key"], files["key"])
    with Sender(server.url, protocol, **files) as sender:
        assert sender.send()["outcome"] == "retry"
        shutil.copy(certificates["client.pem"], files["cert"])
        shutil.copy(certificates["client.key"], files["key"])
        assert sender.send()["outcome"] == "sent"


PROGRAM = """
import os, sys, threading, time
import djp_telemetry as d
d.init_telemetry()
d.start_span("waits").end()
assert d.flush(0.5) is False
assert "it is no regular file" in d.telemetry_status()["export"]["last_error"]
if sys.argv[1] == "fork":
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
print(d.shutdown(1))
"""


@pytest.mark.parametrize("end", ["exit", "fork"])
def test_a_process_with_a_hanging_key_ends(certificates, tmp_path, end):
    os.mkfifo(tmp_path / "pipe")
    settings = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "https://127.0.0.1:9",
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": certificates["client.pem"],
        "OTEL_EXPORTER_OTLP_CLIENT_KEY": str(tmp_path / "pipe"),
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_TRACE_SAMPLE": "1",
    }
    done = run_program(PROGRAM, tmp_path, arguments=[end], **settings)
    assert done.stdout.strip() == "False"
