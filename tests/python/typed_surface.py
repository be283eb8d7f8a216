"""Never run: `mypy --strict` reads it in `make lint`. Every public name is used as an application
would use it."""

from __future__ import annotations

import asyncio
import logging
from typing import AsyncIterator

import djp_telemetry as d
from djp_telemetry import (
    INVALID_SPAN,
    Baggage,
    Context,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    TraceState,
    attach,
    baggage,
    detach,
    log_correlation,
    noop,
    otel,
    prom,
    sampling,
    traced,
    use_span,
)
from djp_telemetry.asgi import TelemetryMiddleware, metrics_app, note_exception
from djp_telemetry.metrics import (
    Counter,
    Gauge,
    Histogram,
    expose,
    generate_metrics,
)
from djp_telemetry.status import TelemetryStatus
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware

app = FastAPI()
app.add_middleware(TelemetryMiddleware, metrics_path="/metrics", excluded_paths=["/h"])
st = Starlette(middleware=[Middleware(TelemetryMiddleware)])
wrapped = TelemetryMiddleware(app)
wrapped2 = TelemetryMiddleware(st, route=lambda scope: "/x")
app.mount("/m", metrics_app)
note_exception({"type": "http"}, ValueError("no"))
n: str = TelemetryMiddleware._normalize_endpoint("/a/1")
d.init_telemetry(
    enabled=True,
    backend="hybrid",
    exporter="memory",
    endpoint="http://x",
    protocol="grpc",
    headers={"a": "b"},
    file_path="x",
    service_name="s",
    environment="dev",
    resource_attributes={"a": 1},
    sample_ratio=0.1,
    sampler=sampling.parent_threshold(
        sampling.rule_based(
            [
                (sampling.name("GET /health*") & ~sampling.is_root(), sampling.drop()),
                (
                    sampling.kind(SpanKind.SERVER),
                    sampling.annotating({"n": 1}, sampling.rate_limited(10)),
                ),
            ]
        )
    ),
    tail_sampling_rules=["name pay", "rare 60s"],
    slow_threshold=2.0,
    ring_bytes=1 << 20,
    flush_interval=1.0,
    prometheus_port=0,
    log_correlation=True,
)


@traced
def f(x: int) -> int:
    return x


@traced("n", attributes={"a": 1}, kind=SpanKind.CLIENT)
async def g(x: int) -> str:
    return str(x)


@d.get_tracer("t").start_as_current_span("z")
async def ag() -> AsyncIterator[int]:
    yield 1


class K:
    @traced
    def m(self) -> bytes:
        return b""


a: int = f(1)
b: str = asyncio.run(g(1))
c: bytes = K().m()
t: Tracer = d.get_tracer("a", "1", None, {"x": 1})
s: Span = t.start_span("x", kind="server", links=[INVALID_SPAN], start_time=1)
with t.start_as_current_span("x", attributes={"a": [1, 2], "b": None}) as sp:
    sp.set_attribute("a", b"x")
    sp.set_attributes({"q": 1})
    sp.add_event("e", {"z": 1}, timestamp=1)
    sp.add_link(s, {"a": 1})
    sp.record_exception(ValueError("x"), escaped=True)
    sp.set_status(StatusCode.ERROR, "d")
    sp.set_status(Status(StatusCode.OK))
    sp.update_name("n")
    sp.end(end_time=3)
    r: bool = sp.is_recording()
    sc: SpanContext = sp.get_span_context()
    i: int = sc.trace_id
    tf: TraceFlags = sc.trace_flags
    ts: TraceState = sc.trace_state
    h: str = ts.to_header()
    v: bool = sc.is_valid and tf.sampled


async def am() -> None:
    async with d.start_span("a", parent=s) as q:
        q.end()
    async with t.start_as_current_span("x") as q2:
        q2.end()


with use_span(s, end_on_exit=True) as u:
    u.end()
tok = attach(d.extract({"a": "b"}))
detach(tok)
ctx: Context = d.get_current_context()
bg: Baggage = ctx.baggage
val: str | None = bg.get("x")
hd: dict[str, str] = d.inject()
hd2: dict[str, str] = d.inject({}, context=ctx)
x1: str = otel.get_current_trace_id() + d.get_current_span_id()
otel.init_tracer("s")
otel.init_opentelemetry()
otel.record_http_span("G", "/x", 200, 0.1)
otel.record_job_span("q", "j", 1.0, success=False)
otel.record_external_api_span("s", "o", 0.1)
prom.init_prometheus()
prom.record_http_request("G", "/x", 200, 0.1)
prom.record_queue_job("j", 1.0)
prom.set_queue_depth("q", 1)
prom.record_external_api_call("s", "o", 0.1)
with prom.timer_context("x") as tm:
    pass
el: float = tm.elapsed_seconds
txt: str = prom.generate_metrics_text()
log_correlation.install_trace_correlation()
logging.getLogger().addFilter(log_correlation.TraceIdFilter())
lc: dict[str, str] = log_correlation.get_structured_log_context()
noop.init_noop_if_enabled()
d.init_noop_if_enabled()
cc = Counter("a", "b", ["c"], namespace="n", subsystem="s", unit="u")
cc.labels("x").inc(1, exemplar={"trace_id": "x"})
cc.labels(c="x").inc()
hh = Histogram("h", "h", buckets=(1, 2))
hh.observe(1.0)


@hh.time()
def timed(z: int) -> int:
    return z


zz: int = timed(1)


@cc.labels("x").count_exceptions((ValueError, KeyError))
async def ce() -> None: ...


gg = Gauge("g", "g")
gg.set_function(lambda: 1.0)
gg.set_to_current_time()
with gg.track_inprogress():
    pass
body, ctype = expose("text/plain")
by: bytes = generate_metrics()
b1: bool = d.flush(1.0)
b2: bool = d.shutdown(timeout=1)
b3: bool = d.shutdown(0.5)
stt: TelemetryStatus = d.telemetry_status()
sent: int = stt["spans"]["exported"] + stt["dropped"]["queue_full"]
retries: int = stt["signals"]["traces"]["retries"] + stt["signals"]["traces"]["dropped"]["timeout"]
share: float | None = stt["sampling"]["ratio"]
endpoint: str | None = stt["settings"]["endpoint"]["value"]
remote = stt["sampling"]["remote"]
strategy: str = "" if remote is None else remote["strategy"]
stt["no_such_key"]  # type: ignore[typeddict-item]
stt["books"]["kept"]  # type: ignore[typeddict-item]
tk = baggage.attach(baggage.set_baggage("a", "b"))
baggage.detach(tk)
ga: dict[str, str] = baggage.get_all()
imp: str = d.__impl__ + d.__impl_reason__ + d.__version__
