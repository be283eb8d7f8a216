"""Sends the exposition of a registry to a Pushgateway."""

from __future__ import annotations

import base64
import gzip
import socket
import ssl
import sys
from collections.abc import Sequence
from contextlib import closing
from typing import Any, Callable, Optional
from urllib.error import HTTPError
from urllib.parse import quote_plus, urlparse
from urllib.request import (
    BaseHandler,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    Request,
    build_opener,
)

_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_REPEATED = {"GET": (301, 302, 303, 307), "HEAD": (301, 302, 303, 307), "POST": (301, 302, 303)}
_REPEATED["PUT"] = _REPEATED["POST"]
Send = Callable[[], None]


class _PrometheusRedirectHandler(HTTPRedirectHandler):
    """Repeats a redirected request with its method, headers and data."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Request:
        method = getattr(req, "method", None) or req.get_method()
        if code not in _REPEATED.get(method, ()):
            raise HTTPError(req.full_url, code, msg, headers, fp)
        return Request(
            newurl.replace(" ", "%20"),
            headers=req.headers,
            origin_req_host=req.origin_req_host,
            unverifiable=True,
            data=req.data,
            method=method,
        )


def _make_handler(
    url: str,
    method: str,
    timeout: Optional[float],
    headers: Sequence[tuple[str, Any]],
    data: bytes,
    base_handler: Any,
) -> Send:
    def handle() -> None:
        request = Request(url, data=data, method=method)
        for name, value in headers:
            request.add_header(name, value)
        response = build_opener(base_handler).open(request, timeout=timeout)
        if response.code >= 400:
            raise OSError(f"error talking to pushgateway: {response.code} {response.msg}")

    return handle


def default_handler(
    url: str, method: str, timeout: Optional[float], headers: list[tuple[str, Any]], data: bytes
) -> Send:
    """The function that sends a request over HTTP or HTTPS.

    Args:
        url: URL.
        method: Method.
        timeout: Time limit in seconds.
        headers: Headers.
        data: Body.
    """
    return _make_handler(url, method, timeout, headers, data, HTTPHandler)


def passthrough_redirect_handler(
    url: str, method: str, timeout: Optional[float], headers: list[tuple[str, Any]], data: bytes
) -> Send:
    """As default_handler(), and follows redirects with the same method, headers and data. Only
    for a gateway that is trusted.

    Args:
        url: URL.
        method: Method.
        timeout: Time limit in seconds.
        headers: Headers.
        data: Body.
    """
    return _make_handler(url, method, timeout, headers, data, _PrometheusRedirectHandler)


def basic_auth_handler(
    url: str,
    method: str,
    timeout: Optional[float],
    headers: list[tuple[str, Any]],
    data: bytes,
    username: Optional[str] = None,
    password: Optional[str] = None,
) -> Send:
    """As default_handler(), with a name and password.

    Args:
        url: URL.
        method: Method.
        timeout: Time limit in seconds.
        headers: Headers.
        data: Body.
        username: Name.
        password: Password.
    """

    def handle() -> None:
        sent = list(headers)
        if username is not None and password is not None:
            token = base64.b64encode(f"{username}:{password}".encode())
            sent.append(("Authorization", b"Basic " + token))
        default_handler(url, method, timeout, sent, data)()

    return handle


def tls_auth_handler(
    url: str,
    method: str,
    timeout: Optional[float],
    headers: list[tuple[str, Any]],
    data: bytes,
    certfile: str,
    keyfile: str,
    cafile: Optional[str] = None,
    protocol: int = ssl.PROTOCOL_TLS_CLIENT,
    insecure_skip_verify: bool = False,
) -> Send:
    """As default_handler() over HTTPS, with a certificate of the client.

    Args:
        url: URL.
        method: Method.
        timeout: Time limit in seconds.
        headers: Headers.
        data: Body.
        certfile: PEM file of the certificate.
        keyfile: PEM file of its key.
        cafile: PEM file of the authorities that certify the gateway.
        protocol: Protocol of the ssl module.
        insecure_skip_verify: Does not check the gateway.
    """
    context = ssl.SSLContext(protocol=protocol)
    if cafile is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(cafile)
    if insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(certfile=certfile, keyfile=keyfile)
    secure: BaseHandler = HTTPSHandler(context=context)
    return _make_handler(url, method, timeout, headers, data, secure)


def push_to_gateway(
    gateway: str,
    job: str,
    registry: Any,
    grouping_key: Optional[dict[str, Any]] = None,
    timeout: Optional[float] = 30,
    handler: Callable[..., Any] = default_handler,
    compression: Optional[str] = None,
) -> None:
    """Replaces all metrics of a group in a Pushgateway (PUT).

    Args:
        gateway: URL or host and port.
        job: The label job.
        registry: The registry.
        grouping_key: Further labels of the group.
        timeout: Time limit in seconds; None: none.
        handler: Returns the function that sends, from url, method, timeout, headers and data.
        compression: gzip or snappy.
    """
    _use_gateway("PUT", gateway, job, registry, grouping_key, timeout, handler, compression)


def pushadd_to_gateway(
    gateway: str,
    job: str,
    registry: Any,
    grouping_key: Optional[dict[str, Any]] = None,
    timeout: Optional[float] = 30,
    handler: Callable[..., Any] = default_handler,
    compression: Optional[str] = None,
) -> None:
    """Replaces the metrics of the same names of a group in a Pushgateway (POST).

    Args:
        gateway: URL or host and port.
        job: The label job.
        registry: The registry.
        grouping_key: Further labels of the group.
        timeout: Time limit in seconds; None: none.
        handler: As for push_to_gateway().
        compression: gzip or snappy.
    """
    _use_gateway("POST", gateway, job, registry, grouping_key, timeout, handler, compression)


def delete_from_gateway(
    gateway: str,
    job: str,
    grouping_key: Optional[dict[str, Any]] = None,
    timeout: Optional[float] = 30,
    handler: Callable[..., Any] = default_handler,
) -> None:
    """Deletes the metrics of a group from a Pushgateway (DELETE).

    Args:
        gateway: URL or host and port.
        job: The label job.
        grouping_key: Further labels of the group.
        timeout: Time limit in seconds; None: none.
        handler: As for push_to_gateway().
    """
    _use_gateway("DELETE", gateway, job, None, grouping_key, timeout, handler)


def _group_url(gateway: str, job: str, grouping_key: Optional[dict[str, Any]]) -> str:
    if urlparse(gateway).scheme not in ("http", "https"):
        gateway = f"http://{gateway}"
    parts = [("job", job), *sorted((grouping_key or {}).items())]
    group = "".join(
        "/{}/{}".format(*_escape_grouping_key(str(name), str(value))) for name, value in parts
    )
    return f"{gateway.rstrip('/')}/metrics{group}"


def _use_gateway(
    method: str,
    gateway: str,
    job: str,
    registry: Any,
    grouping_key: Optional[dict[str, Any]],
    timeout: Optional[float],
    handler: Callable[..., Any],
    compression: Optional[str] = None,
) -> None:
    from . import exposition

    url = _group_url(gateway, job, grouping_key)
    if method == "DELETE":
        if compression is not None:
            raise ValueError("Compression is not supported for DELETE requests.")
        data, headers = b"", [("Content-Type", _CONTENT_TYPE)]
    else:
        source = exposition.REGISTRY if registry is None else registry
        data, headers = _compress_payload(exposition.generate_latest(source), compression)
    handler(url=url, method=method, timeout=timeout, headers=headers, data=data)()


def _snappy(data: bytes) -> bytes:
    try:
        import snappy  # type: ignore[import-not-found]
    except ImportError:
        raise RuntimeError(
            "Snappy compression requires the python-snappy package to be installed."
        ) from None
    compressor = snappy.StreamCompressor()
    end = getattr(compressor, "flush", bytes)
    return bytes(compressor.compress(data) + (end() or b""))


def _compress_payload(
    data: bytes, compression: Optional[str]
) -> tuple[bytes, list[tuple[str, str]]]:
    headers = [("Content-Type", _CONTENT_TYPE)]
    if compression is None:
        return data, headers
    encoding = compression.lower()
    packed = {"gzip": gzip.compress, "snappy": _snappy}.get(encoding)
    if packed is None:
        raise ValueError(f"Unsupported compression type: {compression}")
    return packed(data), [*headers, ("Content-Encoding", encoding)]


def _escape_grouping_key(k: str, v: str) -> tuple[str, str]:
    if not v:
        return f"{k}@base64", "="
    if "/" in v or " " in v:
        return f"{k}@base64", base64.urlsafe_b64encode(v.encode("utf-8")).decode("ascii")
    return k, quote_plus(v)


def instance_ip_grouping_key() -> dict[str, Any]:
    """The label instance with the address of this host."""
    # macOS has no route from localhost to port 0.
    peer = ("10.255.255.255", 1) if sys.platform == "darwin" else ("localhost", 0)
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as connection:
        connection.connect(peer)
        return {"instance": connection.getsockname()[0]}
