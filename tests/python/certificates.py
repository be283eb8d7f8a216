"""Certificates made for a test with the openssl program: authorities, servers, a client."""

from __future__ import annotations

import pathlib
import ssl
import subprocess

import grpc


class Certificates:
    """Two authorities, a server for 127.0.0.1 and localhost, a server for another name, and a
    client."""

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
