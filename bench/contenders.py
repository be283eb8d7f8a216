"""One measurement in a separate process: `python bench/contenders.py NAME` prints a number.
bench/run.py calls it for both sides in turn.

Times are nanoseconds on the calling thread: the minimum over many short chunks, so that a busy
machine does not count.
"""

import asyncio
import os
import resource
import sys
import time

ENDPOINT = os.environ.get("BENCH_SINK", "http://127.0.0.1:1") + "/v1/traces"
LABELS = ("GET", "/orders/{order_id}", "200")
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0)


def best(statement, names=None, count=100, seconds=1.5):
    """Nanoseconds of one run of the statement: the fastest of many chunks of a loop that holds
    nothing else."""
    names = names or {}
    indented = statement.replace("\n", "\n        ")
    source = (
        f"def loop(rounds, {', '.join(names)}):\n    for _ in rounds:\n"
        + f"        {indented}\n" * 10
    )
    space = {}
    # Names become local variables and the loop is unrolled, so that only the statement is timed.
    exec(source, space)  # noqa: S102
    loop, rounds = space["loop"], range(max(count // 10, 1))
    clock, fastest, end = time.perf_counter_ns, float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        begin = clock()
        loop(rounds, *names.values())
        fastest = min(fastest, clock() - begin)
    return fastest / (len(rounds) * 10)


# ---- spans -------------------------------------------------------------------------------------


def ours(**options):
    import djp_telemetry as djp

    defaults = {
        "enabled": True,
        "backend": "otel",
        "exporter": "otlp",
        "endpoint": ENDPOINT,
        "protocol": "http/protobuf",
    }
    djp.init_telemetry(**{**defaults, "service_name": "bench", "sample_ratio": 1.0, **options})
    return djp


def otel(ratio=1.0, export=True):
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    provider = TracerProvider(sampler=ParentBased(TraceIdRatioBased(ratio)))
    if export:
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=ENDPOINT)))
    return provider, provider.get_tracer("bench")


SPAN = """with start("operation") as span:
    span.set_attribute("http.method", "GET")
    span.set_attribute("http.route", "/orders/{order_id}")
    span.set_attribute("http.status_code", 200)
    span.set_attribute("tenant.plan", "professional")
    span.set_attribute("cache.hit", True)"""


def span_ours():
    return best(SPAN, {"start": ours().start_span})


def span_otel():
    return best(SPAN, {"start": otel()[1].start_as_current_span})


def span_unsampled_ours():
    return best(SPAN, {"start": ours(sample_ratio=1e-9).start_span})


def span_unsampled_otel():
    return best(SPAN, {"start": otel(0.0)[1].start_as_current_span})


def span_off_ours():
    import djp_telemetry as djp

    return best(SPAN, {"start": djp.start_span})


def span_off_otel():
    from opentelemetry import trace

    return best(SPAN, {"start": trace.get_tracer("bench").start_as_current_span})


# ---- metrics -----------------------------------------------------------------------------------


def our_metrics():
    ours(backend="prom", exporter="none")
    from djp_telemetry import metrics

    return metrics


def our_client():
    """prometheus_client on the core."""
    our_metrics()
    from djp_telemetry import prometheus

    return prometheus


def inc_client():
    return best("inc()", {"inc": our_client().Counter("bench_total", "x").inc})


def labels_client():
    return labelled(our_client().Counter("bench_total", "x", ["method", "endpoint", "status"]))


def observe_client():
    return observed(our_client().Histogram("bench_seconds", "x", buckets=BUCKETS))


def scrape_client():
    ours(backend="prom", exporter="none", cardinality_limit=20_000)
    from djp_telemetry import prometheus

    fill(prometheus.Counter("bench_total", "x", ["method", "endpoint", "status"]))
    assert prometheus.generate_latest().count(b"bench_total{") == 10_000
    return best("scrape()", {"scrape": prometheus.generate_latest}, 10, 3)


def inc_ours():
    counter = our_metrics().Counter("bench_total", "x")
    return best("inc()", {"inc": counter.inc})


