"""The text exposition, and its ways to a Prometheus server: HTTP, files and the Pushgateway."""

from __future__ import annotations

import gzip
import logging
import os
import socket
import ssl
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingMixIn
from typing import Any, Callable, Optional
from urllib.parse import parse_qs, urlparse
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from . import _negotiate, _page
from ._gateway import (
    _compress_payload,
    _escape_grouping_key,
    _make_handler,
    _PrometheusRedirectHandler,
    _use_gateway,
    basic_auth_handler,
    default_handler,
    delete_from_gateway,
    instance_ip_grouping_key,
    passthrough_redirect_handler,
    push_to_gateway,
    pushadd_to_gateway,
    tls_auth_handler,
)
from .openmetrics import exposition as openmetrics
from .registry import REGISTRY, collect_safely
from .utils import floatToGoString

CONTENT_TYPE_PLAIN_0_0_4 = "text/plain; version=0.0.4; charset=utf-8"
CONTENT_TYPE_PLAIN_1_0_0 = "text/plain; version=1.0.0; charset=utf-8"
CONTENT_TYPE_LATEST = CONTENT_TYPE_PLAIN_1_0_0
# Types of OpenMetrics under the names that the text format has for them.
_TYPES = {
    "info": "gauge",
    "stateset": "gauge",
    "gaugehistogram": "histogram",
    "unknown": "untyped",
}
# Samples that the text format shows as separate gauges, after the family.
_APART = ("_created", "_gcount", "_gsum")
_SUFFIXES = {"counter": "_total", "info": "_info"}


def _sample_line(sample: Any, escaping: str) -> str:
    time = ""
    if sample.timestamp is not None:
        time = f" {int(float(sample.timestamp) * 1000):d}"
    name = openmetrics.sample_name(sample.name, sample.labels, escaping)
    return f"{name} {floatToGoString(sample.value)}{time}\n"


def _head(name: str, documentation: str, kind: str, escaping: str) -> str:
    escaped = openmetrics.escape_metric_name(name, escaping)
    help_text = documentation.replace("\\", r"\\").replace("\n", r"\n")
    return f"# HELP {escaped} {help_text}\n# TYPE {escaped} {kind}\n"


def family_text(metric: Any, escaping: str = openmetrics.UNDERSCORES) -> str:
    """The lines of one family.

    Args:
        metric: The family.
        escaping: As for generate_latest().
    """
    name = metric.name + _SUFFIXES.get(metric.type, "")
    parts = [_head(name, metric.documentation, _TYPES.get(metric.type, metric.type), escaping)]
    apart: dict[str, list[str]] = {}
    names = {metric.name + suffix: suffix for suffix in _APART}
    for sample in metric.samples:
        suffix = names.get(sample.name)
        lines = parts if suffix is None else apart.setdefault(suffix, [])
        lines.append(_sample_line(sample, escaping))
    for suffix in sorted(apart):
        parts.append(_head(metric.name + suffix, metric.documentation, "gauge", escaping))
        parts.extend(apart[suffix])
    return "".join(parts)


def generate_latest(registry: Any = REGISTRY, escaping: str = openmetrics.UNDERSCORES) -> bytes:
    """The exposition of a registry in the text format.

    Args:
        registry: The registry.
        escaping: How names with other characters than legacy ones are written: allow-utf-8,
            underscores, dots or values.
    """
    return _page.write(registry, lambda metric: family_text(metric, escaping), False)


def choose_encoder(accept_header: Optional[str]) -> tuple[Callable[[Any], bytes], str]:
    """The function that writes what a client prefers, and its content type.

    Args:
        accept_header: The Accept header.
    """
    is_openmetrics, version, escaping = _negotiate.choose(accept_header)
    if is_openmetrics and version:
        encoder = partial(openmetrics.generate_latest, escaping=escaping, version=version)
        kind = f"application/openmetrics-text; version={version}; charset=utf-8"
        return encoder, f"{kind}; escaping={escaping}"
    if is_openmetrics:
        return openmetrics.generate_latest, openmetrics.CONTENT_TYPE_LATEST
    if version:
        encoder = partial(generate_latest, escaping=escaping)
        return encoder, f"{CONTENT_TYPE_LATEST}; escaping={escaping}"
    return generate_latest, CONTENT_TYPE_PLAIN_0_0_4


def _get_version(accept_header: list[str]) -> str:
    return _negotiate.version_of(accept_header)


