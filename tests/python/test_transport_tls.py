"""TLS and mutual TLS for both protocols, with certificates made for the test."""

from __future__ import annotations

import pathlib
import shutil
import ssl
import subprocess

import pytest
from fault_server import FaultServer
from send_otlp import Sender, send_once

grpc = pytest.importorskip("grpc")
from grpc_fault_server import GrpcFaultServer  # noqa: E402

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="the openssl command is not here")


class Certificates:
    """Two authorities, a server for 127.0.0.1 and localhost, a server for another name, and a client."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        for name in ("ca", "other"):
            self._openssl(
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "2",
                "-subj",
                f"/CN=test {name}",
                "-keyout",
                self[name + ".key"],
                "-out",
                self[name + ".pem"],
            )
        self._leaf("server", "subjectAltName=IP:127.0.0.1,DNS:localhost")
        self._leaf("stranger", "subjectAltName=DNS:elsewhere.example")
        self._leaf("client", "extendedKeyUsage=clientAuth")

    def __getitem__(self, name: str) -> str:
        return str(self.folder / name)

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)

    def _leaf(self, name: str, extension: str) -> None:
        (self.folder / f"{name}.ext").write_text(extension + "\n")
        self._openssl(
            "req",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            f"/CN={name}",
            "-keyout",
            self[name + ".key"],
            "-out",
            self[name + ".csr"],
        )
        self._openssl(
            "x509",
            "-req",
            "-days",
            "2",
            "-in",
            self[name + ".csr"],
            "-CA",
            self["ca.pem"],
            "-CAkey",
            self["ca.key"],
            "-CAcreateserial",
            "-extfile",
            self[name + ".ext"],
            "-out",
            self[name + ".pem"],
        )

    def http(self, *, name: str = "server", mutual: bool = False) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self[name + ".pem"], self[name + ".key"])
        if mutual:
            context.load_verify_locations(self["ca.pem"])
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def rpc(self, *, name: str = "server", mutual: bool = False) -> grpc.ServerCredentials:
        def read(file: str) -> bytes:
            return (self.folder / file).read_bytes()

        return grpc.ssl_server_credentials(
            [(read(name + ".key"), read(name + ".pem"))], read("ca.pem") if mutual else None, mutual
        )


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(params=["http", "grpc"])
def serve(request, certificates):
    """Starts the protocol's server; gives (server, protocol)."""
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
        server.url, protocol, ca=certificates["ca.pem"], cert=certificates["client.pem"], key=certificates["client.key"]
    ) as sender:
        assert sender.many(50)["sent"] == 50


@pytest.mark.parametrize(
    "options",
    [{"ca": "/nonexistent/ca.pem"}, {"ca": "ca.pem", "cert": "/nonexistent/client.pem", "key": "/nonexistent/key"}],
)
def test_missing_files_are_named_by_the_message(serve, certificates, options):
    server, protocol = serve()
    known = {name: certificates[value] if value == "ca.pem" else value for name, value in options.items()}
    result = send_once(server.url, protocol, **known)
    assert result["outcome"] == "retry" and "/nonexistent/" in result["message"], result


def test_plain_text_against_tls_and_the_other_way_round(serve, certificates):
    server, protocol = serve()
    result = send_once(server.url.replace("https:", "http:"), protocol)
    assert result["outcome"] in ("retry", "rejected") and result["message"]
    with FaultServer("ok") as plain:
        result = send_once(plain.url.replace("http:", "https:"), protocol, timeout_ns=300_000_000)
        assert result["outcome"] == "aborted" and plain.requests == []  # it waits for the rest of a request


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