def inc_peer():
    import prometheus_client

    return best("inc()", {"inc": prometheus_client.Counter("bench_total", "x").inc})


def labelled(counter):
    a, b, c = LABELS
    return best("labels(a, b, c).inc()", {"labels": counter.labels, "a": a, "b": b, "c": c})


def labels_ours():
    return labelled(our_metrics().Counter("bench_total", "x", ["method", "endpoint", "status"]))


def labels_peer():
    import prometheus_client

    return labelled(prometheus_client.Counter("bench_total", "x", ["method", "endpoint", "status"]))


def observed(histogram):
    return best("observe(0.3)", {"observe": histogram.observe})


def observe_ours():
    return observed(our_metrics().Histogram("bench_seconds", "x", buckets=BUCKETS))


def observe_peer():
    import prometheus_client

    return observed(prometheus_client.Histogram("bench_seconds", "x", buckets=BUCKETS))


def fill(counter):
    for n in range(10_000):
        counter.labels("GET", f"/r/{n}", "200").inc(n)


def scrape_ours():
    ours(backend="prom", exporter="none", cardinality_limit=20_000)
    from djp_telemetry import metrics

    fill(metrics.Counter("bench_total", "x", ["method", "endpoint", "status"]))
    assert metrics.generate_metrics().count(b"bench_total{") == 10_000
    return best("scrape()", {"scrape": metrics.generate_metrics}, 10, 3)


def scrape_peer():
    import prometheus_client

    fill(prometheus_client.Counter("bench_total", "x", ["method", "endpoint", "status"]))
    return best("scrape()", {"scrape": prometheus_client.generate_latest}, 10, 3)


# ---- requests ----------------------------------------------------------------------------------

SCOPE = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "method": "GET",
    "scheme": "http",
    "path": "/orders/7",
    "raw_path": b"/orders/7",
    "query_string": b"",
    "root_path": "",
    "server": ("127.0.0.1", 8000),
    "client": ("127.0.0.1", 50000),
    "headers": [
        (b"host", b"127.0.0.1:8000"),
        (b"user-agent", b"bench"),
        (b"accept", b"*/*"),
        (b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ],
}


class Route:
    path = path_format = "/orders/{order_id}"


async def bare_app(scope, receive, send):
    scope["route"] = Route
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


def request_cost(app):
    """Nanoseconds of one request, driven by hand without an event loop: nothing but the application
    and its middleware."""

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        pass

    statement = """try:
    app(dict(scope), receive, send).__await__().__next__()
except StopIteration:
    pass"""

    async def measure():  # inside a running loop, because middleware may ask for it
        return best(
            statement,
            {"app": app, "scope": SCOPE, "receive": receive, "send": send, "dict": dict},
            100,
            2,
        )

    return asyncio.run(measure())


def starlette_app():
    """The same two messages behind Starlette's own router, for middleware that looks for the route
    in it."""
    from starlette.applications import Starlette
    from starlette.routing import Route as StarletteRoute

    class Endpoint:
        async def __call__(self, scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"ok"})

    return Starlette(routes=[StarletteRoute("/orders/{order_id}", Endpoint())])


def starlette_bare():
    return request_cost(starlette_app())


def starlette_ours():
    ours(backend="hybrid")
    from djp_telemetry.asgi import TelemetryMiddleware

    app = starlette_app()
    app.add_middleware(TelemetryMiddleware)
    return request_cost(app)


def starlette_instrumentator():
    from prometheus_fastapi_instrumentator import Instrumentator

    app = starlette_app()
    Instrumentator().instrument(app)
    return request_cost(app)


def request_bare():
    return request_cost(bare_app)


def request_ours():
    ours(backend="hybrid")
    from djp_telemetry.asgi import TelemetryMiddleware

    return request_cost(TelemetryMiddleware(bare_app))