def _get_escaping(accept_header: list[str]) -> str:
    return _negotiate.escaping_of(accept_header)


def gzip_accepted(accept_encoding_header: Optional[str]) -> bool:
    """Whether a client accepts gzip.

    Args:
        accept_encoding_header: The Accept-Encoding header.
    """
    return _negotiate.accepts_gzip(accept_encoding_header)


class _Writable:
    """The metrics of a registry that an encoder can write."""

    def __init__(self, registry: Any, encoder: Callable[[Any], bytes]) -> None:
        self._registry = registry
        self._encoder = encoder
        self._one: list[Any] = []

    def collect(self) -> Any:
        for metric in collect_safely(self._registry):
            one = type("One", (), {"collect": lambda _, metric=metric: [metric]})()
            try:
                self._encoder(one)
            except Exception:
                logging.getLogger("djp_telemetry").warning(
                    "The metric %s cannot be written; the page omits it.",
                    getattr(metric, "name", metric),
                    exc_info=True,
                )
            else:
                yield metric


def _bake_output(
    registry: Any,
    accept_header: Optional[str],
    accept_encoding_header: Optional[str],
    params: Any,
    disable_compression: bool,
) -> tuple[str, list[tuple[str, str]], bytes]:
    """Status, headers and body of a response. A metric that cannot be written is left out."""
    encoder, content_type = choose_encoder(accept_header)
    if "name[]" in params:
        names = params.getlist("name[]") if hasattr(params, "getlist") else params["name[]"]
        registry = registry.restricted_registry(names)
    try:
        output = encoder(registry)
    except Exception:
        output = encoder(_Writable(registry, encoder))
    headers = [("Content-Type", content_type)]
    if not disable_compression and gzip_accepted(accept_encoding_header):
        output = gzip.compress(output)
        headers.append(("Content-Encoding", "gzip"))
    return "200 OK", headers, output


def make_wsgi_app(
    registry: Any = REGISTRY, disable_compression: bool = False
) -> Callable[..., Any]:
    """A WSGI application that serves a registry.

    Args:
        registry: The registry.
        disable_compression: Never compresses.
    """

    def respond(environ: Any) -> tuple[str, list[tuple[str, str]], bytes]:
        method = environ["REQUEST_METHOD"]
        allow = [("Allow", "OPTIONS,GET")]
        if method == "OPTIONS":
            return "200 OK", allow, b""
        if method != "GET":
            status = "405 Method Not Allowed"
            return status, allow, f"# HTTP {status}: {method}; use OPTIONS or GET\n".encode()
        if environ.get("PATH_INFO") == "/favicon.ico":
            return "200 OK", [], b""
        return _bake_output(
            registry,
            environ.get("HTTP_ACCEPT"),
            environ.get("HTTP_ACCEPT_ENCODING"),
            parse_qs(environ.get("QUERY_STRING", "")),
            disable_compression,
        )

    def prometheus_app(environ: Any, start_response: Any) -> list[bytes]:
        status, headers, output = respond(environ)
        start_response(status, headers)
        return [output]

    return prometheus_app


