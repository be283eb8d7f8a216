"""A loopback gRPC receiver with faults from a script, whose last behaviour repeats."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import threading

import grpc

METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
METHODS = (
    METHOD,
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
)


@dataclasses.dataclass
class Call:
    body: bytes
    metadata: dict[str, str]
    seconds_left: float | None
    peer: str
    method: str = METHOD


def _field(number: int, payload: bytes) -> bytes:
    return bytes([number << 3 | 2, len(payload)]) + payload


def status_details(code: int, message: str, retry_seconds: int, retry_nanos: int = 0) -> bytes:
    """google.rpc.Status with a RetryInfo, encoded by hand."""

    def varint(value: int) -> bytes:
        out = b""
        while value > 0x7F:
            out += bytes([value & 0x7F | 0x80])
            value >>= 7
        return out + bytes([value])

    duration = b"\x08" + varint(retry_seconds) + b"\x10" + varint(retry_nanos)
    info = _field(1, duration)
    packed = _field(1, b"type.googleapis.com/google.rpc.RetryInfo") + _field(2, info)
    return b"\x08" + bytes([code]) + _field(2, message.encode()) + _field(3, packed)


def partial_success(rejected: int, message: str) -> bytes:
    inner = (b"\x08" + bytes([rejected]) if rejected else b"") + _field(2, message.encode())
    return _field(1, inner)


class GrpcFaultServer:
    """Behaviours: ok, partial, warning, bad_message, hang, (code, message), (code, message, retry
    seconds). Each response takes `pause` seconds; at most `workers` calls run at once."""

    def __init__(
        self,
        *script: object,
        credentials: grpc.ServerCredentials | None = None,
        port: int = 0,
        pause: float = 0,
        workers: int = 4,
        **options: object,
    ):
        self.script = list(script) or ["ok"]
        self.calls: list[Call] = []
        self._pause = pause
        self._stop = threading.Event()
        self._lock = threading.Lock()
        settings = [("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", 64 << 20)]
        settings += [("grpc." + name, value) for name, value in options.items()]
        self._server = grpc.server(concurrent.futures.ThreadPoolExecutor(workers), options=settings)
        for method in METHODS:
            export = functools.partial(self._export, method)
            handler = grpc.unary_unary_rpc_method_handler(export)
            self._server.add_generic_rpc_handlers(
                [grpc.method_handlers_generic_handler(method.split("/")[1], {"Export": handler})]
            )
        address = f"127.0.0.1:{port}"
        self.port = (
            self._server.add_secure_port(address, credentials)
            if credentials
            else self._server.add_insecure_port(address)
        )
        self._scheme = "https" if credentials else "http"
        self._server.start()

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def stop(self, grace: float = 0) -> None:
        self._stop.set()
        self._server.stop(grace).wait(10)

    def __enter__(self) -> GrpcFaultServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _export(self, method: str, body: bytes, context: grpc.ServicerContext) -> bytes:
        with self._lock:
            behaviour = self.script.pop(0) if len(self.script) > 1 else self.script[0]
            left = context.time_remaining()
            self.calls.append(
                Call(body, dict(context.invocation_metadata()), left, context.peer(), method)
            )
        self._stop.wait(self._pause)
        if isinstance(behaviour, tuple):
            code, message, *retry = behaviour
            if retry:
                seconds = retry[0]
                details = status_details(code, message, int(seconds), round(seconds % 1 * 1e9))
                context.set_trailing_metadata([("grpc-status-details-bin", details)])
            context.abort(
                next(status for status in grpc.StatusCode if status.value[0] == code), message
            )
        if behaviour == "hang":
            self._stop.wait(30)
        return {
            "partial": partial_success(9, "too old"),
            "warning": partial_success(0, "soon gone"),
            "bad_message": b"\xff\xff\xff",
        }.get(str(behaviour), b"")