def request_ours_1_percent():
    ours(backend="hybrid", sample_ratio=0.01)
    from djp_telemetry.asgi import TelemetryMiddleware

    SCOPE["headers"].pop()
    return request_cost(TelemetryMiddleware(bare_app))


def otel_asgi(ratio):
    """With a meter provider, because ours records the request metrics, too."""
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    meters = MeterProvider(metric_readers=[InMemoryMetricReader()])
    return request_cost(
        OpenTelemetryMiddleware(bare_app, tracer_provider=otel(ratio)[0], meter_provider=meters)
    )


def request_otel():
    return otel_asgi(1.0)


def request_otel_1_percent():
    SCOPE["headers"].pop()
    return otel_asgi(0.01)


# ---- whole process -----------------------------------------------------------------------------


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def rss():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * resource.getpagesize() / 2**20


def export_cpu_ours(count=300_000):
    """Process CPU nanoseconds per exported span over an empty loop of the same length: record,
    encode, send, without compression."""
    djp = ours(compression="none")
    start_span = djp.start_span
    begin = cpu()
    for _ in range(count):
        with start_span("operation"):
            pass
    assert djp.flush(timeout=30)
    spent = cpu() - begin
    assert djp.telemetry_status()["spans"]["exported"] == count, djp.telemetry_status()["spans"]
    return spent / count * 1e9


def export_cpu_otel(count=10_000):
    provider, tracer = otel()
    begin = cpu()
    for n in range(count):
        with tracer.start_as_current_span("operation"):
            pass
        if n % 500 == 499:
            provider.force_flush()
    provider.force_flush()
    return (cpu() - begin) / count * 1e9


def burst_ours():
    djp = ours()
    for _ in range(10_000):
        djp.start_span("burst").end()
    djp.shutdown(timeout=10)
    return djp.telemetry_status()["spans"]["exported"]


def memory_ours():
    """MiB that telemetry adds after a million spans, ring included."""
    before = rss()
    djp = ours(backend="hybrid")
    start = djp.start_span
    for _ in range(1_000_000):
        with start("operation") as span:
            span.set_attribute("http.method", "GET")
            span.set_attribute("http.route", "/orders/{order_id}")
            span.set_attribute("http.status_code", 200)
            span.set_attribute("tenant.plan", "professional")
            span.set_attribute("cache.hit", True)
    # A loop this tight outruns a sink written in Python; what it loses is counted and not the
    # question here.
    djp.flush(timeout=30)
    return rss() - before


def memory_otel():
    before = rss()
    provider, tracer = otel()
    for n in range(20_000):
        with tracer.start_as_current_span("operation") as span:
            span.set_attribute("http.route", "/orders/{order_id}")
        if n % 500 == 499:
            provider.force_flush()
    return rss() - before


def import_ours():
    begin = time.perf_counter_ns()
    import djp_telemetry  # noqa: F401
    import djp_telemetry.asgi  # noqa: F401
    import djp_telemetry.metrics  # noqa: F401

    return time.perf_counter_ns() - begin


def import_otel():
    begin = time.perf_counter_ns()
    import opentelemetry.exporter.otlp.proto.http.trace_exporter  # noqa: F401
    import opentelemetry.sdk.trace  # noqa: F401
    import prometheus_client  # noqa: F401

    return time.perf_counter_ns() - begin


def gone_ours():
    """Nanoseconds that shutdown takes when the collector refuses connections, default settings."""
    djp = ours(endpoint="http://127.0.0.1:9/v1/traces")
    djp.start_span("lost").end()
    begin = time.perf_counter_ns()
    assert djp.shutdown() is False
    return time.perf_counter_ns() - begin


def gone_otel():
    import logging

    global ENDPOINT
    logging.disable()
    ENDPOINT = "http://127.0.0.1:9/v1/traces"
    provider, tracer = otel()
    tracer.start_span("lost").end()
    begin = time.perf_counter_ns()
    provider.shutdown()
    return time.perf_counter_ns() - begin


if __name__ == "__main__":
    print(globals()[sys.argv[1]](), flush=True)
    os._exit(0)