class _SilentHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Logs nothing."""


class ThreadingWSGIServer(ThreadingMixIn, WSGIServer):
    """A server with a thread for each request."""

    daemon_threads = True


def _get_best_family(address: str, port: int) -> tuple[Any, Any]:
    found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, where = found[0]
    return family, where[0]


def _get_ssl_ctx(
    certfile: str,
    keyfile: str,
    protocol: int,
    cafile: Optional[str] = None,
    capath: Optional[str] = None,
    client_auth_required: bool = False,
    tls_min_version: Any = None,
    tls_max_version: Any = None,
) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol=protocol)
    try:
        if cafile is not None or capath is not None:
            context.load_verify_locations(cafile, capath)
        else:
            context.load_default_certs(purpose=ssl.Purpose.CLIENT_AUTH)
    except OSError as error:
        raise type(error)(
            "Cannot load CA certificate chain from file "
            f"{cafile!r} or directory {capath!r}: {error}"
        ) from error
    if client_auth_required:
        context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_cert_chain(certfile=certfile, keyfile=keyfile)
    except OSError as error:
        raise type(error)(
            f"Cannot load server certificate file {certfile!r} or "
            f"its private key file {keyfile!r}: {error}"
        ) from error
    if tls_min_version is not None:
        context.minimum_version = tls_min_version
    if tls_max_version is not None:
        context.maximum_version = tls_max_version
    return context


def start_wsgi_server(
    port: int,
    addr: str = "0.0.0.0",
    registry: Any = REGISTRY,
    certfile: Optional[str] = None,
    keyfile: Optional[str] = None,
    client_cafile: Optional[str] = None,
    client_capath: Optional[str] = None,
    protocol: int = ssl.PROTOCOL_TLS_SERVER,
    client_auth_required: bool = False,
    tls_min_version: Any = None,
    tls_max_version: Any = None,
) -> tuple[WSGIServer, threading.Thread]:
    """Serves a registry in a daemon thread; returns the server and the thread.

    Args:
        port: Port.
        addr: Address.
        registry: The registry.
        certfile: PEM file of the server's certificate; with keyfile the server uses TLS.
        keyfile: PEM file of its key.
        client_cafile: PEM file of the authorities that certify clients.
        client_capath: Directory of these.
        protocol: Protocol of the ssl module.
        client_auth_required: Clients need a certificate.
        tls_min_version: Lowest version of TLS.
        tls_max_version: Highest version of TLS.
    """
    family, host = _get_best_family(addr, port)
    server_class = type("Server", (ThreadingWSGIServer,), {"address_family": family})
    server: Any = make_server(
        host, port, make_wsgi_app(registry), server_class, handler_class=_SilentHandler
    )
    if certfile and keyfile:
        context = _get_ssl_ctx(
            certfile,
            keyfile,
            protocol,
            client_cafile,
            client_capath,
            client_auth_required,
            tls_min_version,
            tls_max_version,
        )
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    return server, thread


start_http_server = start_wsgi_server


class MetricsHandler(BaseHTTPRequestHandler):
    """Serves a registry, for the servers of http.server."""

    registry: Any = REGISTRY

    def do_GET(self) -> None:
        """Responds to a GET request."""
        status, headers, output = _bake_output(
            self.registry,
            self.headers.get("Accept"),
            self.headers.get("Accept-Encoding"),
            parse_qs(urlparse(self.path).query),
            False,
        )
        self.send_response(int(status.split(" ")[0]))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(output)

    def log_message(self, format: str, *args: Any) -> None:
        """Logs nothing."""

    @classmethod
    def factory(cls, registry: Any) -> type:
        """A class like this one for another registry.

        Args:
            registry: The registry.
        """
        return type(cls.__name__, (cls,), {"registry": registry})


def write_to_textfile(
    path: str,
    registry: Any,
    escaping: str = openmetrics.ALLOWUTF8,
    tmpdir: Optional[str] = None,
) -> None:
    """Replaces a file by the exposition of a registry, at once: a reader never sees a part.

    Args:
        path: The file, whose name must end in .prom for the node exporter.
        registry: The registry.
        escaping: As for generate_latest().
        tmpdir: Directory of the temporary file, on the same file system; that of path by default.
    """
    folder = os.path.dirname(path) if tmpdir is None else tmpdir
    unique = f"{os.path.basename(path)}.{os.getpid()}.{threading.get_ident()}"
    temporary = os.path.join(folder, unique)
    try:
        with open(temporary, "wb") as file:
            file.write(generate_latest(registry, escaping))
        os.replace(temporary, path)
    except Exception:
        if os.path.exists(temporary):
            os.remove(temporary)
        raise


from .asgi import make_asgi_app  # noqa: E402

__all__ = [
    "CONTENT_TYPE_LATEST",
    "CONTENT_TYPE_PLAIN_0_0_4",
    "CONTENT_TYPE_PLAIN_1_0_0",
    "MetricsHandler",
    "ThreadingWSGIServer",
    "_PrometheusRedirectHandler",
    "_bake_output",
    "_compress_payload",
    "_escape_grouping_key",
    "_make_handler",
    "_use_gateway",
    "basic_auth_handler",
    "choose_encoder",
    "default_handler",
    "delete_from_gateway",
    "generate_latest",
    "gzip_accepted",
    "instance_ip_grouping_key",
    "make_asgi_app",
    "make_wsgi_app",
    "passthrough_redirect_handler",
    "push_to_gateway",
    "pushadd_to_gateway",
    "start_http_server",
    "start_wsgi_server",
    "tls_auth_handler",
    "write_to_textfile",
]
